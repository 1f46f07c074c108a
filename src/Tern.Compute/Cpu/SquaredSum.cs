using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Σ of squares in double precision.</summary>
internal static unsafe class SquaredSum
{
    /// <summary>Each chunk of elements is summed in a fixed pattern of lanes; the chunks' sums are added in order.</summary>
    public static double Compute(WorkerPool pool, Tensor values)
    {
        Operand.Check(values);
        ElementChunks chunks = new(values, values.IsContiguous);
        double* partials = ThreadScratch.Shared<double>(chunks.Count);
        pool.Run(
            chunks.Count,
            (chunks, values, partials: (nint)partials),
            static (task, s) => ((double*)s.partials)[task] = SumChunk(s.chunks.Start(s.values, task), s.chunks.Length(task)));

        double total = 0;
        for (int task = 0; task < chunks.Count; task++)
        {
            total += partials[task];
        }

        return total;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumChunk(float* values, int count)
    {
        Vector256<double> sum0 = default, sum1 = default;
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            (Vector256<double> lower, Vector256<double> upper) = Vector256.Widen(VectorMath.Load(values + i, count - i));
            sum0 = Vector256.FusedMultiplyAdd(lower, lower, sum0);
            sum1 = Vector256.FusedMultiplyAdd(upper, upper, sum1);
        }

        Vector256<double> sum = sum0 + sum1;
        return (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }
}
