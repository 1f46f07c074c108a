using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

/// <summary>The number of rows of a register tile as a type, so that each count gets its own code without branches.</summary>
internal interface IRowCount
{
    static abstract int Count { get; }
}

/// <summary>
/// The register tile: rows × two vectors of the destination are held in registers while the inner dimension runs. Each
/// element is one chain of fused multiply-adds in ascending order of the inner index.
/// </summary>
internal static unsafe class MatrixProductTile
{
    /// <summary>
    /// destination[i, j] = Σ over k of left[k · TileRows + i] · right[k · 2 · Count + j] for i below <paramref name="rows"/> and j
    /// below 2 · Count, both operands packed; with <paramref name="accumulate"/> the chain begins at the destination's element.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<TVector>(int rows, int depth, float* left, float* right, float* destination, nint pitch, bool accumulate)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        if (rows == TVector.TileRows)
        {
            if (TVector.TileRows == 14)
            {
                Run<TVector, Rows14>(depth, left, right, destination, pitch, accumulate);
            }
            else
            {
                Run<TVector, Rows6>(depth, left, right, destination, pitch, accumulate);
            }
        }
        else
        {
            RunEdge<TVector>(rows, depth, left, right, destination, pitch, accumulate);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RunEdge<TVector>(int rows, int depth, float* left, float* right, float* destination, nint pitch, bool accumulate)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        switch (rows)
        {
            case 1:
                Run<TVector, Rows1>(depth, left, right, destination, pitch, accumulate);
                break;
            case 2:
                Run<TVector, Rows2>(depth, left, right, destination, pitch, accumulate);
                break;
            case 3:
                Run<TVector, Rows3>(depth, left, right, destination, pitch, accumulate);
                break;
            case 4:
                Run<TVector, Rows4>(depth, left, right, destination, pitch, accumulate);
                break;
            case 5:
                Run<TVector, Rows5>(depth, left, right, destination, pitch, accumulate);
                break;
            case 6:
                Run<TVector, Rows6>(depth, left, right, destination, pitch, accumulate);
                break;
            case 7:
                Run<TVector, Rows7>(depth, left, right, destination, pitch, accumulate);
                break;
            case 8:
                Run<TVector, Rows8>(depth, left, right, destination, pitch, accumulate);
                break;
            case 9:
                Run<TVector, Rows9>(depth, left, right, destination, pitch, accumulate);
                break;
            case 10:
                Run<TVector, Rows10>(depth, left, right, destination, pitch, accumulate);
                break;
            case 11:
                Run<TVector, Rows11>(depth, left, right, destination, pitch, accumulate);
                break;
            case 12:
                Run<TVector, Rows12>(depth, left, right, destination, pitch, accumulate);
                break;
            case 13:
                Run<TVector, Rows13>(depth, left, right, destination, pitch, accumulate);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(rows), rows, "a register tile has 1 to 14 rows");
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<TVector, TRows>(int depth, float* left, float* right, float* destination, nint pitch, bool accumulate)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, IRowCount
    {
        TVector c0l = default, c0r = default;
        TVector c1l = default, c1r = default;
        TVector c2l = default, c2r = default;
        TVector c3l = default, c3r = default;
        TVector c4l = default, c4r = default;
        TVector c5l = default, c5r = default;
        TVector c6l = default, c6r = default;
        TVector c7l = default, c7r = default;
        TVector c8l = default, c8r = default;
        TVector c9l = default, c9r = default;
        TVector c10l = default, c10r = default;
        TVector c11l = default, c11r = default;
        TVector c12l = default, c12r = default;
        TVector c13l = default, c13r = default;
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

            if (TRows.Count > 6)
            {
                row += pitch;
                c6l = TVector.Load(row);
                c6r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 7)
            {
                row += pitch;
                c7l = TVector.Load(row);
                c7r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 8)
            {
                row += pitch;
                c8l = TVector.Load(row);
                c8r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 9)
            {
                row += pitch;
                c9l = TVector.Load(row);
                c9r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 10)
            {
                row += pitch;
                c10l = TVector.Load(row);
                c10r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 11)
            {
                row += pitch;
                c11l = TVector.Load(row);
                c11r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 12)
            {
                row += pitch;
                c12l = TVector.Load(row);
                c12r = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 13)
            {
                row += pitch;
                c13l = TVector.Load(row);
                c13r = TVector.Load(row + TVector.Count);
            }
        }

        for (; depth > 0; depth--)
        {
            TVector rl = TVector.Load(right);
            TVector rr = TVector.Load(right + TVector.Count);
            TVector x = TVector.Broadcast(left[0]);
            c0l.AddProduct(x, rl);
            c0r.AddProduct(x, rr);

            if (TRows.Count > 1)
            {
                x = TVector.Broadcast(left[1]);
                c1l.AddProduct(x, rl);
                c1r.AddProduct(x, rr);
            }

            if (TRows.Count > 2)
            {
                x = TVector.Broadcast(left[2]);
                c2l.AddProduct(x, rl);
                c2r.AddProduct(x, rr);
            }

            if (TRows.Count > 3)
            {
                x = TVector.Broadcast(left[3]);
                c3l.AddProduct(x, rl);
                c3r.AddProduct(x, rr);
            }

            if (TRows.Count > 4)
            {
                x = TVector.Broadcast(left[4]);
                c4l.AddProduct(x, rl);
                c4r.AddProduct(x, rr);
            }

            if (TRows.Count > 5)
            {
                x = TVector.Broadcast(left[5]);
                c5l.AddProduct(x, rl);
                c5r.AddProduct(x, rr);
            }

            if (TRows.Count > 6)
            {
                x = TVector.Broadcast(left[6]);
                c6l.AddProduct(x, rl);
                c6r.AddProduct(x, rr);
            }

            if (TRows.Count > 7)
            {
                x = TVector.Broadcast(left[7]);
                c7l.AddProduct(x, rl);
                c7r.AddProduct(x, rr);
            }

            if (TRows.Count > 8)
            {
                x = TVector.Broadcast(left[8]);
                c8l.AddProduct(x, rl);
                c8r.AddProduct(x, rr);
            }

            if (TRows.Count > 9)
            {
                x = TVector.Broadcast(left[9]);
                c9l.AddProduct(x, rl);
                c9r.AddProduct(x, rr);
            }

            if (TRows.Count > 10)
            {
                x = TVector.Broadcast(left[10]);
                c10l.AddProduct(x, rl);
                c10r.AddProduct(x, rr);
            }

            if (TRows.Count > 11)
            {
                x = TVector.Broadcast(left[11]);
                c11l.AddProduct(x, rl);
                c11r.AddProduct(x, rr);
            }

            if (TRows.Count > 12)
            {
                x = TVector.Broadcast(left[12]);
                c12l.AddProduct(x, rl);
                c12r.AddProduct(x, rr);
            }

            if (TRows.Count > 13)
            {
                x = TVector.Broadcast(left[13]);
                c13l.AddProduct(x, rl);
                c13r.AddProduct(x, rr);
            }

            left += TVector.TileRows;
            right += 2 * TVector.Count;
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

        if (TRows.Count > 6)
        {
            row += pitch;
            c6l.Store(row);
            c6r.Store(row + TVector.Count);
        }

        if (TRows.Count > 7)
        {
            row += pitch;
            c7l.Store(row);
            c7r.Store(row + TVector.Count);
        }

        if (TRows.Count > 8)
        {
            row += pitch;
            c8l.Store(row);
            c8r.Store(row + TVector.Count);
        }

        if (TRows.Count > 9)
        {
            row += pitch;
            c9l.Store(row);
            c9r.Store(row + TVector.Count);
        }

        if (TRows.Count > 10)
        {
            row += pitch;
            c10l.Store(row);
            c10r.Store(row + TVector.Count);
        }

        if (TRows.Count > 11)
        {
            row += pitch;
            c11l.Store(row);
            c11r.Store(row + TVector.Count);
        }

        if (TRows.Count > 12)
        {
            row += pitch;
            c12l.Store(row);
            c12r.Store(row + TVector.Count);
        }

        if (TRows.Count > 13)
        {
            row += pitch;
            c13l.Store(row);
            c13r.Store(row + TVector.Count);
        }
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
