namespace Tern.Compute.Cpu;

/// <summary>Both operands rounded to bfloat16, sums of pairs in Float32, by the native library.</summary>
internal readonly unsafe struct BFloat16Kernel : IProductKernel
{
    // Bytes of sixteen units of a left operand that is stored transposed: one pair of k for a tile's rows.
    private const int UnitGroup = 64;

    public static int TileRows => NativeKernels.TileRows;

    public static int TileColumns => NativeKernels.TileColumns;

    public static int MaxDepthStep => 1024;

    public static int DepthUnit => 2;

    public static nint LeftByteCount(int rows, int depth) =>
        Math.Max(rows * RowPitch(depth), (rows + TileRows - 1) / TileRows * ColumnPanelPitch(depth));

    public static nint PanelByteCount(int depth) => (nint)((depth + 1) / 2) * TileColumns * sizeof(int);

    public static void PackLeft(Tensor left, int row, int count, int k, int depth, byte* destination) =>
        NativeKernels.PackRowsBFloat16(left.Floats(row) + k, left.RowPitch, count, depth, destination, RowPitch(depth));

    public static void PackLeftColumns(Tensor left, int column, int count, int k, int depth, int first, int part, byte* destination) =>
        NativeKernels.PackColumnsBFloat16(left.Floats(k + first) + column, left.RowPitch, count, part, destination + (first / 2 * UnitGroup), ColumnPanelPitch(depth));

    public static void PackRight(Tensor right, bool transpose, int column, int count, int k, int depth, byte* destination)
    {
        int size = right.DType.ByteSize();
        (int row, int first) = transpose ? (column, k) : (k, column);
        byte* source = (byte*)right.Address + ((((nint)row * right.RowPitch) + first) * size);
        nint step = (nint)TileColumns * size * (transpose ? right.RowPitch : 1);
        for (int j = 0; j < count; j += TileColumns)
        {
            NativeKernels.PackPanelBFloat16(source, size, right.RowPitch, transpose ? 1 : 0, Math.Min(TileColumns, count - j), depth, destination);
            source += step;
            destination += PanelByteCount(depth);
        }
    }

    public static void Multiply(byte* left, int row, int rows, bool transposed, int depth, byte* panel, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead)
    {
        if (!transposed)
        {
            NativeKernels.MultiplyBFloat16(left + (row * RowPitch(depth)), RowPitch(depth), sizeof(int), rows, depth, panel, start, startPitch, destination, pitch, after, ahead);
            return;
        }

        left += row / TileRows * ColumnPanelPitch(depth);
        for (int i = 0; i < rows; i += TileRows)
        {
            NativeKernels.MultiplyBFloat16(left, sizeof(int), UnitGroup, Math.Min(TileRows, rows - i), depth, panel, start == null ? null : start + (i * startPitch), startPitch, destination + (i * pitch), pitch, i + TileRows < rows ? destination + ((i + TileRows) * pitch) : after, ahead);
            left += ColumnPanelPitch(depth);
        }
    }

    private static nint ColumnPanelPitch(int depth) => (nint)UnitGroup * ((depth + 1) / 2);

    // Whole vectors, and an odd number of cache lines, so that rows begin in different sets of the first cache.
    public static nint RowPitch(int depth) => Rounding.ToCacheLines((nint)depth * 2) | 64;
}
