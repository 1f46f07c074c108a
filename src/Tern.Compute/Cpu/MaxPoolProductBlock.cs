using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// The loops of a max-pool product: the logits of a block of rows and a panel of columns stay in the first caches and are
/// reduced into running maxima at once. Rows come in order, so a panel of columns has one running maximum: that of the
/// sequence that its last row belongs to.
/// </summary>
internal static unsafe class MaxPoolProductBlock
{
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TKernel, TVector>(in MaxPoolProductPlan plan, int task, ScratchBuffer scratch)
        where TKernel : IProductKernel
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int first = task * plan.TaskColumns, end = Math.Min(first + plan.TaskColumns, plan.Columns);
        FillEmptySequences(plan, first, end - first);
        nint panelSize = TKernel.PanelByteCount(plan.Depth);
        nint packedSize = plan.Weight.IsLaidOut ? 0 : plan.GroupColumns / TKernel.TileColumns * panelSize / sizeof(float);
        float* running = scratch.Floats(packedSize + (2 * plan.GroupColumns) + (plan.RowStep * TKernel.TileColumns));
        float* logits = running + (2 * plan.GroupColumns);
        byte* packed = (byte*)(logits + (plan.RowStep * TKernel.TileColumns));
        for (int column = first; column < end; column += plan.GroupColumns)
        {
            int next = column + plan.GroupColumns;
            RunGroup<TKernel, TVector>(plan, column, Math.Min(plan.GroupColumns, end - column), next, Math.Min(plan.GroupColumns, end - next), running, logits, packed);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RunGroup<TKernel, TVector>(in MaxPoolProductPlan plan, int firstColumn, int columns, int nextColumn, int nextColumns, float* running, float* logits, byte* packed)
        where TKernel : IProductKernel
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int tileColumns = TKernel.TileColumns, depth = plan.Depth, rows = plan.RowCount;
        nint panelSize = TKernel.PanelByteCount(depth);
        PrefetchQueue ahead = default;
        if (nextColumns > 0 && plan.Weight.Panels != null)
        {
            nint nextSize = Rounding.CeilingDivide(nextColumns, tileColumns) * (plan.Weight.IsNarrow ? panelSize / 2 : panelSize);
            ahead.Panel = PrefetchRegion.Bytes(plan.Weight.Panel<TKernel>(nextColumn / tileColumns, depth, 0), nextSize);
            int tiles = Rounding.CeilingDivide(rows, TKernel.TileRows) * Rounding.CeilingDivide(columns, tileColumns) * plan.DepthStepCount;
            ahead.TileShare = 1 + (ahead.Panel.RequestCount / tiles);
        }

        int blockSequence = 0;
        for (int block = 0; block < plan.RowBlockCount; block++)
        {
            int row = block * plan.RowStep;
            int count = Math.Min(plan.RowStep, rows - row);
            int sequence = blockSequence;
            for (int j = 0; j < columns; j += tileColumns)
            {
                byte* stored = plan.Weight.Panels == null ? null : plan.Weight.Panel<TKernel>((firstColumn + j) / tileColumns, depth, 0);
                byte* panel = plan.Weight.IsLaidOut ? stored : packed + (j / tileColumns * panelSize);
                int columnCount = Math.Min(tileColumns, columns - j);
                if (block == 0 && !plan.Weight.IsLaidOut)
                {
                    if (stored == null)
                    {
                        TKernel.PackRight(plan.Weight.Matrix, true, firstColumn + j, columnCount, 0, depth, panel);
                    }
                    else
                    {
                        Packing.Widen((ushort*)stored, panelSize / sizeof(float), (float*)panel);
                    }
                }

                for (int step = 0; step < plan.DepthStepCount; step++)
                {
                    int k = step * plan.DepthStep;
                    TKernel.Multiply(plan.Block(block, step), 0, count, false, Math.Min(plan.DepthStep, depth - k), panel + (k == 0 ? 0 : TKernel.PanelByteCount(k)), k == 0 ? null : logits, tileColumns, logits, tileColumns, logits, &ahead);
                }

                sequence = Reduce<TVector>(plan, logits, row, count, blockSequence, running + (2 * j), firstColumn + j, columnCount);
            }

            blockSequence = sequence;
        }
    }

