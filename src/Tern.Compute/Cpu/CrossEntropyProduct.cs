using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Cross-entropy of softmax(hidden · weightᵀ) against one label a row. Logits exist for a block of rows at a time, in the
/// forward and again in the backward: [rows, vocabulary] of a whole batch would be the largest matrix of a training.
/// </summary>
internal static unsafe class CrossEntropyProduct
{
    /// <summary>64 MiB of logits: 128 rows of a vocabulary of 128,256, enough to read the weight once for much work.</summary>
    private const int BlockElementCount = 1 << 24;

    public static void Forward(ProductKernels kernels, WorkerPool pool, Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best)
    {
        Check(hidden, weight.Matrix, labels, logSumExp);
        Operand.CheckVector(losses, hidden.Rows);
        Operand.Check(best, DType.Int32, 1, hidden.Rows);
        using ScratchLease lease = pool.RentScratch();
        for (int start = 0; start < hidden.Rows; start += BlockRows(weight.Matrix))
        {
            int count = Math.Min(BlockRows(weight.Matrix), hidden.Rows - start);
            Tensor logits = Logits(lease.Buffer, weight.Matrix, count);
            MatrixProduct.Project(kernels, pool, hidden.SliceRows(start, count), weight, default, logits);
            pool.Run(
                count,
                (logits, labels, logSumExp, losses, best, start),
                static (row, s) =>
                {
                    float* logits = s.logits.Floats(row);
                    float total = VectorMath.LogSumExp(logits, 1, s.logits.Columns);
                    s.logSumExp.Floats(0)[s.start + row] = total;
                    s.losses.Floats(0)[s.start + row] = total - logits[s.labels.Ints(0)[s.start + row]];
                    s.best.Ints(0)[s.start + row] = FirstMaximum(logits, s.logits.Columns);
                });
        }
    }

    /// <summary>∂loss/∂logit = softmax − [column is the label]; then two products.</summary>
    public static void Backward(ProductKernels kernels, WorkerPool pool, Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight)
    {
        Check(hidden, weight, labels, logSumExp);
        Operand.Check(dHidden, hidden.Rows, hidden.Columns);
        using ScratchLease lease = pool.RentScratch();
        for (int start = 0; start < hidden.Rows; start += BlockRows(weight))
        {
            int count = Math.Min(BlockRows(weight), hidden.Rows - start);
            Tensor logits = Logits(lease.Buffer, weight, count), rows = hidden.SliceRows(start, count);
            MatrixProduct.Multiply(kernels, pool, rows, false, weight, true, false, logits);
            pool.Run(
                count,
                (logits, labels, logSumExp, lossWeight, start),
                static (row, s) => ToGradient(s.logits.Floats(row), s.labels.Ints(0)[s.start + row], s.logSumExp.Floats(0)[s.start + row], s.lossWeight, s.logits.Columns));
            MatrixProduct.Multiply(kernels, pool, logits, false, weight, false, false, dHidden.SliceRows(start, count));
            if (!accumulateDWeight.IsEmpty)
            {
                MatrixProduct.Multiply(kernels, pool, logits, true, rows, false, true, accumulateDWeight);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ToGradient(float* logits, int label, float logSumExp, float lossWeight, int count)
    {
        Vector256<float> total = Vector256.Create(logSumExp), scale = Vector256.Create(lossWeight);
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            VectorMath.Store(scale * VectorMath.Exp(VectorMath.Load(logits + i, count - i) - total), logits + i, count - i);
        }

        logits[label] -= lossWeight;
    }

    private static int FirstMaximum(float* values, int count)
    {
        int best = 0;
        for (int i = 1; i < count; i++)
        {
            best = values[i] > values[best] ? i : best;
        }

        return best;
    }

    private static void Check(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp)
    {
        Operand.Check(hidden);
        Operand.CheckIndices(labels, 1, hidden.Rows, weight.Rows);
        Operand.CheckVector(logSumExp, hidden.Rows);
    }

    private static int BlockRows(Tensor weight) => Math.Max(32, BlockElementCount / Math.Max(weight.Rows, 1) / 32 * 32);

    private static Tensor Logits(ScratchBuffer buffer, Tensor weight, int rows) =>
        new((nint)buffer.Floats((nint)rows * weight.Rows), DType.Float32, rows, weight.Rows);
}
