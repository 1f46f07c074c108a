using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

/// <summary>The number of rows of a register tile as a type, so that each count gets its own code without branches.</summary>
internal interface IRowCount
{
    static abstract int Count { get; }
}

/// <summary>
/// The register tile of every product: up to <c>TVector.TileRows</c> rows × two vectors of the destination are held in
/// registers while the inner dimension runs. The left operand is read with any steps, so that it need not be packed.
/// Each element is one chain of fused multiply-adds in ascending order of the inner index: the same bits for every
/// vector width and whatever rows stand around it.
/// </summary>
internal static unsafe class RegisterTile
{
    /// <summary>
    /// destination[i, j] = start[i, j] + Σ over k of left[i · rowStep + k · depthStep] · right[k · rightPitch + j] for i below
    /// <paramref name="rows"/> (any number) and j below 2 · Count. <paramref name="start"/> is null for zero and may be the destination.
    /// <paramref name="after"/> is the destination that will be wanted after this one: it is on its way to the cache meanwhile,
    /// and so are the next lines of <paramref name="ahead"/>, unless that is null.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<TVector>(int rows, int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        for (; rows >= TVector.TileRows; rows -= TVector.TileRows)
        {
            float* next = rows > TVector.TileRows ? destination + (TVector.TileRows * pitch) : after;
            if (TVector.TileRows == 14)
            {
                Tile<TVector, Rows14>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, next, ahead);
            }
            else
            {
                Tile<TVector, Rows6>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, next, ahead);
            }

            left += TVector.TileRows * rowStep;
            start = start == null ? null : start + (TVector.TileRows * startPitch);
            destination += TVector.TileRows * pitch;
        }

        if (rows > 0)
        {
            RunEdge<TVector>(rows, depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RunEdge<TVector>(int rows, int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        switch (rows)
        {
            case 1:
                Tile<TVector, Rows1>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 2:
                Tile<TVector, Rows2>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 3:
                Tile<TVector, Rows3>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 4:
                Tile<TVector, Rows4>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 5:
                Tile<TVector, Rows5>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 6:
                Tile<TVector, Rows6>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 7:
                Tile<TVector, Rows7>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 8:
                Tile<TVector, Rows8>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 9:
                Tile<TVector, Rows9>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 10:
                Tile<TVector, Rows10>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 11:
                Tile<TVector, Rows11>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            case 12:
                Tile<TVector, Rows12>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
            default:
                Tile<TVector, Rows13>(depth, left, rowStep, depthStep, right, rightPitch, start, startPitch, destination, pitch, after, ahead);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TRows>(int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, IRowCount
    {
        Pair<TVector> c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default;
        Pair<TVector> c7 = default, c8 = default, c9 = default, c10 = default, c11 = default, c12 = default, c13 = default;
        if (start != null)
        {
            Load<TVector, TRows>(0, ref start, startPitch, ref c0);
            Load<TVector, TRows>(1, ref start, startPitch, ref c1);
            Load<TVector, TRows>(2, ref start, startPitch, ref c2);
            Load<TVector, TRows>(3, ref start, startPitch, ref c3);
            Load<TVector, TRows>(4, ref start, startPitch, ref c4);
            Load<TVector, TRows>(5, ref start, startPitch, ref c5);
            Load<TVector, TRows>(6, ref start, startPitch, ref c6);
            Load<TVector, TRows>(7, ref start, startPitch, ref c7);
            Load<TVector, TRows>(8, ref start, startPitch, ref c8);
            Load<TVector, TRows>(9, ref start, startPitch, ref c9);
            Load<TVector, TRows>(10, ref start, startPitch, ref c10);
            Load<TVector, TRows>(11, ref start, startPitch, ref c11);
            Load<TVector, TRows>(12, ref start, startPitch, ref c12);
            Load<TVector, TRows>(13, ref start, startPitch, ref c13);
        }

        // Two bases and multiples of the step that fit an address's index keep fourteen row pointers in eight registers.
        float* lower = left + (7 * rowStep);
        nint step2 = 2 * rowStep, step3 = 3 * rowStep, step4 = 4 * rowStep, step5 = 5 * rowStep, step6 = 6 * rowStep;
        // The rows of the destination that comes next are asked for one by one, so that the requests do not queue; then what
        // will be packed. The requests that follow repeat the last one, which costs nothing.
        byte* line = (byte*)after;
        nint lineStep = pitch * sizeof(float);
        int part = Math.Min(depth, TRows.Count);
        byte* aheadLine = line;
        nint aheadStep = 0;
        int aheadCount = ahead == null ? 0 : ahead->Take(depth - part, out aheadLine, out aheadStep);
        while (part > 0)
        {
            depth -= part;
            for (; part > 0; part--)
            {
                if (Sse.IsSupported)
                {
                    Sse.Prefetch0(line);
                    Sse.Prefetch0(line + PrefetchQueue.LineByteCount);
                    line += lineStep;
                }

                TVector l = TVector.Load(right);
                TVector r = TVector.Load(right + TVector.Count);
                AddProduct<TVector, TRows>(0, left, l, r, ref c0);
                AddProduct<TVector, TRows>(1, left + rowStep, l, r, ref c1);
                AddProduct<TVector, TRows>(2, left + step2, l, r, ref c2);
                AddProduct<TVector, TRows>(3, left + step3, l, r, ref c3);
                AddProduct<TVector, TRows>(4, left + step4, l, r, ref c4);
                AddProduct<TVector, TRows>(5, left + step5, l, r, ref c5);
                AddProduct<TVector, TRows>(6, left + step6, l, r, ref c6);
                AddProduct<TVector, TRows>(7, lower, l, r, ref c7);
                AddProduct<TVector, TRows>(8, lower + rowStep, l, r, ref c8);
                AddProduct<TVector, TRows>(9, lower + step2, l, r, ref c9);
                AddProduct<TVector, TRows>(10, lower + step3, l, r, ref c10);
                AddProduct<TVector, TRows>(11, lower + step4, l, r, ref c11);
                AddProduct<TVector, TRows>(12, lower + step5, l, r, ref c12);
                AddProduct<TVector, TRows>(13, lower + step6, l, r, ref c13);
                left += depthStep;
                lower += depthStep;
                right += rightPitch;
            }

            part = aheadCount > 0 ? aheadCount : depth;
            lineStep = aheadCount > 0 ? aheadStep : 0;
            line = aheadCount > 0 ? aheadLine : line;
            aheadCount = 0;
        }

        Store<TVector, TRows>(0, ref destination, pitch, c0);
        Store<TVector, TRows>(1, ref destination, pitch, c1);
        Store<TVector, TRows>(2, ref destination, pitch, c2);
        Store<TVector, TRows>(3, ref destination, pitch, c3);
        Store<TVector, TRows>(4, ref destination, pitch, c4);
        Store<TVector, TRows>(5, ref destination, pitch, c5);
        Store<TVector, TRows>(6, ref destination, pitch, c6);
        Store<TVector, TRows>(7, ref destination, pitch, c7);
        Store<TVector, TRows>(8, ref destination, pitch, c8);
        Store<TVector, TRows>(9, ref destination, pitch, c9);
        Store<TVector, TRows>(10, ref destination, pitch, c10);
        Store<TVector, TRows>(11, ref destination, pitch, c11);
        Store<TVector, TRows>(12, ref destination, pitch, c12);
        Store<TVector, TRows>(13, ref destination, pitch, c13);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Load<TVector, TRows>(int row, ref float* source, nint pitch, ref Pair<TVector> sum)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, IRowCount
    {
        if (TRows.Count > row)
        {
            sum.Left = TVector.Load(source);
            sum.Right = TVector.Load(source + TVector.Count);
            source += pitch;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddProduct<TVector, TRows>(int row, float* left, TVector l, TVector r, ref Pair<TVector> sum)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, IRowCount
    {
        if (TRows.Count > row)
        {
            TVector x = TVector.Broadcast(*left);
            sum.Left.AddProduct(x, l);
            sum.Right.AddProduct(x, r);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TVector, TRows>(int row, ref float* destination, nint pitch, in Pair<TVector> sum)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, IRowCount
    {
        if (TRows.Count > row)
        {
            sum.Left.Store(destination);
            sum.Right.Store(destination + TVector.Count);
            destination += pitch;
        }
    }

    /// <summary>One row of the tile.</summary>
    private struct Pair<TVector>
        where TVector : unmanaged
    {
        public TVector Left;
        public TVector Right;
    }

    private readonly struct Rows1 : IRowCount
    {
        public static int Count => 1;
    }

    private readonly struct Rows2 : IRowCount
    {
        public static int Count => 2;
    }

    private readonly struct Rows3 : IRowCount
    {
        public static int Count => 3;
    }

    private readonly struct Rows4 : IRowCount
    {
        public static int Count => 4;
    }

    private readonly struct Rows5 : IRowCount
    {
        public static int Count => 5;
    }

    private readonly struct Rows6 : IRowCount
    {
        public static int Count => 6;
    }

    private readonly struct Rows7 : IRowCount
    {
        public static int Count => 7;
    }

    private readonly struct Rows8 : IRowCount
    {
        public static int Count => 8;
    }

    private readonly struct Rows9 : IRowCount
    {
        public static int Count => 9;
    }

    private readonly struct Rows10 : IRowCount
    {
        public static int Count => 10;
    }

    private readonly struct Rows11 : IRowCount
    {
        public static int Count => 11;
    }

    private readonly struct Rows12 : IRowCount
    {
        public static int Count => 12;
    }

    private readonly struct Rows13 : IRowCount
    {
        public static int Count => 13;
    }

    private readonly struct Rows14 : IRowCount
    {
        public static int Count => 14;
    }
}
