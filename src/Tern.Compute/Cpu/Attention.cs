using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Softmax(scale · Q Kᵀ) V within packed sequences; several query heads may share a key/value head.</summary>
internal static unsafe class Attention
{
    public static void Forward(WorkerPool pool, Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination)
    {
        int sequenceCount = Check(query, key, value, sequenceStarts, headCount, keyValueHeadCount);
        Operand.Check(logSumExp, query.Rows, headCount);
        Operand.Check(destination, query.Rows, query.Columns);
        pool.Run(
            sequenceCount * keyValueHeadCount,
            new Operands
            {
                Query = query,
                Key = key,
                Value = value,
                SequenceStarts = sequenceStarts,
                HeadSize = query.Columns / headCount,
                KeyValueHeadCount = keyValueHeadCount,
                GroupSize = headCount / keyValueHeadCount,
                Scale = scale,
                Causal = causal,
                LogSumExp = logSumExp,
                Output = destination,
            },
            static (task, s) => ForwardTask(task, s));
    }

    /// <summary>
    /// With P the probabilities and dP = dO Vᵀ: dV = Pᵀ dO, dS = P · (dP − rowsum(dO · O)), dQ = scale · dS K, dK = scale · dSᵀ Q.
    /// A task owns a key/value head of a sequence, so dK and dV add their query heads and rows in order.
    /// </summary>
    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue)
    {
        int sequenceCount = Check(query, key, value, sequenceStarts, headCount, keyValueHeadCount);
        Operand.Check(dOutput, query.Rows, query.Columns);
        Operand.Check(output, query.Rows, query.Columns);
        Operand.Check(logSumExp, query.Rows, headCount);
        Operand.Check(dQuery, query.Rows, query.Columns);
        Operand.Check(dKey, query.Rows, key.Columns);
        Operand.Check(dValue, query.Rows, key.Columns);
        pool.Run(
            sequenceCount * keyValueHeadCount,
            new Operands
            {
                Query = query,
                Key = key,
                Value = value,
                SequenceStarts = sequenceStarts,
                HeadSize = query.Columns / headCount,
                KeyValueHeadCount = keyValueHeadCount,
                GroupSize = headCount / keyValueHeadCount,
                Scale = scale,
                Causal = causal,
                LogSumExp = logSumExp,
                Output = output,
                DOutput = dOutput,
                DQuery = dQuery,
                DKey = dKey,
                DValue = dValue,
            },
            static (task, s) => BackwardTask(task, s));
    }

    private static void ForwardTask(int task, in Operands s)
    {
        int b = task / s.KeyValueHeadCount, g = task % s.KeyValueHeadCount, size = s.HeadSize;
        int start = s.SequenceStarts.Ints(0)[b], end = s.SequenceStarts.Ints(0)[b + 1];
        float* probabilities = ThreadScratch.Task<float>(end - start);
        for (int head = g * s.GroupSize; head < (g + 1) * s.GroupSize; head++)
        {
            for (int i = start; i < end; i++)
            {
                int visible = s.Causal ? i + 1 - start : end - start;
                float* q = s.Query.Floats(i) + (head * size);
                for (int j = 0; j < visible; j++)
                {
                    probabilities[j] = s.Scale * VectorMath.Dot(q, s.Key.Floats(start + j) + (g * size), size);
                }

                float logSumExp = VectorMath.LogSumExp(probabilities, 1, visible);
                s.LogSumExp.Floats(i)[head] = logSumExp;
                Exponentiate(probabilities, logSumExp, visible);
                float* output = s.Output.Floats(i) + (head * size);
                new Span<float>(output, size).Clear();
                for (int j = 0; j < visible; j++)
                {
                    VectorMath.AddScaled(s.Value.Floats(start + j) + (g * size), probabilities[j], output, size);
                }
            }
        }
    }

    private static void BackwardTask(int task, in Operands s)
    {
        int b = task / s.KeyValueHeadCount, g = task % s.KeyValueHeadCount, size = s.HeadSize;
        int start = s.SequenceStarts.Ints(0)[b], end = s.SequenceStarts.Ints(0)[b + 1];
        float* probabilities = ThreadScratch.Task<float>(end - start);
        for (int j = start; j < end; j++)
        {
            new Span<float>(s.DKey.Floats(j) + (g * size), size).Clear();
            new Span<float>(s.DValue.Floats(j) + (g * size), size).Clear();
        }

        for (int head = g * s.GroupSize; head < (g + 1) * s.GroupSize; head++)
        {
            for (int i = start; i < end; i++)
            {
                int visible = s.Causal ? i + 1 - start : end - start;
                float* q = s.Query.Floats(i) + (head * size);
                float* dOutput = s.DOutput.Floats(i) + (head * size);
                float* dQuery = s.DQuery.Floats(i) + (head * size);
                for (int j = 0; j < visible; j++)
                {
                    probabilities[j] = s.Scale * VectorMath.Dot(q, s.Key.Floats(start + j) + (g * size), size);
                }

                Exponentiate(probabilities, s.LogSumExp.Floats(i)[head], visible);
                float rowSum = VectorMath.Dot(dOutput, s.Output.Floats(i) + (head * size), size);
                new Span<float>(dQuery, size).Clear();
                for (int j = 0; j < visible; j++)
                {
                    float dProbability = VectorMath.Dot(dOutput, s.Value.Floats(start + j) + (g * size), size);
                    float dScore = s.Scale * probabilities[j] * (dProbability - rowSum);
                    VectorMath.AddScaled(s.Key.Floats(start + j) + (g * size), dScore, dQuery, size);
                    VectorMath.AddScaled(q, dScore, s.DKey.Floats(start + j) + (g * size), size);
                    VectorMath.AddScaled(dOutput, probabilities[j], s.DValue.Floats(start + j) + (g * size), size);
                }
            }
        }
    }

    private static void Exponentiate(float* values, float offset, int count)
    {
        Vector256<float> shift = Vector256.Create(offset);
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            VectorMath.Store(VectorMath.Exp(VectorMath.Load(values + i, count - i) - shift), values + i, count - i);
        }
    }

    private static int Check(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount)
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
        return Operand.CheckSequences(sequenceStarts, query.Rows);
    }

    private struct Operands
    {
        public Tensor Query; // [T, N·D]
        public Tensor Key; // [T, G·D]
        public Tensor Value; // [T, G·D]
        public Tensor SequenceStarts; // [1, B + 1]
        public int HeadSize;
        public int KeyValueHeadCount;
        public int GroupSize;
        public float Scale;
        public bool Causal;
        public Tensor LogSumExp; // [T, N]
        public Tensor Output; // [T, N·D]
        public Tensor DOutput; // [T, N·D]
        public Tensor DQuery; // [T, N·D]
        public Tensor DKey; // [T, G·D]
        public Tensor DValue; // [T, G·D]
    }
}
