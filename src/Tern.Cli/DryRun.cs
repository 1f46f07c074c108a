using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Text;
using Tern.Training;
using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary>What a run would take: its values, operations, memory and time, and nothing run but a second of products to time them by.</summary>
internal static class DryRun
{
    /// <summary>A preset, which needs neither weights nor data: every text is as long as it may be.</summary>
    public static void Preset(Terminal terminal, PaperPreset preset, ModelOptions compute, int? rankCount)
    {
        TrainingOptions options = preset.Options;
        int ranks = rankCount ?? PaperPreset.RankCount;
        terminal.Out.WriteLine($"{preset.Name}: {preset.Backbone}, LoRA rank {PaperPreset.Lora.Rank}, alpha {PaperPreset.Lora.Alpha:0}, dropout {PaperPreset.Lora.Dropout:0.##} on all seven projections");
        terminal.Out.WriteLine($"run: tern train --preset {preset.Name} --model DIR --train FILE --corpus PATH --output DIR");
        terminal.Out.WriteLine($"flags: {string.Join(' ', RunFile.Arguments(preset, hasTime: false))}");
        using IBackend backend = Backends.Create(compute.Backend, compute.Threads, compute.Precision ?? ProductPrecision.Float32);
        MemoryPlan plan = MemoryPlan.Of(
            b =>
            {
                LlamaWeights weights = BlankWeights.Of(b, preset.Config, hasTermBias: false, trainable: false, DType.BFloat16);
                weights.AddAdapter(PaperPreset.Lora, "");
                return weights;
            },
            preset.Contract,
            LongestTexts(preset),
            options with { StepCount = 1 },
            ranks);
        Report(terminal, backend, preset.Config, preset.Kind, options, true, plan, PaperPreset.QueryLength, PaperPreset.DocumentLength, ranks);
    }

    /// <summary>A run with its weights and data.</summary>
    public static void Run(Terminal terminal, IBackend backend, RetrieverNetwork network, TrainingOptions options, MemoryPlan plan, int? steps, double meanPairTokens, int ranks)
    {
        // Of a pair the query is the smaller part; the sum is what counts.
        double query = Math.Min(network.Contract.MaxQueryTokens, meanPairTokens / 4);
        Report(terminal, backend, network.Weights.Config, network.Contract.Kind, options with { StepCount = steps ?? 1 }, network.Weights.Adapters.Any(a => a.IsTrainable), plan, query, meanPairTokens - query, ranks);
    }

    private static void Report(Terminal terminal, IBackend backend, LlamaConfig config, RepresentationKind kind, TrainingOptions options, bool adaptersOnly, MemoryPlan plan, double queryLength, double documentLength, int ranks)
    {
        FlopCount count = FlopCount.Of(config, kind, options, adaptersOnly, queryLength, documentLength);
        double rate = ProductRate(backend);
        double seconds = count.Step * options.StepCount / rate / ranks;
        terminal.Out.WriteLine(Invariant($"steps: {options.StepCount} of {options.BatchSize * options.AccumulationCount} queries and {options.BatchSize * options.AccumulationCount * (1 + options.NegativeCount)} documents, {queryLength:0.#} and {documentLength:0.#} tokens each, on {ranks} {(ranks == 1 ? "rank" : "ranks")}"));
        terminal.Out.WriteLine(Invariant($"operations: {count.Step:0.00e+0} a step, {count.Step * options.StepCount:0.00e+0} in all; by the convention 6ND {count.Convention * options.StepCount:0.00e+0}"));
        terminal.Out.WriteLine($"{plan}{(ranks > 1 ? " (a rank)" : "")}");
        terminal.Out.WriteLine(Invariant($"time: about {Duration(seconds)}, if each rank computes as fast as this machine's products do now, {rate / 1e9:0} GFLOP/s"));
    }

    private static string Duration(double seconds) => seconds switch
    {
        < 120 => Invariant($"{seconds:0} s"),
        < 7200 => Invariant($"{seconds / 60:0} min"),
        < 172800 => Invariant($"{seconds / 3600:0.0} h"),
        _ => Invariant($"{seconds / 86400:0.0} days"),
    };

    private static double ProductRate(IBackend backend)
    {
        const int Rows = 512, Inner = 1024, Columns = 1024;
        using TensorMemory left = backend.Allocate(DType.Float32);
        using TensorMemory right = backend.Allocate(DType.Float32);
        using TensorMemory product = backend.Allocate(DType.Float32);
        Tensor input = left.Shape(Rows, Inner);
        Tensor weight = right.Shape(Columns, Inner);
        Tensor output = product.Shape(Rows, Columns);
        backend.Fill(1f, input);
        backend.Fill(0.5f, weight);
        var clock = Stopwatch.StartNew();
        double best = double.MaxValue;
        while (clock.Elapsed < TimeSpan.FromSeconds(0.5))
        {
            TimeSpan before = clock.Elapsed;
            backend.ProjectForward(input, weight, default, output);
            backend.Download<float>(output.SliceRows(0, 1), new float[Columns]);
            best = Math.Min(best, (clock.Elapsed - before).TotalSeconds);
        }

        return 2.0 * Rows * Inner * Columns / best;
    }

    private static TrainingSet LongestTexts(PaperPreset preset)
    {
        int candidates = 1 + preset.NegativeCount;
        return TrainingSet.Create(
            Enumerable.Range(0, preset.BatchSize).Select(i => new TrainingExample(Invariant($"{i}"), Id(i, 0), [.. Enumerable.Range(1, preset.NegativeCount).Select(n => Id(i, n))], 1f, new float[preset.NegativeCount])),
            Enumerable.Range(0, preset.BatchSize * candidates).Select(i => new Document(Id(i / candidates, i % candidates), "", "")),
            (_, tokens) => tokens.AddRange(new int[PaperPreset.QueryLength]),
            (_, tokens) => tokens.AddRange(new int[PaperPreset.DocumentLength]),
            preset.Name);

        static string Id(int example, int candidate) => Invariant($"{example}.{candidate}");
    }
}
