using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;
using Tern.Model;

namespace Tern.Benchmarks;

/// <summary>
/// The <c>big-model</c> verb: opens a model directory and encodes with it, as a program that embeds the library would, and
/// sets time and memory beside the least that the machine's multiply-adds and memory allow. One process, one model: the
/// peak of its memory is the model's.
/// </summary>
internal static class BigModel
{
    private static readonly (int Texts, int Tokens)[] Batches = [(1, 16), (1, 64), (1, 512), (8, 64), (16, 128)];
    private static readonly TimeSpan TimePerBatch = TimeSpan.FromSeconds(20);

    public static void Write(TextWriter output, string directory, int threads, ProductPrecision precision)
    {
        threads = threads > 0 ? threads : Environment.ProcessorCount;
        long start = Stopwatch.GetTimestamp();
        using RetrieverModel model = RetrieverModel.Load(directory, new ModelOptions { Threads = threads, Precision = precision });
        double openSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        long openPeak = Status("VmHWM");
        Encode(model, [TextOf(model, Batches[0].Tokens)]);
        double firstSeconds = Stopwatch.GetElapsedTime(start).TotalSeconds;

        long weightBytes = new DirectoryInfo(directory).GetFiles("*.safetensors").Sum(f => f.Length);
        Line($"# {Path.GetFileName(Path.TrimEndingDirectorySeparator(directory))}: {model.ParameterCount:N0} weights, {weightBytes / 1e9:0.00} GB, {model.Contract.Kind.ToString().ToLowerInvariant()}");
        Line($"\n{Processor()}, {threads} threads; {RuntimeInformation.OSDescription}; .NET {Environment.Version}; {SimdPaths.Current.Name}, {precision.ToName()} products; Tern {typeof(RetrieverModel).Assembly.GetName().Version!.ToString(3)}\n");

        var rows = new List<(int Texts, long Tokens, double Seconds, int Runs, double Flops)>();
        foreach ((int texts, int tokens) in Batches.Where(b => b.Tokens <= model.Contract.MaxDocumentTokens))
        {
            string[] batch = [.. Enumerable.Repeat(TextOf(model, tokens), texts)];
            long length = CountTokens(model, batch[0]);
            (double median, int runs) = Median(() => Encode(model, batch));
            rows.Add((texts, texts * length, median, runs, Flops(model, texts, length)));
        }

        // Measured last, so that their memory is in no peak above; the peak of this process is read before.
        long peak = Status("VmHWM"), anonymous = Status("RssAnon"), file = Status("RssFile");
        double gigaflops = threads * OnePeak(precision), bandwidth = Bandwidth(threads);
        Line($"| | measured | asked |\n| --- | ---: | ---: |");
        Line($"| open (files in the page cache) | {openSeconds:0.00} s | < 2 s |");
        Line($"| open and first vector | {firstSeconds:0.00} s | |");
        Line($"| peak resident memory after opening | {openPeak / 1048576.0:0.00} GiB | |");
        Line($"| peak resident memory in all | {peak / 1048576.0:0.00} GiB | < 4.5 GiB |");
        Line($"| of what is resident: own, mapped files | {anonymous / 1048576.0:0.00}, {file / 1048576.0:0.00} GiB | |");
        Line($"| multiply-add peak, {threads} threads | {gigaflops:0} GFLOP/s | |");
        Line($"| memory read, {threads} threads | {bandwidth:0.0} GB/s | |");
        Line($"\nThe floor of a batch is the longer of its multiply-adds at the peak and one reading of the weights.\n");
        Line($"| texts | tokens | seconds | runs | tokens/s | floor: tokens/s | of the floor | GFLOP/s |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
        foreach ((int texts, long tokens, double seconds, int runs, double flops) in rows)
        {
            double floor = Math.Max(flops / gigaflops / 1e9, weightBytes / bandwidth / 1e9);
            Line($"| {texts} | {tokens} | {seconds:0.000} | {runs} | {tokens / seconds:0.0} | {tokens / floor:0.0} | {floor / seconds:P0} | {flops / seconds / 1e9:0.0} |");
        }

        void Line(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
    }

    private static void Encode(RetrieverModel model, string[] texts)
    {
        int count = model.Contract.Kind == RepresentationKind.Sparse
            ? model.EncodeSparse(texts, RetrievalSide.Document).Count
            : model.EncodeDense(texts, RetrievalSide.Document).Length;
        Trace.Assert(count == texts.Length);
    }

    /// <summary>Two for every weight in a product and token, and attention's scores and sums over the whole sequence.</summary>
    private static double Flops(RetrieverModel model, int texts, long length)
    {
        LlamaConfig config = model.Config;
        double table = (double)config.VocabularySize * config.HiddenSize;
        double weights = model.ParameterCount - (config.TieWordEmbeddings ? 0 : table) - (model.Contract.Kind == RepresentationKind.Sparse ? 0 : table);
        double attention = 4.0 * config.LayerCount * config.HeadCount * config.HeadSize * length * length;
        return texts * ((2 * weights * length) + attention);
    }

    /// <summary>Words until the tokenizer makes about as many tokens of them as asked, specials included.</summary>
    private static string TextOf(RetrieverModel model, int tokens)
    {
        string words = string.Concat(Enumerable.Repeat("retrieval over many passages of text ", 1 + tokens));
        int length = tokens;
        for (int round = 0; round < 4; round++)
        {
            length = Math.Min(words.Length, (int)((long)length * tokens / CountTokens(model, words[..length])));
        }

        return words[..length];
    }

    private static int CountTokens(RetrieverModel model, string text)
    {
        List<int> ids = [];
        model.Tokenizer.Encode(text, model.Contract.TokenizationFor(RetrievalSide.Document), ids);
        return ids.Count;
    }

    /// <summary>As many runs as the time allows, one at least.</summary>
    private static (double Median, int Runs) Median(Action action)
    {
        var times = new List<double>();
        var watch = Stopwatch.StartNew();
        do
        {
            long start = Stopwatch.GetTimestamp();
            action();
            times.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        while (watch.Elapsed < TimePerBatch && times.Count < 15);
        times.Sort();
        return (times[times.Count / 2], times.Count);
    }

    private static double OnePeak(ProductPrecision precision) => precision switch
    {
        ProductPrecision.BFloat16 => NativePeak(NativeKernels.PeakBFloat16),
        ProductPrecision.Int8 => NativePeak(NativeKernels.PeakInt8),
        _ => FloatPeak(),
    };

    /// <summary>GFLOP/s of one thread, the best of a few short runs of a function that returns its multiply-adds.</summary>
    private static double NativePeak(Func<long, long> run)
    {
        double best = 0;
        for (int repeat = 0; repeat < 10; repeat++)
        {
            double start = ThreadClock.Seconds;
            long count = run(1_000_000);
            best = Math.Max(best, 2e-9 * count / (ThreadClock.Seconds - start));
        }

        return best;
    }

    private static double FloatPeak() => SimdPaths.Current.VectorByteCount switch
    {
        64 => FmaPeak.Measure<FloatVector512>(),
        32 => FmaPeak.Measure<FloatVector256>(),
        _ => FmaPeak.Measure<FloatVector128>(),
    };

    /// <summary>GB/s at which all threads together read memory much larger than the caches, the best of five.</summary>
    private static unsafe double Bandwidth(int threads)
    {
        const int FloatsPerThread = 128 << 20;
        using var pool = new WorkerPool(threads);
        float* memory = (float*)NativeMemory.AlignedAlloc((nuint)threads * FloatsPerThread * sizeof(float), 64);
        try
        {
            for (int i = 0; i < threads; i++)
            {
                new Span<float>(memory + ((nint)i * FloatsPerThread), FloatsPerThread).Fill(1f);
            }

            double best = double.MaxValue;
            for (int repeat = 0; repeat < 5; repeat++)
            {
                long start = Stopwatch.GetTimestamp();
                pool.Run(threads, (nint)memory, static (thread, address) =>
                {
                    ReadOnlySpan<Vector<float>> values = MemoryMarshal.Cast<float, Vector<float>>(new ReadOnlySpan<float>((float*)address + ((nint)thread * FloatsPerThread), FloatsPerThread));
                    Vector<float> a = default, b = default, c = default, d = default;
                    for (int i = 0; i < values.Length; i += 4)
                    {
                        a += values[i];
                        b += values[i + 1];
                        c += values[i + 2];
                        d += values[i + 3];
                    }

                    Trace.Assert(Vector.Sum(a + b + c + d) > 0);
                });
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
            }

            return (double)threads * FloatsPerThread * sizeof(float) / best / 1e9;
        }
        finally
        {
            NativeMemory.AlignedFree(memory);
        }
    }

    /// <summary>A line of /proc/self/status in KiB; 0 where there is none.</summary>
    private static long Status(string name)
    {
        string? line = File.Exists("/proc/self/status") ? File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith(name + ":", StringComparison.Ordinal)) : null;
        return line is null ? 0 : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture);
    }

    private static string Processor() =>
        (File.Exists("/proc/cpuinfo") ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal)) : null)?.Split(": ")[1]
        ?? RuntimeInformation.ProcessArchitecture.ToString();
}
