using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

internal static unsafe partial class Packing
{
    /// <summary>
    /// Rows of op(left) in panels of <paramref name="width"/> rows: the panel of row i starts at destination + i · depth.
    /// Rows beyond <paramref name="count"/> in the last panel are zero.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackLeft(Tensor left, bool transposeLeft, int row, int count, int k, int depth, int width, float* destination)
    {
        nint pitch = (nint)left.RowPitch * sizeof(float);
        byte* source = (byte*)left.Address;
        if (transposeLeft)
        {
            CopyPanels<Float32Reader>(source + (k * pitch) + ((nint)row * sizeof(float)), pitch, count, width, depth, destination);
            return;
        }

        source += (row * pitch) + ((nint)k * sizeof(float));
        for (int i = 0; i < count; i += width)
        {
            TransposePanel<Float32Reader>(source + (i * pitch), pitch, Math.Min(width, count - i), width, depth, destination + ((nint)i * depth));
        }
    }

    /// <summary>
    /// Columns of op(right), Float32 or BFloat16, in panels of <paramref name="width"/> columns: the panel of column j starts at
    /// destination + j · depth. Columns beyond <paramref name="count"/> in the last panel are zero.
    /// </summary>
    public static void PackRight(Tensor right, bool transposeRight, int column, int count, int k, int depth, int width, float* destination)
    {
        if (right.DType == DType.BFloat16)
        {
            PackRight<BFloat16Reader>(right, transposeRight, column, count, k, depth, width, destination);
        }
        else
        {
            PackRight<Float32Reader>(right, transposeRight, column, count, k, depth, width, destination);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackRight<TReader>(Tensor right, bool transposeRight, int column, int count, int k, int depth, int width, float* destination)
        where TReader : IElementReader
    {
        nint pitch = (nint)right.RowPitch * TReader.ByteSize;
        byte* source = (byte*)right.Address;
        if (!transposeRight)
        {
            CopyPanels<TReader>(source + (k * pitch) + ((nint)column * TReader.ByteSize), pitch, count, width, depth, destination);
            return;
        }

        source += (column * pitch) + ((nint)k * TReader.ByteSize);
        for (int j = 0; j < count; j += width)
        {
            TransposePanel<TReader>(source + (j * pitch), pitch, Math.Min(width, count - j), width, depth, destination + ((nint)j * depth));
        }
    }
}
