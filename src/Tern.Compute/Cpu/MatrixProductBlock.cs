using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The loops of a matrix product around its tiles.</summary>
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

        nint leftSize = RoundUp(TKernel.LeftByteCount(plan.RowStep, plan.DepthStep));
        nint panelsSize = plan.TaskColumns / TKernel.TileColumns * TKernel.PanelByteCount(plan.DepthStep);
        int packedCount = (plan.Right.Panels == null ? 1 : 0) + (plan.IsGated && plan.Up.Panels == null ? 1 : 0);
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
                TKernel.PackLeft(plan.Left, plan.TransposeLeft, span.Row, span.Rows, k, depth, left);
                Multiply<TKernel>(plan, plan.Right, destination, span, left, packed);
                if (plan.IsGated)
                {
                    Multiply<TKernel>(plan, plan.Up, up, span, left, packed + panelsSize);
                    if (k + depth == plan.Inner)
                    {
                        Activate(plan.Activated, destination, up, span);
                    }
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TKernel>(in MatrixProductPlan plan, in RightOperand right, in Sums destination, in Span span, byte* left, byte* packed)
        where TKernel : IProductKernel
    {
        // Just before they are used; those of a plain right operand a few panels at a time, as each of its rows runs through them.
        int packColumns = right.Transpose ? TKernel.TileColumns : 4 * TKernel.TileColumns;
        nint panelSize = TKernel.PanelByteCount(span.Depth);
        Sums start = span.K > 0 ? destination : new Sums(plan.Start);
        for (int j = 0; j < span.Columns; j += TKernel.TileColumns)
        {
            int panelIndex = j / TKernel.TileColumns;
            byte* panel;
            if (right.Panels != null)
            {
                panel = right.Panels + ((nint)((span.Column / TKernel.TileColumns) + panelIndex) * TKernel.PanelByteCount(plan.Inner)) + (span.K == 0 ? 0 : TKernel.PanelByteCount(span.K));
            }
            else
            {
                panel = packed + (panelIndex * panelSize);
                if (span.PackRight && j % packColumns == 0)
                {
                    TKernel.PackRight(right.Matrix, right.Transpose, span.Column + j, Math.Min(packColumns, span.Columns - j), span.K, span.Depth, panel);
                }
            }

            float* to = destination.At(span.Row, span.Column + j);
            float* from = start.Address == null ? null : start.At(span.Row, span.Column + j);
            if (span.Columns - j >= TKernel.TileColumns)
            {
                TKernel.Multiply(left, 0, span.Rows, plan.TransposeLeft, span.Depth, panel, from, start.Pitch, to, destination.Pitch, j + TKernel.TileColumns < span.Columns ? to + TKernel.TileColumns : to);
            }
            else
            {
                MultiplyLastColumns<TKernel>(plan.TransposeLeft, span, span.Columns - j, left, panel, from, start.Pitch, to, destination.Pitch);
            }
        }
    }

    /// <summary>The columns that do not fill a tile: whole tiles beside the destination, of which the valid part is copied.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyLastColumns<TKernel>(bool transposed, in Span span, int columns, byte* left, byte* panel, float* start, nint startPitch, float* destination, nint pitch)
        where TKernel : IProductKernel
    {
        int tileRows = TKernel.TileRows;
        int tileColumns = TKernel.TileColumns;
        float* tile = stackalloc float[tileRows * tileColumns];
        new Span<float>(tile, tileRows * tileColumns).Clear();
        for (int i = 0; i < span.Rows; i += tileRows)
        {
            int count = Math.Min(tileRows, span.Rows - i);
            for (int r = 0; start != null && r < count; r++)
            {
                new ReadOnlySpan<float>(start + ((i + r) * startPitch), columns).CopyTo(new Span<float>(tile + (r * tileColumns), columns));
            }

            TKernel.Multiply(left, i, count, transposed, span.Depth, panel, start == null ? null : tile, tileColumns, tile, tileColumns, tile);
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

    private static nint RoundUp(nint byteCount) => (byteCount + 63) & ~63;

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

    /// <summary>Where sums are kept: the address of element (0, 0) and the pitch.</summary>
    private struct Sums(Tensor tensor)
    {
        public float* Address = (float*)tensor.Address;
        public nint Pitch = tensor.RowPitch;

        public readonly float* At(int row, int column) => Address + (row * Pitch) + column;
    }
}
