using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Rows of a table by token id, and the scatter of their gradients.</summary>
internal static unsafe class Embedding
{
    public static void Forward(WorkerPool pool, Tensor table, Tensor tokens, Tensor destination)
    {
        if (table.DType != DType.BFloat16)
        {
            Operand.Check(table, table.Rows, destination.Columns);
        }
        else
        {
            Operand.Check(table, DType.BFloat16, table.Rows, destination.Columns);
        }

        Operand.Check(destination);
        Operand.CheckIndices(tokens, 1, destination.Rows, table.Rows);
        RowChunks chunks = new(destination.Rows, destination.Columns);
        pool.Run(
            chunks.Count,
            (chunks, table, tokens, destination),
            static (task, s) =>
            {
                int* tokens = s.tokens.Ints(0);
                for (int t = s.chunks.Start(task); t < s.chunks.End(task); t++)
                {
                    Elements.CopyRow(s.table, tokens[t], s.destination, t);
                }
            });
    }

    /// <summary>
    /// Positions are sorted by token id, equal ids in order of position, so that one task alone adds into a row and the
    /// order of its additions is fixed.
    /// </summary>
    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor tokens, Tensor accumulateDTable)
    {
        const int IdsPerTask = 16;
        int tokenCount = dOutput.Rows;
        Operand.Check(accumulateDTable);
        Operand.Check(dOutput, tokenCount, accumulateDTable.Columns);
        Operand.CheckIndices(tokens, 1, tokenCount, accumulateDTable.Rows);

        int* ids = tokens.Ints(0);
        using ScratchLease lease = pool.RentScratch();
        int* next = lease.Buffer.Elements<int>((nint)accumulateDTable.Rows + 1 + tokenCount + tokenCount + 1); // per id: its next place in order
        int* order = next + accumulateDTable.Rows + 1; // [T] positions by ascending id
        int* firsts = order + tokenCount; // [distinct ids + 1] first place of each distinct id in order
        new Span<int>(next, accumulateDTable.Rows + 1).Clear();
        for (int t = 0; t < tokenCount; t++)
        {
            next[ids[t] + 1]++;
        }

        int distinctCount = 0;
        for (int id = 0; id < accumulateDTable.Rows; id++)
        {
            if (next[id + 1] != 0)
            {
                firsts[distinctCount++] = next[id];
            }

            next[id + 1] += next[id];
        }

        firsts[distinctCount] = tokenCount;
        for (int t = 0; t < tokenCount; t++)
        {
            order[next[ids[t]]++] = t;
        }

        pool.Run(
            (distinctCount + IdsPerTask - 1) / IdsPerTask,
            (ids: (nint)ids, order: (nint)order, firsts: (nint)firsts, distinctCount, dOutput, accumulateDTable),
            static (task, s) =>
            {
                int end = Math.Min(s.distinctCount, (task + 1) * IdsPerTask);
                for (int place = ((int*)s.firsts)[task * IdsPerTask]; place < ((int*)s.firsts)[end]; place++)
                {
                    int t = ((int*)s.order)[place];
                    VectorMath.AddScaled(s.dOutput.Floats(t), 1, s.accumulateDTable.Floats(((int*)s.ids)[t]), s.dOutput.Columns);
                }
            });
    }
}
