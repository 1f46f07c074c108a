using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// The loops of a product whose left operand is stored transposed: a weight gradient, the sum over all tokens. Both
/// operands are much longer than the destination is wide and each element is used a few hundred times only, so what is
/// multiplied next is laid out piece by piece between the tiles of what is multiplied now, and asked for before that.
/// </summary>
internal static unsafe class DeepProductBlock
{
    // Parts that a panel's rows are multiplied in; behind each a part of the next operands is laid out.
    private const int Parts = 4;

    // Parts of the inner dimension begin at multiples of this.
    private const int PartUnit = 8;

    /// <summary>Computes the destination's block of one task.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TKernel>(in MatrixProductPlan plan, int task, ScratchBuffer scratch)
        where TKernel : IProductKernel
    {
        int tileColumns = TKernel.TileColumns;
        int firstRow = task / plan.ColumnTaskCount * plan.TaskRows, firstColumn = task % plan.ColumnTaskCount * plan.TaskColumns;
        int rows = Math.Min(plan.TaskRows, plan.Rows - firstRow), columns = Math.Min(plan.TaskColumns, plan.Columns - firstColumn);
        int panels = Rounding.CeilingDivide(columns, tileColumns), tiles = Rounding.CeilingDivide(rows, TKernel.TileRows);

        nint leftSize = Rounding.ToCacheLines(TKernel.LeftByteCount(plan.TaskRows, plan.DepthStep)), panelSize = Rounding.ToCacheLines(TKernel.PanelByteCount(plan.DepthStep));
        byte* left = (byte*)scratch.Floats(2 * (leftSize + panelSize) / sizeof(float)), nextLeft = left + leftSize;
        byte* panel = nextLeft + leftSize, nextPanel = panel + panelSize;

        Sums destination = new(plan.Destination), start = new(plan.Start);
        int depth = Math.Min(plan.DepthStep, plan.Inner);
        TKernel.PackLeftColumns(plan.Left, firstRow, rows, 0, depth, 0, depth, left);
        TKernel.PackRight(plan.Right.Matrix, plan.Right.Transpose, firstColumn, Math.Min(tileColumns, columns), 0, depth, panel);
        for (int k = 0; k < plan.Inner; k += depth, start = destination)
        {
            depth = Math.Min(plan.DepthStep, plan.Inner - k);
            int nextDepth = Math.Min(plan.DepthStep, plan.Inner - k - depth);
            for (int p = 0; p < panels; p++)
            {
                bool isLast = p == panels - 1;
                int column = firstColumn + (p * tileColumns), width = Math.Min(tileColumns, columns - (p * tileColumns));
                int nextColumn = isLast ? firstColumn : column + tileColumns, nextWidth = Math.Min(tileColumns, firstColumn + columns - nextColumn);
                int panelK = isLast ? k + depth : k, panelDepth = isLast ? nextDepth : depth;
                for (int part = 0; part < Parts; part++)
                {
                    int tile = tiles * part / Parts, tileCount = (tiles * (part + 1) / Parts) - tile;
                    int row = tile * TKernel.TileRows, rowCount = Math.Min(tileCount * TKernel.TileRows, rows - row);
                    int panelFirst = Share(panelDepth, part, Parts), panelPart = Share(panelDepth, part + 1, Parts) - panelFirst;
                    int leftFirst = Share(nextDepth, (p * Parts) + part, panels * Parts), leftPart = Share(nextDepth, (p * Parts) + part + 1, panels * Parts) - leftFirst;
                    PrefetchQueue ahead = new()
                    {
                        Panel = plan.Right.Region(nextColumn, nextWidth, panelK + panelFirst, panelPart),
                        Block = PrefetchRegion.Of(plan.Left, k + depth + leftFirst, leftPart, firstRow, rows),
                    };
                    ahead.TileShare = 1 + ((ahead.Panel.RequestCount + ahead.Block.RequestCount) / Math.Max(tileCount, 1));

                    float* to = destination.At(firstRow + row, column), from = start.At(firstRow + row, column);
                    if (tileCount > 0 && width == tileColumns)
                    {
                        float* after = part < Parts - 1 ? to + (rowCount * destination.Pitch) : destination.At(firstRow, nextColumn);
                        TKernel.Multiply(left, row, rowCount, true, depth, panel, from, start.Pitch, to, destination.Pitch, after, &ahead);
                    }
                    else if (tileCount > 0)
                    {
                        MatrixProductBlock.MultiplyLastColumns<TKernel>(left, row, rowCount, true, depth, panel, width, from, start.Pitch, to, destination.Pitch);
                    }

                    if (panelPart > 0)
                    {
                        TKernel.PackRight(plan.Right.Matrix, plan.Right.Transpose, nextColumn, nextWidth, panelK + panelFirst, panelPart, nextPanel + (panelFirst == 0 ? 0 : TKernel.PanelByteCount(panelFirst)));
                    }

                    if (leftPart > 0)
                    {
                        TKernel.PackLeftColumns(plan.Left, firstRow, rows, k + depth, nextDepth, leftFirst, leftPart, nextLeft);
                    }
                }

                byte* used = panel;
                panel = nextPanel;
                nextPanel = used;
            }

            byte* done = left;
            left = nextLeft;
            nextLeft = done;
        }
    }

    /// <summary>Where part <paramref name="part"/> of <paramref name="parts"/> begins.</summary>
    private static int Share(int depth, int part, int parts) =>
        part == parts ? depth : Math.Min((int)((long)depth * part / parts) / PartUnit * PartUnit, depth);
}
