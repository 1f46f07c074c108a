using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks;

/// <summary>The <c>products</c> verb: GFLOP/s of matrix products beside the multiply-add peak measured in the same run.</summary>
internal static unsafe class ProductTable
{
    private static readonly (string Use, int M, int N, int K, bool TransposeLeft, bool TransposeRight)[] Shapes =
    [
        ("projection", 4000, 192, 192, false, true),
        ("projection, small model", 4000, 128, 128, false, true),
        ("gate, up", 4000, 512, 192, false, true),
        ("down", 4000, 192, 512, false, true),
        ("input gradient", 4000, 192, 512, false, false),
        ("weight gradient", 512, 192, 4000, true, false),
        ("vocabulary", 1000, 8000, 192, false, true),
        ("one query, projection", 8, 512, 192, false, true),
        ("one query, vocabulary", 8, 8000, 192, false, true),
        ("wide", 4096, 1024, 1024, false, true),
        ("wide, down", 2048, 512, 2048, false, true),
    ];

    public static void Write(TextWriter output, TimeSpan timePerShape)
    {
        using WorkerPool one = new(1);
        using WorkerPool two = new(Math.Min(2, Environment.ProcessorCount));
        foreach (SimdPath path in SimdPaths.Available)
        {
            double peak = Peak(path);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n## {path.Name}: peak {peak:F1} GFLOP/s on one core\n"));
            output.WriteLine("| use | M x N x K | layout | 1 thread | of peak | 2 threads | of 2 peaks |\n| --- | --- | --- | ---: | ---: | ---: | ---: |");
            foreach ((string use, int m, int n, int k, bool transposeLeft, bool transposeRight) in Shapes)
            {
                using NativeMatrix left = transposeLeft ? new(k, m) : new(m, k);
                using NativeMatrix right = transposeRight ? new(n, k) : new(k, n);
                using NativeMatrix destination = new(m, n);
                double work = 2.0 * m * n * k / 1e9;
                double single = work / Median(timePerShape, () => ThreadClock.Seconds, () => MatrixProduct.Multiply(path, one, left.Tensor, transposeLeft, right.Tensor, transposeRight, false, destination.Tensor));
                double both = work / Median(timePerShape, Wall, () => MatrixProduct.Multiply(path, two, left.Tensor, transposeLeft, right.Tensor, transposeRight, false, destination.Tensor));
                string layout = $"{(transposeLeft ? 'T' : 'N')}{(transposeRight ? 'T' : 'N')}";
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {use} | {m} x {n} x {k} | {layout} | {single:F1} | {single / peak:P0} | {both:F1} | {both / peak / 2:P0} |"));
            }
        }
    }

    private static double Peak(SimdPath path) => path.VectorByteCount switch
    {
        64 => FmaPeak.Measure<FloatVector512>(),
        32 => FmaPeak.Measure<FloatVector256>(),
        _ => FmaPeak.Measure<FloatVector128>(),
    };

    private static double Wall() => (double)Stopwatch.GetTimestamp() / Stopwatch.Frequency;

    private static double Median(TimeSpan budget, Func<double> clock, Action action)
    {
        action();
        action();
        List<double> times = [];
        Stopwatch watch = Stopwatch.StartNew();
        while (times.Count < 5 || (watch.Elapsed < budget && times.Count < 200))
        {
            double start = clock();
            action();
            times.Add(clock() - start);
        }

        times.Sort();
        return times[times.Count / 2];
    }
}

/// <summary>A matrix of small numbers in native memory.</summary>
internal sealed unsafe class NativeMatrix : IDisposable
{
    public NativeMatrix(int rows, int columns)
    {
        nint count = (nint)rows * columns;
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        uint state = 1;
        for (nint i = 0; i < count; i++)
        {
            state = (state * 1664525) + 1013904223;
            memory[i] = ((state >> 9) / 4194304f) - 1;
        }

        Tensor = new Tensor((nint)memory, DType.Float32, rows, columns);
    }

    public Tensor Tensor { get; }

    public void Dispose() => NativeMemory.AlignedFree((void*)Tensor.Address);
}
