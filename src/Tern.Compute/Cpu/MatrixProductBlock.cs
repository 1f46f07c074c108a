using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The loops of a matrix product around its register tile.</summary>
internal static unsafe class MatrixProductBlock
{
    /// <summary>Computes the destination's block of one task: packs its parts of the operands and runs tiles over them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TVector>(in MatrixProductPlan plan, int task, ScratchBuffer scratch)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int tileRows = TVector.TileRows;
        int tileColumns = 2 * TVector.Count;
        int firstRow = task / plan.ColumnTaskCount * plan.TaskRows;
        int firstColumn = task % plan.ColumnTaskCount * plan.TaskColumns;
        int rows = Math.Min(plan.TaskRows, plan.Destination.Rows - firstRow);
        int columns = Math.Min(plan.TaskColumns, plan.Destination.Columns - firstColumn);
        nint pitch = plan.Destination.RowPitch;

        nint leftSize = (nint)plan.RowStep * plan.DepthStep;
        nint rightSize = plan.SharedRight == null ? (nint)plan.TaskColumns * plan.DepthStep : 0;
        float* packedLeft = scratch.Floats(rightSize + leftSize);
        float* packedRight = packedLeft + leftSize;

        // Just before they are used; those of a plain right operand a few panels at a time, as each of its rows runs through them.
        int packColumns = plan.TransposeRight ? tileColumns : 4 * tileColumns;
        for (int k = 0; k < plan.Inner; k += plan.DepthStep)
        {
            int depth = Math.Min(plan.DepthStep, plan.Inner - k);
            bool accumulate = plan.Accumulate || k > 0;
            for (int blockRow = 0; blockRow < rows; blockRow += plan.RowStep)
            {
                int blockRows = Math.Min(plan.RowStep, rows - blockRow);
                Packing.PackLeft(plan.Left, plan.TransposeLeft, firstRow + blockRow, blockRows, k, depth, tileRows, packedLeft);
                for (int j = 0; j < columns; j += tileColumns)
                {
                    float* panel;
                    if (plan.SharedRight != null)
                    {
                        panel = plan.SharedRight + ((nint)(firstColumn + j) * plan.Inner) + ((nint)k * tileColumns);
                    }
                    else
                    {
                        panel = packedRight + ((nint)j * depth);
                        if (blockRow == 0 && j % packColumns == 0)
                        {
                            Packing.PackRight(plan.Right, plan.TransposeRight, firstColumn + j, Math.Min(packColumns, columns - j), k, depth, tileColumns, panel);
                        }
                    }

                    float* destination = (float*)plan.Destination.Address + ((firstRow + blockRow) * pitch) + firstColumn + j;
                    if (columns - j >= tileColumns)
                    {
                        for (int i = 0; i < blockRows; i += tileRows)
                        {
                            MatrixProductTile.Run<TVector>(Math.Min(tileRows, blockRows - i), depth, packedLeft + ((nint)i * depth), panel, destination + (i * pitch), pitch, accumulate);
                        }
                    }
                    else
                    {
                        RunLastColumns<TVector>(blockRows, columns - j, depth, packedLeft, panel, destination, pitch, accumulate);
                    }
                }
            }
        }
    }

    /// <summary>The columns that do not fill a tile: whole tiles beside the destination, of which the valid part is copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunLastColumns<TVector>(int rows, int columns, int depth, float* left, float* panel, float* destination, nint pitch, bool accumulate)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int tileRows = TVector.TileRows;
        int tileColumns = 2 * TVector.Count;
        float* tile = stackalloc float[tileRows * tileColumns];
        new Span<float>(tile, tileRows * tileColumns).Clear();
        for (int i = 0; i < rows; i += tileRows)
        {
            int count = Math.Min(tileRows, rows - i);
            if (accumulate)
            {
                for (int r = 0; r < count; r++)
                {
                    new ReadOnlySpan<float>(destination + ((i + r) * pitch), columns).CopyTo(new Span<float>(tile + (r * tileColumns), columns));
                }
            }

            MatrixProductTile.Run<TVector>(count, depth, left + ((nint)i * depth), panel, tile, tileColumns, accumulate);
            for (int r = 0; r < count; r++)
            {
                new ReadOnlySpan<float>(tile + (r * tileColumns), columns).CopyTo(new Span<float>(destination + ((i + r) * pitch), columns));
            }
        }
    }
}
