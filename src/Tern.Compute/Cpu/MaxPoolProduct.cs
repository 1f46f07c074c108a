using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// The sparse head's vocabulary product fused with the maximum over each sequence, and its sparse backward; operands as
/// in <see cref="IBackend"/>. Logits have the bits of <see cref="MatrixProduct"/>. A NaN logit makes its maximum NaN.
/// </summary>
internal static unsafe partial class MaxPoolProduct
{
    /// <summary>See <see cref="IBackend.MaxPoolProductForward"/>; scale must be positive, as it is applied after the maximum.</summary>
    public static void Forward(ProductKernels kernels, WorkerPool pool, Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax)
    {
        ValidateForward(hidden, weight.Matrix, bias, sequenceStarts, scale, maxima, argMax);
        if (maxima.ElementCount == 0)
        {
            return;
        }

        RightOperand right = MatrixProduct.Operand(weight, ref kernels);
        MaxPoolProductPlan plan = new()
        {
            Kernels = kernels,
            Hidden = hidden,
            Weight = right,
            Bias = bias,
            Maxima = maxima,
            ArgMax = argMax,
            Starts = (int*)sequenceStarts.Address,
            Scale = scale,
        };
        plan.Cut(pool.ThreadCount);
        using ScratchLease packed = pool.RentScratch();
        plan.PackedHidden = (byte*)packed.Buffer.Floats(plan.RowBlockCount * plan.DepthStepCount * plan.BlockByteCount / sizeof(float));
        PackHidden(pool, plan);
        RunTasks(pool, plan);
    }

    private static void PackHidden(WorkerPool pool, in MaxPoolProductPlan plan) =>
        pool.Run(
            plan.RowBlockCount,
            plan,
            static (block, p) =>
            {
                int row = block * p.RowStep;
                for (int step = 0; step < p.DepthStepCount; step++)
                {
                    int k = step * p.DepthStep;
                    p.Kernels.PackLeft(p.Hidden, p.FirstRow + row, Math.Min(p.RowStep, p.RowCount - row), k, Math.Min(p.DepthStep, p.Depth - k), p.Block(block, step));
                }
            });

    private static void RunTasks(WorkerPool pool, in MaxPoolProductPlan plan) =>
        pool.Run(
            plan.TaskCount,
            (plan, pool),
            static (task, s) =>
            {
                using ScratchLease lease = s.pool.RentScratch();
                s.plan.Kernels.MaxPoolBlock(s.plan, task, lease.Buffer);
            });

    private static void ValidateForward(Tensor hidden, Tensor weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax)
    {
        if (hidden.Columns != weight.Columns || maxima.Columns != weight.Rows || argMax.Columns != weight.Rows
            || argMax.Rows != maxima.Rows || sequenceStarts.Columns != maxima.Rows + 1 || (!bias.IsEmpty && bias.Columns != weight.Rows))
        {
            throw new ArgumentException($"shapes do not agree: hidden {hidden}, weight {weight}, bias {bias}, sequence starts {sequenceStarts}, maxima {maxima}, argMax {argMax}");
        }

        if (hidden.DType != DType.Float32 || weight.DType == DType.Int32 || maxima.DType != DType.Float32
            || argMax.DType != DType.Int32 || sequenceStarts.DType != DType.Int32 || (!bias.IsEmpty && bias.DType != DType.Float32))
        {
            throw new ArgumentException($"element types do not fit: hidden {hidden}, weight {weight}, bias {bias}, sequence starts {sequenceStarts}, maxima {maxima}, argMax {argMax}");
        }

        if (!(scale > 0))
        {
            throw new ArgumentOutOfRangeException(nameof(scale), scale, "the scale of a max-pool product must be positive");
        }

        int* starts = (int*)sequenceStarts.Address;
        for (int b = 0; b <= maxima.Rows; b++)
        {
            int previous = b == 0 ? 0 : starts[b - 1];
            if (starts[b] < previous || starts[b] > hidden.Rows)
            {
                throw new ArgumentException($"sequence start {b} is {starts[b]}, outside {previous}..{hidden.Rows}", nameof(sequenceStarts));
            }
        }
    }
}
