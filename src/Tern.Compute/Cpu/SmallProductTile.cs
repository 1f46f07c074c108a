using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

/// <summary>
/// Products of small operands where they lie in the cache, with any steps through the left one: a register tile of up to
/// six rows × two vectors. Each element is one chain of fused multiply-adds in ascending order of the inner index, so it
/// is the same bits for every vector width and whatever rows stand around it.
/// </summary>
internal static unsafe class SmallProductTile
{
    private const int TileRows = 6;

    /// <summary>
    /// destination[i, j] = Σ over k of left[i · rowStep + k · depthStep] · right[k · rightPitch + j] for i below
    /// <paramref name="rows"/> and j below 2 · Count; with <paramref name="accumulate"/> the chain begins at the destination's element.
    /// </summary>
    public static void Run<TVector>(int rows, int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* destination, nint pitch, bool accumulate)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        for (; rows >= TileRows; rows -= TileRows)
        {
            Tile<TVector, Six>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate);
            left += TileRows * rowStep;
            destination += TileRows * pitch;
        }

        switch (rows)
        {
            case 1:
                Tile<TVector, One>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate);
                break;
            case 2:
                Tile<TVector, Two>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate);
                break;
            case 3:
                Tile<TVector, Three>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate);
                break;
            case 4:
                Tile<TVector, Four>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate);
                break;
            case 5:
                Tile<TVector, Five>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TRows>(int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* destination, nint pitch, bool accumulate)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, IRowCount
    {
        TVector c0l = default, c0r = default, c1l = default, c1r = default, c2l = default, c2r = default;
        TVector c3l = default, c3r = default, c4l = default, c4r = default, c5l = default, c5r = default;
        float* row = destination;
        if (accumulate)
        {
            c0l = TVector.Load(row);
            c0r = TVector.Load(row + TVector.Count);
            if (TRows.Count > 1)
            {
                row += pitch;
                c1l = TVector.Load(row);
                c1r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 2)
            {
                row += pitch;
                c2l = TVector.Load(row);
                c2r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 3)
            {
                row += pitch;
                c3l = TVector.Load(row);
                c3r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 4)
            {
                row += pitch;
                c4l = TVector.Load(row);
                c4r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 5)
            {
                row += pitch;
                c5l = TVector.Load(row);
                c5r = TVector.Load(row + TVector.Count);
            }
        }

        // Two bases and multiples of the step that fit an address's index keep six row pointers in four registers.
        float* lower = left + (3 * rowStep);
        nint twice = 2 * rowStep;
        for (; depth > 0; depth--)
        {
            TVector rl = TVector.Load(right);
            TVector rr = TVector.Load(right + TVector.Count);
            TVector x = TVector.Broadcast(left[0]);
            c0l.AddProduct(x, rl);
            c0r.AddProduct(x, rr);
            if (TRows.Count > 1)
            {
                x = TVector.Broadcast(left[rowStep]);
                c1l.AddProduct(x, rl);
                c1r.AddProduct(x, rr);
            }

            if (TRows.Count > 2)
            {
                x = TVector.Broadcast(left[twice]);
                c2l.AddProduct(x, rl);
                c2r.AddProduct(x, rr);
            }

            if (TRows.Count > 3)
            {
                x = TVector.Broadcast(lower[0]);
                c3l.AddProduct(x, rl);
                c3r.AddProduct(x, rr);
            }

            if (TRows.Count > 4)
            {
                x = TVector.Broadcast(lower[rowStep]);
                c4l.AddProduct(x, rl);
                c4r.AddProduct(x, rr);
            }

            if (TRows.Count > 5)
            {
                x = TVector.Broadcast(lower[twice]);
                c5l.AddProduct(x, rl);
                c5r.AddProduct(x, rr);
            }

            left += depthStep;
            lower += depthStep;
            right += rightPitch;
        }

        row = destination;
        c0l.Store(row);
        c0r.Store(row + TVector.Count);
        if (TRows.Count > 1)
        {
            row += pitch;
            c1l.Store(row);
            c1r.Store(row + TVector.Count);
        }

        if (TRows.Count > 2)
        {
            row += pitch;
            c2l.Store(row);
            c2r.Store(row + TVector.Count);
        }

        if (TRows.Count > 3)
        {
            row += pitch;
            c3l.Store(row);
            c3r.Store(row + TVector.Count);
        }

        if (TRows.Count > 4)
        {
            row += pitch;
            c4l.Store(row);
            c4r.Store(row + TVector.Count);
        }

        if (TRows.Count > 5)
        {
            row += pitch;
            c5l.Store(row);
            c5r.Store(row + TVector.Count);
        }
    }

    private readonly struct One : IRowCount
    {
        public static int Count => 1;
    }

    private readonly struct Two : IRowCount
    {
        public static int Count => 2;
    }

    private readonly struct Three : IRowCount
    {
        public static int Count => 3;
    }

    private readonly struct Four : IRowCount
    {
        public static int Count => 4;
    }

    private readonly struct Five : IRowCount
    {
        public static int Count => 5;
    }

    private readonly struct Six : IRowCount
    {
        public static int Count => 6;
    }
}
