using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks;

/// <summary>
/// The <c>products</c> verb: GFLOP/s of products beside the multiply-add peak measured in the same run. One thread is timed
/// by its processor time, two by the wall clock. "Best" stands beside the median, as other programs only make runs slower.
/// </summary>
internal static unsafe class ProductTable
{
    private static readonly (string Use, int M, int N, int K, bool TransposeLeft, bool TransposeRight)[] Shapes =
    [
        ("projection, H = 128", 4000, 128, 128, false, true),
        ("projection, H = 192", 4000, 192, 192, false, true),
        ("gate, up", 4000, 512, 192, false, true),
        ("down", 4000, 192, 512, false, true),
        ("input gradient", 4000, 192, 512, false, false),
        ("weight gradient", 512, 192, 4000, true, false),
        ("one short query, gate", 8, 512, 192, false, true),
        ("one token, gate", 1, 512, 192, false, true),
        ("wide", 1024, 1024, 1024, false, true),
        ("wide, down", 1024, 512, 2048, false, true),
    ];

    private static readonly (string Use, int Sequences, int Length, int Vocabulary, int Depth)[] Heads =
    [
        ("documents", 64, 40, 8000, 192),
        ("documents, H = 128", 64, 40, 8000, 128),
        ("one short query", 1, 8, 8000, 192),
        ("Llama's vocabulary", 16, 16, 128_256, 256),
    ];

    public static void Write(TextWriter output, TimeSpan timePerShape)
    {
        using WorkerPool one = new(1);
        using WorkerPool two = new(2);
        foreach (SimdPath path in SimdPaths.Available)
        {
            double peak = Peak(path);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"\n## {path.Name}: peak {peak:F1} GFLOP/s on one core\n"));
            output.WriteLine("| use | M x N x K | layout | 1 thread: median | best | best of peak | 2 threads: median | best | best of 2 peaks |\n| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |");
            foreach ((string use, int m, int n, int k, bool transposeLeft, bool transposeRight) in Shapes)
            {
                using NativeMatrix left = transposeLeft ? new(k, m) : new(m, k);
                using NativeMatrix right = transposeRight ? new(n, k) : new(k, n);
                using NativeMatrix destination = new(m, n);
                string layout = $"{(transposeLeft ? 'T' : 'N')}{(transposeRight ? 'T' : 'N')}";
                WriteRow(
                    $"| {use} | {m} x {n} x {k} | {layout} ",
                    2.0 * m * n * k,
                    peak,
                    pool => MatrixProduct.Multiply(path.Kernels.Products, pool, left.Tensor, transposeLeft, right.Tensor, transposeRight, false, destination.Tensor));
            }

            foreach ((string use, int sequences, int length, int vocabulary, int depth) in Heads)
            {
                using MaxPoolOperands o = new(sequences, length, vocabulary, depth);
                WriteRow(
                    $"| max-pool, {use} | {sequences * length} x {vocabulary} x {depth} | NT ",
                    2.0 * sequences * length * vocabulary * depth,
                    peak,
                    pool => MaxPoolProduct.Forward(path.Kernels.Products, pool, o.Hidden.Tensor, o.Weight.Tensor, default, o.Starts.Tensor, 1, o.Maxima.Tensor, o.ArgMax.Tensor));
                WriteRow(
                    $"| its backward, 2 % of the entries | {sequences * vocabulary / 50} x {depth} | ",
                    4.0 * (sequences * vocabulary / 50) * depth,
                    peak,
                    pool => MaxPoolProduct.Backward(path, pool, o.Gradient.Tensor, o.ArgMax.Tensor, o.Hidden.Tensor, o.Weight.Tensor, 1, o.DHidden.Tensor, o.DWeight.Tensor, default));
            }

            void WriteRow(string start, double work, double peak, Action<WorkerPool> action)
            {
                (double oneMedian, double oneBest) = Time(timePerShape, () => ThreadClock.Seconds, () => action(one));
                (double twoMedian, double twoBest) = Time(timePerShape, Wall, () => action(two));
                double g = work / 1e9;
                output.WriteLine(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{start}| {g / oneMedian:F1} | {g / oneBest:F1} | {g / oneBest / peak:P0} | {g / twoMedian:F1} | {g / twoBest:F1} | {g / twoBest / peak / 2:P0} |"));
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

    private static (double Median, double Best) Time(TimeSpan budget, Func<double> clock, Action action)
    {
        action();
        List<double> times = [];
        Stopwatch watch = Stopwatch.StartNew();
        while (times.Count < 5 || (watch.Elapsed < budget && times.Count < 1000))
        {
            double start = clock();
            action();
            times.Add(clock() - start);
        }

        times.Sort();
        return (times[times.Count / 2], times[0]);
    }

    /// <summary>Sequences of one length, and a gradient in which every fiftieth entry counts.</summary>
    private sealed class MaxPoolOperands : IDisposable
    {
        public MaxPoolOperands(int sequences, int length, int vocabulary, int depth)
        {
            Hidden = new NativeMatrix(sequences * length, depth);
            Weight = new NativeMatrix(vocabulary, depth);
            Starts = new NativeMatrix(1, sequences + 1, DType.Int32);
            Maxima = new NativeMatrix(sequences, vocabulary);
            ArgMax = new NativeMatrix(sequences, vocabulary, DType.Int32);
            Gradient = new NativeMatrix(sequences, vocabulary);
            DHidden = new NativeMatrix(sequences * length, depth);
            DWeight = new NativeMatrix(vocabulary, depth);
            for (int b = 0; b <= sequences; b++)
            {
                Starts.Tensor.Span<int>()[b] = b * length;
            }

            Span<float> gradient = Gradient.Tensor.Span<float>();
            for (int i = 0; i < gradient.Length; i++)
            {
                gradient[i] = i % 50 == 0 ? 1e-6f : 0;
            }
        }

        public NativeMatrix Hidden { get; }

        public NativeMatrix Weight { get; }

        public NativeMatrix Starts { get; }

        public NativeMatrix Maxima { get; }

        public NativeMatrix ArgMax { get; }

        public NativeMatrix Gradient { get; }

        public NativeMatrix DHidden { get; }

        public NativeMatrix DWeight { get; }

        public void Dispose()
        {
            foreach (NativeMatrix matrix in new[] { Hidden, Weight, Starts, Maxima, ArgMax, Gradient, DHidden, DWeight })
            {
                matrix.Dispose();
            }
        }
    }
}

/// <summary>A matrix of small numbers in native memory.</summary>
internal sealed unsafe class NativeMatrix : IDisposable
{
    public NativeMatrix(int rows, int columns, DType type = DType.Float32)
    {
        nint count = (nint)rows * columns;
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        uint state = 1;
        for (nint i = 0; i < count; i++)
        {
            state = (state * 1664525) + 1013904223;
            memory[i] = ((state >> 9) / 4194304f) - 1;
        }

        Tensor = new Tensor((nint)memory, type, rows, columns);
    }

    public Tensor Tensor { get; }

    public void Dispose() => NativeMemory.AlignedFree((void*)Tensor.Address);
}
