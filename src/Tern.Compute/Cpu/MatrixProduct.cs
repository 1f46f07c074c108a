using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Dense matrix products on the CPU. Every result element is one chain of fused multiply-adds over the inner index in
/// ascending order, begun at zero or at the destination's element, so its bits depend on nothing but its row and column.
/// </summary>
internal static unsafe class MatrixProduct
{
    /// <summary>destination = op(left) · op(right), or += when <paramref name="accumulate"/>; <paramref name="right"/> may be BFloat16.</summary>
    public static void Multiply(WorkerPool pool, Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination)
    {
        (int rows, int inner) = transposeLeft ? (left.Columns, left.Rows) : (left.Rows, left.Columns);
        (int rightInner, int columns) = transposeRight ? (right.Columns, right.Rows) : (right.Rows, right.Columns);
        if (inner != rightInner || destination.Rows != rows || destination.Columns != columns)
        {
            throw new ArgumentException($"shapes do not agree: {left}{(transposeLeft ? " transposed" : "")} · {right}{(transposeRight ? " transposed" : "")} into {destination}");
        }

        if (left.DType != DType.Float32 || right.DType == DType.Int32 || destination.DType != DType.Float32)
        {
            throw new ArgumentException($"a product takes Float32 · (Float32 or BFloat16) into Float32, not {left} · {right} into {destination}");
        }

        pool.Run(
            rows,
            (left, transposeLeft, right, transposeRight, accumulate, destination, inner),
            static (i, s) =>
            {
                float* row = (float*)s.destination.Address + ((nint)i * s.destination.RowPitch);
                for (int j = 0; j < s.destination.Columns; j++)
                {
                    float sum = s.accumulate ? row[j] : 0;
                    for (int k = 0; k < s.inner; k++)
                    {
                        float x = s.transposeLeft ? Element(s.left, k, i) : Element(s.left, i, k);
                        float y = s.transposeRight ? Element(s.right, j, k) : Element(s.right, k, j);
                        sum = MathF.FusedMultiplyAdd(x, y, sum);
                    }

                    row[j] = sum;
                }
            });
    }

    private static float Element(Tensor tensor, int row, int column)
    {
        nint index = ((nint)row * tensor.RowPitch) + column;
        return tensor.DType == DType.Float32
            ? ((float*)tensor.Address)[index]
            : BitConverter.UInt32BitsToSingle((uint)((ushort*)tensor.Address)[index] << 16);
    }
}
