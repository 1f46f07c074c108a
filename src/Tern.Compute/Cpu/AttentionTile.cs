using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

/// <summary>
/// The products of attention where their operands lie in the cache, with any steps through the left one: a register tile
/// of up to six rows × two vectors, rows shared out evenly among tiles. Each element is one chain of fused multiply-adds
/// in ascending order of the inner index, so it is the same bits for every vector width and whatever rows stand around it.
/// </summary>
internal static unsafe class AttentionTile
{
    /// <summary>Rows of a register tile.</summary>
    public const int MaxRows = 6;

    /// <summary>
    /// destination[i, j] = Σ over k of left[i · rowStep + k · depthStep] · right[k · rightPitch + j] for i below
    /// <paramref name="rows"/> and j below <paramref name="columns"/>, a multiple of the vector width. With
    /// <paramref name="accumulate"/> the chain begins at the destination's element; row factors, unless null, multiply its end.
    /// </summary>
    public static void Run<TVector>(Triangle triangle, int rows, int depth, int columns, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* destination, nint pitch, bool accumulate, float* rowFactors)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int tiles = (rows + MaxRows - 1) / MaxRows;
        for (int tile = 0, first = 0; tile < tiles; tile++)
        {
            int height = (rows - first + tiles - tile - 1) / (tiles - tile);
            int skip = triangle == Triangle.Upper ? first : 0;
            int end = triangle == Triangle.Lower ? depth - (rows - first - height) : depth;
            float* x = left + (first * rowStep) + (skip * depthStep);
            float* y = right + (skip * rightPitch);
            float* factors = rowFactors == null ? null : rowFactors + first;
            float* z = destination + (first * pitch);
            int j = 0;
            for (; j + (2 * TVector.Count) <= columns; j += 2 * TVector.Count)
            {
                RunRows<TVector, Two>(height, end - skip, x, rowStep, depthStep, y + j, rightPitch, z + j, pitch, accumulate, factors);
            }

            if (j < columns)
            {
                RunRows<TVector, One>(height, end - skip, x, rowStep, depthStep, y + j, rightPitch, z + j, pitch, accumulate, factors);
            }

            first += height;
        }
    }

    private static void RunRows<TVector, TColumns>(int rows, int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* destination, nint pitch, bool accumulate, float* rowFactors)
        where TVector : unmanaged, IFloatVector<TVector>
        where TColumns : struct, ICount
    {
        switch (rows)
        {
            case 1:
                Tile<TVector, One, TColumns>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate, rowFactors);
                break;
            case 2:
                Tile<TVector, Two, TColumns>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate, rowFactors);
                break;
            case 3:
                Tile<TVector, Three, TColumns>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate, rowFactors);
                break;
            case 4:
                Tile<TVector, Four, TColumns>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate, rowFactors);
                break;
            case 5:
                Tile<TVector, Five, TColumns>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate, rowFactors);
                break;
            case 6:
                Tile<TVector, Six, TColumns>(depth, left, rowStep, depthStep, right, rightPitch, destination, pitch, accumulate, rowFactors);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<TVector, TRows, TColumns>(int depth, float* left, nint rowStep, nint depthStep, float* right, nint rightPitch, float* destination, nint pitch, bool accumulate, float* rowFactors)
        where TVector : unmanaged, IFloatVector<TVector>
        where TRows : struct, ICount
        where TColumns : struct, ICount
    {
        TVector cl0 = default, cl1 = default, cl2 = default, cl3 = default, cl4 = default, cl5 = default;
        TVector cr0 = default, cr1 = default, cr2 = default, cr3 = default, cr4 = default, cr5 = default;
        float* row = destination;
        if (accumulate)
        {
            cl0 = TVector.Load(row);
            if (TColumns.Count > 1)
            {
                cr0 = TVector.Load(row + TVector.Count);
            }

            if (TRows.Count > 1)
            {
                row += pitch;
                cl1 = TVector.Load(row);
                if (TColumns.Count > 1)
                {
                    cr1 = TVector.Load(row + TVector.Count);
                }
            }

            if (TRows.Count > 2)
            {
                row += pitch;
                cl2 = TVector.Load(row);
                if (TColumns.Count > 1)
                {
                    cr2 = TVector.Load(row + TVector.Count);
                }
            }

            if (TRows.Count > 3)
            {
                row += pitch;
                cl3 = TVector.Load(row);
                if (TColumns.Count > 1)
                {
                    cr3 = TVector.Load(row + TVector.Count);
                }
            }

            if (TRows.Count > 4)
            {
                row += pitch;
                cl4 = TVector.Load(row);
                if (TColumns.Count > 1)
                {
                    cr4 = TVector.Load(row + TVector.Count);
                }
            }

            if (TRows.Count > 5)
            {
                row += pitch;
                cl5 = TVector.Load(row);
                if (TColumns.Count > 1)
                {
                    cr5 = TVector.Load(row + TVector.Count);
                }
            }
        }

        // Two bases and multiples of the step that fit an address's index keep six row pointers in four registers.
        float* lower = left + (3 * rowStep);
        nint twice = 2 * rowStep;
        for (; depth > 0; depth--)
        {
            TVector rl = TVector.Load(right);
            TVector rr = TColumns.Count > 1 ? TVector.Load(right + TVector.Count) : default;
            TVector x = TVector.Broadcast(left[0]);
            cl0.AddProduct(x, rl);
            if (TColumns.Count > 1)
            {
                cr0.AddProduct(x, rr);
            }

            if (TRows.Count > 1)
            {
                x = TVector.Broadcast(left[rowStep]);
                cl1.AddProduct(x, rl);
                if (TColumns.Count > 1)
                {
                    cr1.AddProduct(x, rr);
                }
            }

            if (TRows.Count > 2)
            {
                x = TVector.Broadcast(left[twice]);
                cl2.AddProduct(x, rl);
                if (TColumns.Count > 1)
                {
                    cr2.AddProduct(x, rr);
                }
            }

            if (TRows.Count > 3)
            {
                x = TVector.Broadcast(lower[0]);
                cl3.AddProduct(x, rl);
                if (TColumns.Count > 1)
                {
                    cr3.AddProduct(x, rr);
                }
            }

            if (TRows.Count > 4)
            {
                x = TVector.Broadcast(lower[rowStep]);
                cl4.AddProduct(x, rl);
                if (TColumns.Count > 1)
                {
                    cr4.AddProduct(x, rr);
                }
            }

            if (TRows.Count > 5)
            {
                x = TVector.Broadcast(lower[twice]);
                cl5.AddProduct(x, rl);
                if (TColumns.Count > 1)
                {
                    cr5.AddProduct(x, rr);
                }
            }

            left += depthStep;
            lower += depthStep;
            right += rightPitch;
        }

        row = destination;
        Put<TVector, TColumns>(cl0, cr0, rowFactors, 0, row);
        if (TRows.Count > 1)
        {
            row += pitch;
            Put<TVector, TColumns>(cl1, cr1, rowFactors, 1, row);
        }

        if (TRows.Count > 2)
        {
            row += pitch;
            Put<TVector, TColumns>(cl2, cr2, rowFactors, 2, row);
        }

        if (TRows.Count > 3)
        {
            row += pitch;
            Put<TVector, TColumns>(cl3, cr3, rowFactors, 3, row);
        }

        if (TRows.Count > 4)
        {
            row += pitch;
            Put<TVector, TColumns>(cl4, cr4, rowFactors, 4, row);
        }

        if (TRows.Count > 5)
        {
            row += pitch;
            Put<TVector, TColumns>(cl5, cr5, rowFactors, 5, row);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Put<TVector, TColumns>(TVector left, TVector right, float* rowFactors, int i, float* destination)
        where TVector : unmanaged, IFloatVector<TVector>
        where TColumns : struct, ICount
    {
        if (rowFactors != null)
        {
            TVector factor = TVector.Broadcast(rowFactors[i]);
            left = TVector.Multiply(left, factor);
            right = TVector.Multiply(right, factor);
        }

        left.Store(destination);
        if (TColumns.Count > 1)
        {
            right.Store(destination + TVector.Count);
        }
    }

    private interface ICount
    {
        static abstract int Count { get; }
    }

    private readonly struct One : ICount
    {
        public static int Count => 1;
    }

    private readonly struct Two : ICount
    {
        public static int Count => 2;
    }

    private readonly struct Three : ICount
    {
        public static int Count => 3;
    }

    private readonly struct Four : ICount
    {
        public static int Count => 4;
    }

    private readonly struct Five : ICount
    {
        public static int Count => 5;
    }

    private readonly struct Six : ICount
    {
        public static int Count => 6;
    }
}

/// <summary>Which part of the left operand of a causal product is not zero, rows against depth; the rest is never read.</summary>
internal enum Triangle
{
    /// <summary>All of it.</summary>
    Full,

    /// <summary>Each row goes one further than the row before; the last row goes to the end.</summary>
    Lower,

    /// <summary>Each row begins one further than the row before; the first row begins at the start.</summary>
    Upper,
}
