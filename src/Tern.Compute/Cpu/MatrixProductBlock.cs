using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The loops of a matrix product around its tiles, where the left operand is stored in rows.</summary>
internal static unsafe class MatrixProductBlock
{
    /// <summary>Computes the destination's block of one task: lays out its parts of the operands and runs tiles over them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TKernel>(in MatrixProductPlan plan, int task, ScratchBuffer scratch)
        where TKernel : IProductKernel
    {
        int firstRow = task / plan.ColumnTaskCount * plan.TaskRows;
        int firstColumn = task % plan.ColumnTaskCount * plan.TaskColumns;
        int rows = Math.Min(plan.TaskRows, plan.Rows - firstRow);
        int columns = Math.Min(plan.TaskColumns, plan.Columns - firstColumn);

        nint leftSize = Rounding.ToCacheLines(TKernel.LeftByteCount(plan.RowStep, plan.DepthStep));
        nint panelsSize = plan.TaskColumns / TKernel.TileColumns * TKernel.PanelByteCount(plan.DepthStep);
        int packedCount = (plan.Right.IsLaidOut ? 0 : 1) + (plan.IsGated && !plan.Up.IsLaidOut ? 1 : 0);
        nint factorSize = plan.KeepsNoFactors ? (nint)plan.TaskRows * plan.TaskColumns * sizeof(float) : 0;
        byte* left = (byte*)scratch.Floats((leftSize + (packedCount * panelsSize) + (2 * factorSize)) / sizeof(float));
        byte* packed = left + leftSize;

        // The destination's element (0, 0), though a scratch holds only this task's block.
        Sums destination = new(plan.Destination), up = new(plan.UpDestination);
        if (plan.KeepsNoFactors)
        {
            nint origin = ((nint)firstRow * plan.TaskColumns) + firstColumn;
            destination = new() { Address = (float*)(packed + (packedCount * panelsSize)) - origin, Pitch = plan.TaskColumns };
            up = new() { Address = destination.Address + ((nint)plan.TaskRows * plan.TaskColumns), Pitch = plan.TaskColumns };
        }

        for (int k = 0; k < plan.Inner; k += plan.DepthStep)
        {
            int depth = Math.Min(plan.DepthStep, plan.Inner - k);
            for (int row = 0; row < rows; row += plan.RowStep)
            {
                Span span = new() { Row = firstRow + row, Rows = Math.Min(plan.RowStep, rows - row), Column = firstColumn, Columns = columns, K = k, Depth = depth, PackRight = row == 0 };
                TKernel.PackLeft(plan.Left, span.Row, span.Rows, k, depth, left);
                int nextRow = row + plan.RowStep < rows ? row + plan.RowStep : 0, nextK = nextRow > 0 ? k : k + depth;
                PrefetchRegion next = PrefetchRegion.Of(plan.Left, firstRow + nextRow, Math.Min(plan.RowStep, rows - nextRow), nextK, Math.Min(plan.DepthStep, plan.Inner - nextK));
                Multiply<TKernel>(plan, plan.Right, destination, span, left, packed, next);
                if (plan.IsGated)
                {
                    Multiply<TKernel>(plan, plan.Up, up, span, left, packed + panelsSize, default);
                    if (k + depth == plan.Inner)
                    {
                        Activate(plan.Activated, destination, up, span);
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TKernel>(in MatrixProductPlan plan, in RightOperand right, in Sums destination, in Span span, byte* left, byte* packed, in PrefetchRegion nextBlock)
        where TKernel : IProductKernel
    {
        nint panelSize = TKernel.PanelByteCount(span.Depth);
        Sums start = span.K > 0 ? destination : new Sums(plan.Start);
        bool packs = !right.IsLaidOut && span.PackRight, asksForPanels = right.IsLaidOut || packs;
        nint storedSize = right.IsNarrow ? panelSize / 2 : panelSize;
        nint requests = nextBlock.RequestCount;
        if (asksForPanels)
        {
            requests += right.Panels == null
                ? right.Region(span.Column, span.Columns, span.K, span.Depth).RequestCount
                : PrefetchRegion.Bytes(null, storedSize).RequestCount * span.Columns / TKernel.TileColumns;
        }

        int tiles = Rounding.CeilingDivide(span.Rows, TKernel.TileRows) * Rounding.CeilingDivide(span.Columns, TKernel.TileColumns);

        // The last tiles have nothing left to ask for, so that what was asked for last is there too.
        PrefetchQueue ahead = new() { Block = nextBlock, TileShare = 1 + (requests * 5 / 4 / tiles) };
        for (int j = 0; j < span.Columns; j += TKernel.TileColumns)
        {
            int panelIndex = j / TKernel.TileColumns;
            int next = j + TKernel.TileColumns < span.Columns ? j + TKernel.TileColumns : 0;
            byte* panel = packed + (panelIndex * panelSize);
            if (right.Panels != null)
            {
                int index = (span.Column / TKernel.TileColumns) + panelIndex;
                byte* stored = right.Panel<TKernel>(index, plan.Inner, span.K);
                if (right.IsLaidOut)
                {
                    panel = stored;
                }
                else if (packs)
                {
                    Packing.Widen((ushort*)stored, panelSize / sizeof(float), (float*)panel);
                }

                if (asksForPanels && next > 0)
                {
                    ahead.Panel = PrefetchRegion.Bytes(right.Panel<TKernel>(index + 1, plan.Inner, span.K), storedSize);
                }
            }
            else if (packs)
            {
                // Just before its use; the one after it is asked for meanwhile.
                TKernel.PackRight(right.Matrix, right.Transpose, span.Column + j, Math.Min(TKernel.TileColumns, span.Columns - j), span.K, span.Depth, panel);
                int nextK = next > 0 ? span.K : span.K + span.Depth;
                ahead.Panel = right.Region(span.Column + next, Math.Min(TKernel.TileColumns, span.Columns - next), nextK, Math.Min(plan.DepthStep, plan.Inner - nextK));
            }

            float* to = destination.At(span.Row, span.Column + j);
            float* from = start.Address == null ? null : start.At(span.Row, span.Column + j);
            if (span.Columns - j >= TKernel.TileColumns)
            {
                TKernel.Multiply(left, 0, span.Rows, false, span.Depth, panel, from, start.Pitch, to, destination.Pitch, j + TKernel.TileColumns < span.Columns ? to + TKernel.TileColumns : to, &ahead);
            }
            else
            {
                MultiplyLastColumns<TKernel>(left, 0, span.Rows, false, span.Depth, panel, span.Columns - j, from, start.Pitch, to, destination.Pitch);
            }
        }
    }

    /// <summary>The columns that do not fill a tile: whole tiles beside the destination, of which the valid part is copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyLastColumns<TKernel>(byte* left, int row, int rows, bool transposed, int depth, byte* panel, int columns, float* start, nint startPitch, float* destination, nint pitch)
        where TKernel : IProductKernel
    {
        int tileRows = TKernel.TileRows;
        int tileColumns = TKernel.TileColumns;
        float* tile = stackalloc float[tileRows * tileColumns];
        new Span<float>(tile, tileRows * tileColumns).Clear();
        for (int i = 0; i < rows; i += tileRows)
        {
            int count = Math.Min(tileRows, rows - i);
            for (int r = 0; start != null && r < count; r++)
            {
                new ReadOnlySpan<float>(start + ((i + r) * startPitch), columns).CopyTo(new Span<float>(tile + (r * tileColumns), columns));
            }

            TKernel.Multiply(left, row + i, count, transposed, depth, panel, start == null ? null : tile, tileColumns, tile, tileColumns, tile, null);
            for (int r = 0; r < count; r++)
            {
                new ReadOnlySpan<float>(tile + (r * tileColumns), columns).CopyTo(new Span<float>(destination + ((i + r) * pitch), columns));
            }
        }
    }

    /// <summary>The gated product's activation, while gate and up are in the cache.</summary>
    private static void Activate(Tensor activated, in Sums gate, in Sums up, in Span span)
    {
        for (int row = span.Row; row < span.Row + span.Rows; row++)
        {
            SwiGlu.Forward(gate.At(row, span.Column), up.At(row, span.Column), activated.Floats(row) + span.Column, span.Columns);
        }
    }

    /// <summary>What is multiplied at once.</summary>
    private struct Span
    {
        public int Row;
        public int Rows;
        public int Column;
        public int Columns;
        public int K;
        public int Depth;
        public bool PackRight;
    }
}
