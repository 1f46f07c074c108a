using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Softmax(scale · Q Kᵀ) V within packed sequences; several query heads may share a key/value head. Narrow: products in bfloat16.</summary>
internal static class Attention
{
    public static void Forward(WorkerPool pool, Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, bool narrow, Tensor logSumExp, Tensor destination)
    {
        AttentionPlan forward = Plan(query, key, value, sequenceStarts, headCount, keyValueHeadCount, scale, causal, narrow, logSumExp, destination);
        pool.Run(
            forward.TaskCount,
            (forward, pool),
            static (task, s) =>
            {
                (AttentionPlan plan, WorkerPool workers) = s;
                using ScratchLease lease = workers.RentScratch();
                if (plan.Narrow)
                {
                    AttentionBlockBFloat16.Forward(plan, task, lease.Buffer);
                }
                else
                {
                    SimdPaths.Current.Kernels.AttentionForward(plan, task, lease.Buffer);
                }
            });
    }

    /// <summary>
    /// With P the probabilities and dP = dO Vᵀ: dV = Pᵀ dO, dS = P · (dP − rowsum(dO · O)), dQ = scale · dS K, dK = scale · dSᵀ Q.
    /// A task owns a key/value head of a sequence, so dK and dV add their query heads and rows in order.
    /// </summary>
    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, bool narrow, Tensor dQuery, Tensor dKey, Tensor dValue)
    {
        AttentionPlan backward = Plan(query, key, value, sequenceStarts, headCount, keyValueHeadCount, scale, causal, narrow, logSumExp, output);
        Operand.Check(dOutput, query.Rows, query.Columns);
        Operand.Check(dQuery, query.Rows, query.Columns);
        Operand.Check(dKey, query.Rows, key.Columns);
        Operand.Check(dValue, query.Rows, key.Columns);
        backward.DOutput = dOutput;
        backward.DQuery = dQuery;
        backward.DKey = dKey;
        backward.DValue = dValue;
        pool.Run(
            backward.TaskCount,
            (backward, pool),
            static (task, s) =>
            {
                (AttentionPlan plan, WorkerPool workers) = s;
                using ScratchLease lease = workers.RentScratch();
                if (plan.Narrow)
                {
                    AttentionBlockBFloat16.Backward(plan, task, lease.Buffer);
                }
                else
                {
                    SimdPaths.Current.Kernels.AttentionBackward(plan, task, lease.Buffer);
                }
            });
    }

    private static AttentionPlan Plan(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, bool narrow, Tensor logSumExp, Tensor output)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(headCount, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(keyValueHeadCount, 1);
        if (headCount % keyValueHeadCount != 0)
        {
            throw new ArgumentException($"headCount {headCount} is not a multiple of keyValueHeadCount {keyValueHeadCount}", nameof(headCount));
        }

        Operand.Check(query);
        if (query.Columns % headCount != 0)
        {
            Operand.Fail(nameof(query), $"a multiple of {headCount} columns", query);
        }

        int keyColumns = query.Columns / headCount * keyValueHeadCount;
        Operand.Check(key, query.Rows, keyColumns);
        Operand.Check(value, query.Rows, keyColumns);
        int sequenceCount = Operand.CheckSequences(sequenceStarts, query.Rows);
        Operand.Check(logSumExp, query.Rows, headCount);
        Operand.Check(output, query.Rows, query.Columns);
        return new AttentionPlan
        {
            Query = query,
            Key = key,
            Value = value,
            SequenceStarts = sequenceStarts,
            TaskCount = sequenceCount * keyValueHeadCount,
            HeadSize = query.Columns / headCount,
            KeyValueHeadCount = keyValueHeadCount,
            GroupSize = headCount / keyValueHeadCount,
            Scale = scale,
            Causal = causal,
            Narrow = narrow,
            LogSumExp = logSumExp,
            Output = output,
        };
    }
}
