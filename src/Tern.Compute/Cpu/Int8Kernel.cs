namespace Tern.Compute.Cpu;

/// <summary>Weights and activations in 8 bits with a scale for each column and row, by the native library. The whole depth at once, as a scale belongs to a whole row.</summary>
internal readonly unsafe struct Int8Kernel : IProductKernel
{
    private const int RowHeader = 64;

    public static int TileRows => NativeKernels.TileRows;

    public static int TileColumns => NativeKernels.TileColumns;

    public static int MaxDepthStep => 1 << 20;

    public static int DepthUnit => 4;

    public static nint LeftByteCount(int rows, int depth) => rows * RowPitch(depth);

    // Four neighbours side by side; behind them scales and corrections.
    public static nint PanelByteCount(int depth) => ((nint)((depth + 3) / 4) * TileColumns * sizeof(int)) + (2 * TileColumns * sizeof(float));

    public static void PackLeft(Tensor left, int row, int count, int k, int depth, byte* destination) =>
        NativeKernels.PackRowsInt8(left.Floats(row) + k, left.RowPitch, count, depth, destination, RowPitch(depth));

    public static void PackLeftColumns(Tensor left, int column, int count, int k, int depth, int first, int part, byte* destination) =>
        throw new NotSupportedException("int8 products take rows as they are");

    public static void PackRight(Tensor right, bool transpose, int column, int count, int k, int depth, byte* destination)
    {
        if (!transpose)
        {
            throw new NotSupportedException("int8 products take weights with an output in each row");
        }

        int size = right.DType.ByteSize();
        for (int j = 0; j < count; j += TileColumns)
        {
            byte* source = (byte*)right.Address + ((((nint)(column + j) * right.RowPitch) + k) * size);
            NativeKernels.PackPanelInt8(source, size, right.RowPitch, Math.Min(TileColumns, count - j), depth, destination);
            destination += PanelByteCount(depth);
        }
    }

    public static void Multiply(byte* left, int row, int rows, bool transposed, int depth, byte* panel, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead) =>
        NativeKernels.MultiplyInt8(left + (row * RowPitch(depth)), RowPitch(depth), rows, depth, panel, start, startPitch, destination, pitch);

    // Whole vectors and the header: an odd number of cache lines, so that rows begin in different sets of the first cache.
    private static nint RowPitch(int depth) => (RowHeader + Rounding.ToCacheLines(depth)) | 64;
}
