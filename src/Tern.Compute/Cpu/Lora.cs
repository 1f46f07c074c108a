using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// The low-rank addend s · drop(x) · Aᵀ · Bᵀ and its gradients. Dropped inputs are made again a block of rows at a time and
/// never kept: blocks depend on shapes only, so that results do not depend on threads.
/// </summary>
internal static unsafe class Lora
{
    /// <summary>1 MiB of floats at a time: what was masked is still in the second-level cache when it is multiplied.</summary>
    private const int BlockElementCount = 1 << 18;

    public static void Forward(ProductKernels kernels, WorkerPool pool, Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination)
    {
        Check(input, a, b, dropout, projected, accumulateDestination);
        if (!dropout.IsActive)
        {
            MatrixProduct.Multiply(kernels, pool, input, false, a, true, false, projected);
        }
        else
        {
            using ScratchLease lease = pool.RentScratch();
            foreach ((int start, int count) in new Blocks(input))
            {
                Tensor dropped = Block(lease.Buffer, input, count);
                Mask(pool, input.SliceRows(start, count), dropout, start, accumulate: false, dropped);
                MatrixProduct.Multiply(kernels, pool, dropped, false, a, true, false, projected.SliceRows(start, count));
            }
        }

        Scale(pool, scale, projected);
        MatrixProduct.Multiply(kernels, pool, projected, false, b, true, true, accumulateDestination);
    }

    /// <summary>With z = projected and dz = s · dy · B: dB += dyᵀ · z, dA += dzᵀ · drop(x), dx += drop′(dz · A).</summary>
    public static void Backward(ProductKernels kernels, WorkerPool pool, Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB)
    {
        Check(input, a, b, dropout, projected, dOutput);
        Operand.Check(accumulateDInput, input.Rows, input.Columns);
        using ScratchLease reduced = pool.RentScratch();
        Tensor dProjected = Block(reduced.Buffer, projected, input.Rows); // [T, rank]
        MatrixProduct.Multiply(kernels, pool, dOutput, false, b, false, false, dProjected);
        Scale(pool, scale, dProjected);
        if (!accumulateDB.IsEmpty)
        {
            MatrixProduct.Multiply(kernels, pool, dOutput, true, projected, false, true, accumulateDB);
        }

        if (!dropout.IsActive)
        {
            MatrixProduct.Multiply(kernels, pool, dProjected, false, a, false, true, accumulateDInput);
            if (!accumulateDA.IsEmpty)
            {
                MatrixProduct.Multiply(kernels, pool, dProjected, true, input, false, true, accumulateDA);
            }

            return;
        }

        using ScratchLease lease = pool.RentScratch();
        foreach ((int start, int count) in new Blocks(input))
        {
            Tensor block = Block(lease.Buffer, input, count), dRows = dProjected.SliceRows(start, count);
            MatrixProduct.Multiply(kernels, pool, dRows, false, a, false, false, block);
            Mask(pool, block, dropout, start, accumulate: true, accumulateDInput.SliceRows(start, count));
            if (!accumulateDA.IsEmpty)
            {
                Mask(pool, input.SliceRows(start, count), dropout, start, accumulate: false, block);
                MatrixProduct.Multiply(kernels, pool, dRows, true, block, false, true, accumulateDA);
            }
        }
    }

    private static void Check(Tensor input, Tensor a, Tensor b, in Dropout dropout, Tensor projected, Tensor output)
    {
        Operand.Check(input);
        Operand.Check(a, a.Rows, input.Columns);
        Operand.Check(b, output.Columns, a.Rows);
        Operand.Check(projected, input.Rows, a.Rows);
        Operand.Check(output, input.Rows, b.Rows);
        if (!(dropout.Rate >= 0f && dropout.Rate < 1f))
        {
            throw new ArgumentException($"dropout rate {dropout.Rate}: expected 0 to below 1", nameof(dropout));
        }

        if (dropout.IsActive)
        {
            Operand.Check(dropout.RowKeys, DType.Int32, 1, input.Rows);
        }
    }

    /// <summary>destination = drop(source), or += ; rows of both begin with row <paramref name="firstRow"/> of the keys.</summary>
    private static void Mask(WorkerPool pool, Tensor source, in Dropout dropout, int firstRow, bool accumulate, Tensor destination)
    {
        RowChunks chunks = new(source.Rows, source.Columns);
        pool.Run(
            chunks.Count,
            (chunks, source, dropout, firstRow, accumulate, destination),
            static (task, s) =>
            {
                int* keys = s.dropout.RowKeys.Ints(0) + s.firstRow;
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    MaskRow(s.source.Floats(row), s.dropout, keys[row], s.accumulate, s.destination.Floats(row), s.source.Columns);
                }
            });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MaskRow(float* source, in Dropout dropout, int rowKey, bool accumulate, float* destination, int count)
    {
        uint threshold = dropout.Threshold;
        float scale = dropout.Scale;
        Vector256<uint> limit = Vector256.Create(threshold), key = Vector256.Create((uint)rowKey);
        Vector256<uint> column = Vector256.Create(dropout.Key) + (Vector256.Create(0u, 1, 2, 3, 4, 5, 6, 7) * 0x9E3779B9u);
        Vector256<uint> step = Vector256.Create(unchecked(8u * 0x9E3779B9u));
        Vector256<float> factor = Vector256.Create(scale);
        for (int i = 0; i < count; i += 8, column += step)
        {
            int left = count - i;
            Vector256<uint> x = key ^ column;
            x ^= x >>> 16;
            x *= 0x7FEB352Du;
            x ^= x >>> 15;
            x *= 0x846CA68Bu;
            x ^= x >>> 16;
            Vector256<float> kept = Vector256.GreaterThanOrEqual(x, limit).AsSingle() & (VectorMath.Load(source + i, left) * factor);
            VectorMath.Store(accumulate ? VectorMath.Load(destination + i, left) + kept : kept, destination + i, left);
        }
    }

    private static void Scale(WorkerPool pool, float scale, Tensor values)
    {
        RowChunks chunks = new(values.Rows, values.Columns);
        pool.Run(
            chunks.Count,
            (chunks, scale, values),
            static (task, s) =>
            {
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    foreach (ref float value in new Span<float>(s.values.Floats(row), s.values.Columns))
                    {
                        value *= s.scale;
                    }
                }
            });
    }

    private static Tensor Block(ScratchBuffer buffer, Tensor like, int rows) =>
        new((nint)buffer.Floats((nint)rows * like.Columns), DType.Float32, rows, like.Columns);

    /// <summary>Equal runs of rows.</summary>
    private ref struct Blocks(Tensor matrix)
    {
        private readonly int _rows = matrix.Rows;
        private readonly int _size = Math.Max(32, BlockElementCount / Math.Max(matrix.Columns, 1) / 32 * 32);
        private int _start = -1;

        public readonly (int Start, int Count) Current => (_start, Math.Min(_size, _rows - _start));

        public readonly Blocks GetEnumerator() => this;

        public bool MoveNext()
        {
            _start = _start < 0 ? 0 : _start + _size;
            return _start < _rows;
        }
    }
}
