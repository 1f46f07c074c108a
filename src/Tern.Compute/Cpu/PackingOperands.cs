namespace Tern.Compute.Cpu;

internal static unsafe partial class Packing
{
    /// <summary>
    /// Rows of op(left) in panels of <paramref name="width"/> rows: the panel of row i starts at destination + i · depth.
    /// Rows beyond <paramref name="count"/> in the last panel are zero.
    /// </summary>
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

    /// <summary>Columns of op(right) in one panel, Float32 or BFloat16; those beyond <paramref name="count"/> are zero.</summary>
    public static void PackRight(Tensor right, bool transposeRight, int column, int count, int k, int depth, int width, float* destination)
    {
        nint elementSize = right.DType.ByteSize();
        nint pitch = right.RowPitch * elementSize;
        byte* source = (byte*)right.Address + (transposeRight ? (column * pitch) + (k * elementSize) : (k * pitch) + (column * elementSize));
        switch (transposeRight, right.DType)
        {
            case (true, DType.BFloat16):
                TransposePanel<BFloat16Reader>(source, pitch, count, width, depth, destination);
                break;
            case (true, _):
                TransposePanel<Float32Reader>(source, pitch, count, width, depth, destination);
                break;
            case (false, DType.BFloat16):
                CopyPanels<BFloat16Reader>(source, pitch, count, width, depth, destination);
                break;
            default:
                CopyPanels<Float32Reader>(source, pitch, count, width, depth, destination);
                break;
        }
    }
}