    /// <summary>Takes a tile's rows into the running maxima and writes out those of sequences that end here; returns the last row's sequence.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Reduce<TVector>(in MaxPoolProductPlan plan, float* tile, int firstRow, int rowCount, int sequence, float* running, int column, int columnCount)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int width = TVector.Count;
        int row = plan.FirstRow + firstRow;
        int end = row + rowCount;
        while (row < end)
        {
            while (plan.Starts[sequence + 1] <= row)
            {
                sequence++;
            }

            int stop = Math.Min(end, plan.Starts[sequence + 1]);
            TVector maximumLeft, maximumRight, rowLeft, rowRight;
            if (row == plan.Starts[sequence])
            {
                maximumLeft = maximumRight = TVector.Broadcast(float.NegativeInfinity);
                rowLeft = rowRight = TVector.Broadcast(BitConverter.Int32BitsToSingle(row));
            }
            else
            {
                maximumLeft = TVector.Load(running);
                maximumRight = TVector.Load(running + width);
                rowLeft = TVector.Load(running + (2 * width));
                rowRight = TVector.Load(running + (3 * width));
            }

            TVector unordered = default;
            float* logits = tile;
            for (int i = row; i < stop; i++)
            {
                TVector left = TVector.Load(logits);
                TVector right = TVector.Load(logits + width);
                TVector index = TVector.Broadcast(BitConverter.Int32BitsToSingle(i));
                TVector leftIsGreater = TVector.GreaterThan(left, maximumLeft);
                TVector rightIsGreater = TVector.GreaterThan(right, maximumRight);
                maximumLeft = TVector.Select(leftIsGreater, left, maximumLeft);
                maximumRight = TVector.Select(rightIsGreater, right, maximumRight);
                rowLeft = TVector.Select(leftIsGreater, index, rowLeft);
                rowRight = TVector.Select(rightIsGreater, index, rowRight);
                unordered = TVector.Or(unordered, TVector.Or(TVector.IsNaN(left), TVector.IsNaN(right)));
                logits += 2 * width;
            }

            if (TVector.SignBits(unordered) != 0)
            {
                ReduceWithNaN(tile, row, stop, row == plan.Starts[sequence], running, 2 * width);
            }
            else
            {
                maximumLeft.Store(running);
                maximumRight.Store(running + width);
                rowLeft.Store(running + (2 * width));
                rowRight.Store(running + (3 * width));
            }

            if (stop == plan.Starts[sequence + 1])
            {
                WriteOut<TVector>(plan, sequence, running, column, columnCount);
            }

            tile += (stop - row) * 2 * width;
            row = stop;
        }

        return sequence;
    }

    /// <summary>The same for rows among which there is a NaN: a column's first one stays its maximum.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void ReduceWithNaN(float* logits, int row, int stop, bool first, float* running, int columns)
    {
        int* runningRows = (int*)running + columns;
        for (int c = 0; c < columns; c++)
        {
            float maximum = first ? float.NegativeInfinity : running[c];
            int best = first ? row : runningRows[c];
            for (int i = row; i < stop; i++)
            {
                float logit = logits[((i - row) * columns) + c];
                if (!(logit <= maximum) && !float.IsNaN(maximum))
                {
                    maximum = logit;
                    best = i;
                }
            }

            running[c] = maximum;
            runningRows[c] = best;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WriteOut<TVector>(in MaxPoolProductPlan plan, int sequence, float* running, int column, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int width = 2 * TVector.Count;
        float* maxima = (float*)plan.Maxima.Address + ((nint)sequence * plan.Maxima.RowPitch) + column;
        float* rows = (float*)plan.ArgMax.Address + ((nint)sequence * plan.ArgMax.RowPitch) + column;
        float* bias = plan.Bias.IsEmpty ? null : (float*)plan.Bias.Address + column;
        if (count < width)
        {
            for (int c = 0; c < count; c++)
            {
                float scaled = plan.Scale * running[c];
                maxima[c] = bias == null ? scaled : scaled + bias[c];
                ((int*)rows)[c] = ((int*)running)[width + c];
            }

            return;
        }

        TVector scale = TVector.Broadcast(plan.Scale);
        for (int c = 0; c < width; c += TVector.Count)
        {
            TVector scaled = TVector.Multiply(TVector.Load(running + c), scale);
            (bias == null ? scaled : TVector.Add(scaled, TVector.Load(bias + c))).Store(maxima + c);
            TVector.Load(running + width + c).Store(rows + c);
        }
    }

    private static void FillEmptySequences(in MaxPoolProductPlan plan, int column, int count)
    {
        for (int b = 0; b < plan.SequenceCount; b++)
        {
            if (plan.Starts[b] == plan.Starts[b + 1])
            {
                new Span<float>((float*)plan.Maxima.Address + ((nint)b * plan.Maxima.RowPitch) + column, count).Fill(float.NegativeInfinity);
                new Span<int>((int*)plan.ArgMax.Address + ((nint)b * plan.ArgMax.RowPitch) + column, count).Fill(-1);
            }
        }
    }
}
