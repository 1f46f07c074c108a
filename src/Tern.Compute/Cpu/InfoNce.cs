using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Cross-entropy of softmax(s · scores) against one label a row; s is the inverse temperature.</summary>
internal static unsafe class InfoNce
{
    public static void Forward(WorkerPool pool, Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses)
    {
        Operand.Check(scores);
        Operand.CheckIndices(labels, 1, scores.Rows, scores.Columns);
        Operand.CheckVector(logSumExp, scores.Rows);
        Operand.CheckVector(losses, scores.Rows);
        pool.Run(
            scores.Rows,
            (scores, labels, inverseTemperature, logSumExp, losses),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (row, s) =>
            {
                float* scores = s.scores.Floats(row);
                float total = VectorMath.LogSumExp(scores, s.inverseTemperature, s.scores.Columns);
                s.logSumExp.Floats(0)[row] = total;
                s.losses.Floats(0)[row] = total - (s.inverseTemperature * scores[s.labels.Ints(0)[row]]);
            });
    }

    /// <summary>∂loss/∂score = s · (p − [column is the label]).</summary>
    public static void Backward(WorkerPool pool, Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores)
    {
        Operand.Check(scores);
        Operand.CheckIndices(labels, 1, scores.Rows, scores.Columns);
        Operand.CheckVector(logSumExp, scores.Rows);
        Operand.Check(accumulateDScores, scores.Rows, scores.Columns);
        pool.Run(
            scores.Rows,
            (scores, labels, logSumExp, inverseTemperature, weight, accumulateDScores),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (row, s) =>
            {
                float* scores = s.scores.Floats(row);
                float* dScores = s.accumulateDScores.Floats(row);
                int count = s.scores.Columns;
                float scale = s.weight * s.inverseTemperature;
                Vector256<float> factor = Vector256.Create(s.inverseTemperature);
                Vector256<float> offset = Vector256.Create(-s.logSumExp.Floats(0)[row]);
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    int left = count - i;
                    Vector256<float> probability = VectorMath.Exp(VectorMath.MultiplyAdd(factor, VectorMath.Load(scores + i, left), offset));
                    VectorMath.Store(VectorMath.Load(dScores + i, left) + (probability * scale), dScores + i, left);
                }

                dScores[s.labels.Ints(0)[row]] -= scale;
            });
    }
}
