using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Training;
using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary>What a run would take: its values, operations, memory and time. Nothing is run but a few of its steps, or where there are none a second of products, to time it by.</summary>
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
        Report(terminal, backend, preset.Config, preset.Kind, options, true, PaperPlan.MemoryOf(preset, ranks), PaperPreset.QueryLength, PaperPreset.DocumentLength, ranks);
    }

    /// <summary>A run with its weights and data.</summary>
    public static void Run(Terminal terminal, IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, MemoryPlan plan, int? steps, int ranks)
    {
        // Of a pair the query is the smaller part; the sum is what counts.
        double query = Math.Min(network.Contract.MaxQueryTokens, set.MeanPairTokens / 4);
        Report(terminal, backend, network.Weights.Config, network.Contract.Kind, options with { StepCount = steps ?? 1 }, network.Weights.Adapters.Any(a => a.IsTrainable), plan, query, set.MeanPairTokens - query, ranks, ranks == 1 && steps is { } count ? TimePlan.Measure(backend, network, set, options with { StepCount = count }) : null);
    }

    private static void Report(Terminal terminal, IBackend backend, LlamaConfig config, RepresentationKind kind, TrainingOptions options, bool adaptersOnly, MemoryPlan plan, double queryLength, double documentLength, int ranks, TimePlan? time = null)
    {
        FlopCount count = FlopCount.Of(config, kind, options, adaptersOnly, queryLength, documentLength);
        terminal.Out.WriteLine(Invariant($"steps: {options.StepCount} of {options.BatchSize * options.AccumulationCount} queries and {options.BatchSize * options.AccumulationCount * (1 + options.NegativeCount)} documents, {queryLength:0.#} and {documentLength:0.#} tokens each, on {ranks} {(ranks == 1 ? "rank" : "ranks")}"));
        terminal.Out.WriteLine(Invariant($"operations: {count.Step:0.00e+0} a step, {count.Step * options.StepCount:0.00e+0} in all; by the convention 6ND {count.Convention * options.StepCount:0.00e+0}"));
        terminal.Out.WriteLine($"{plan}{(ranks > 1 ? " (a rank)" : "")}");
        if (time is not null)
        {
            terminal.Out.WriteLine(time);
            return;
        }

        double rate = ProductRate(backend);
        terminal.Out.WriteLine(Invariant($"time: about {TimePlan.Text(count.Step * options.StepCount / rate / ranks)}, if each rank computes as fast as this machine's products do now, {rate / 1e9:0} GFLOP/s"));
    }

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
}
