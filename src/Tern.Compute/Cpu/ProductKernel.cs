using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

/// <summary>
/// How products of one precision are done: how both operands are laid out, and the tiles that multiply them. The loops
/// around (<see cref="MatrixProductBlock"/>, <see cref="MaxPoolProductBlock"/>) are the same for all.
/// </summary>
internal unsafe interface IProductKernel
{
    /// <summary>Rows that a tile takes at once; blocks of rows are multiples of it.</summary>
    static abstract int TileRows { get; }

    /// <summary>Columns of a panel.</summary>
    static abstract int TileColumns { get; }

    /// <summary>The most of the inner dimension that is multiplied at once; a multiple of <see cref="DepthUnit"/>.</summary>
    static abstract int MaxDepthStep { get; }

    /// <summary>Neighbours in the inner dimension that are stored side by side.</summary>
    static abstract int DepthUnit { get; }

    /// <summary>Bytes of <paramref name="rows"/> rows of the left operand, laid out.</summary>
    static abstract nint LeftByteCount(int rows, int depth);

    /// <summary>Bytes of one panel of the right operand.</summary>
    static abstract nint PanelByteCount(int depth);

    /// <summary>Lays out rows of the left operand.</summary>
    static abstract void PackLeft(Tensor left, int row, int count, int k, int depth, byte* destination);

    /// <summary>
    /// Lays out columns of a left operand that is stored transposed: of the elements k to k + <paramref name="depth"/> only
    /// <paramref name="part"/>, from <paramref name="first"/> on, a multiple of <see cref="DepthUnit"/>.
    /// </summary>
    static abstract void PackLeftColumns(Tensor left, int column, int count, int k, int depth, int first, int part, byte* destination);

    /// <summary>Lays out columns of op(right), panel after panel.</summary>
    static abstract void PackRight(Tensor right, bool transpose, int column, int count, int k, int depth, byte* destination);

    /// <summary>
    /// destination = start + left · panel for <paramref name="rows"/> rows from the row <paramref name="row"/> of what <see cref="PackLeft"/>
    /// laid out, or <see cref="PackLeftColumns"/>, where it is a multiple of <see cref="TileRows"/>; whole panels are written. <paramref name="start"/> is null for zero and may be the destination.
    /// <paramref name="after"/> is the destination of the call that follows; <paramref name="ahead"/>, unless null, what is asked for meanwhile.
    /// </summary>
    static abstract void Multiply(byte* left, int row, int rows, bool transposed, int depth, byte* panel, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead);
}

/// <summary>Float32 with one chain of fused multiply-adds for each element.</summary>
internal readonly unsafe struct Float32Kernel<TVector> : IProductKernel
    where TVector : unmanaged, IFloatVector<TVector>
{
    public static int TileRows => TVector.TileRows;

    public static int TileColumns => 2 * TVector.Count;

    // Sums are loaded and stored once a step: a panel streams from the second cache more cheaply than sums come and go.
    public static int MaxDepthStep => TVector.Count == 16 ? 512 : 384;

    public static int DepthUnit => 1;

    // Floats side by side of a left operand that is stored transposed: a tile's rows, in whole vectors.
    private static int ColumnStep => TVector.TileRows == 14 ? 16 : 8;

    public static nint LeftByteCount(int rows, int depth) =>
        Math.Max(rows * RowPitch(depth), (nint)((rows + TileRows - 1) / TileRows) * ColumnStep * depth) * sizeof(float);

    public static nint PanelByteCount(int depth) => (nint)depth * TileColumns * sizeof(float);

    public static void PackLeft(Tensor left, int row, int count, int k, int depth, byte* destination) =>
        Packing.CopyRows(left.Floats(row) + k, left.RowPitch, count, depth, (float*)destination, RowPitch(depth));

    public static void PackLeftColumns(Tensor left, int column, int count, int k, int depth, int first, int part, byte* destination) =>
        Packing.CopyColumns(left.Floats(k + first) + column, left.RowPitch, count, TileRows, ColumnStep, part, (float*)destination + (first * ColumnStep), (nint)depth * ColumnStep);

    public static void PackRight(Tensor right, bool transpose, int column, int count, int k, int depth, byte* destination) =>
        Packing.PackRight(right, transpose, column, count, k, depth, TileColumns, (float*)destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Multiply(byte* left, int row, int rows, bool transposed, int depth, byte* panel, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead)
    {
        float* first = (float*)left;
        if (!transposed)
        {
            nint rowPitch = RowPitch(depth);
            RegisterTile.Run<TVector>(rows, depth, first + (row * rowPitch), rowPitch, 1, (float*)panel, TileColumns, start, startPitch, destination, pitch, after, ahead);
            return;
        }

        first += (nint)(row / TileRows) * ColumnStep * depth;
        for (int i = 0; i < rows; i += TileRows)
        {
            int count = Math.Min(TileRows, rows - i);
            RegisterTile.Run<TVector>(count, depth, first, 1, ColumnStep, (float*)panel, TileColumns, start == null ? null : start + (i * startPitch), startPitch, destination + (i * pitch), pitch, i + TileRows < rows ? destination + ((i + TileRows) * pitch) : after, ahead);
            first += (nint)ColumnStep * depth;
        }
    }

    // Rows begin in different sets of the first cache, whatever the depth.
    private static nint RowPitch(int depth) => (((nint)depth + 15) & ~15) + (depth % 256 < 16 || depth % 128 < 16 ? 16 : 0);
}
