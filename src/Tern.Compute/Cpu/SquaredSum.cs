using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
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
        using ScratchLease lease = pool.RentScratch();
        double* partials = lease.Buffer.Elements<double>(chunks.Count);
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

    /// <summary>Element i is added in lane i mod 16, then the lanes in a fixed tree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static double SumChunk(float* values, int count)
    {
        Vector256<double> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            AddSquares(Vector128.Load(values + i), ref sum0);
            AddSquares(Vector128.Load(values + i + 4), ref sum1);
            AddSquares(Vector128.Load(values + i + 8), ref sum2);
            AddSquares(Vector128.Load(values + i + 12), ref sum3);
        }

        if (i < count)
        {
            float* tail = stackalloc float[16];
            new Span<float>(tail, 16).Clear();
            new ReadOnlySpan<float>(values + i, count - i).CopyTo(new Span<float>(tail, 16));
            AddSquares(Vector128.Load(tail), ref sum0);
            AddSquares(Vector128.Load(tail + 4), ref sum1);
            AddSquares(Vector128.Load(tail + 8), ref sum2);
            AddSquares(Vector128.Load(tail + 12), ref sum3);
        }

        Vector256<double> sum = (sum0 + sum2) + (sum1 + sum3);
        return (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddSquares(Vector128<float> values, ref Vector256<double> sum)
    {
        Vector256<double> wide = Avx.IsSupported ? Avx.ConvertToVector256Double(values) : Vector256.Create(Vector128.WidenLower(values), Vector128.WidenUpper(values));
        sum = Vector256.FusedMultiplyAdd(wide, wide, sum);
    }
}
