using System.CommandLine;
using System.Diagnostics;
using Tern.Compute;
using Tern.Compute.Memory;
using Tern.Model;
using Tern.Text;
using Tern.Training;

namespace Tern.Cli.Benches.Models;

/// <summary><c>tern bench train</c>: whole training steps of a model on random texts of equal lengths.</summary>
internal sealed class TrainBenchCommand
{
    private readonly ModelBenchFlags _shared = new();
    private readonly Option<int> _queries = Flags.Count("--queries", "Queries of a batch.", 8);
    private readonly Option<int> _queryLength = Flags.Count("--query-length", "Tokens of a query.", 64);
    private readonly Option<int> _negatives = Flags.Count("--negatives", "Negatives of a query, beside its positive.", 16, least: 0);
    private readonly Option<int> _documentLength = Flags.Count("--document-length", "Tokens of a document.", 128);
    private readonly Option<int> _rank = Flags.Count("--lora-rank", "Trains an adapter of that rank; 0 trains all weights.", 16, least: 0);
    private readonly Option<double> _dropout = Flags.Number("--lora-dropout", "The adapter's dropout.", 0.05);
    private readonly Option<bool> _recompute = new("--activation-checkpointing") { Description = "Keeps what enters a block and computes the block again." };

    public static Command Create(Terminal terminal)
    {
        var flags = new TrainBenchCommand();
        var command = new Verb("train", "Times training steps on random texts: milliseconds, tokens a second, launches, memory.")
        {
            Examples =
            [
                "tern bench train --model models/random-1b --device cuda:0 --precision bf16 --json",
                "tern bench train --model models/random-tiny --device cpu --queries 4 --query-length 8 --negatives 1 --document-length 16",
            ],
        };
        flags._shared.AddTo(command, flags._queries, flags._queryLength, flags._negatives, flags._documentLength, flags._rank, flags._dropout, flags._recompute);
        command.SetAction((parsed, cancellationToken) =>
        {
            flags.Run(parsed, terminal, cancellationToken);
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private void Run(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken)
    {
        int warmUps = parsed.GetValue(_shared.WarmUps), rounds = parsed.GetValue(_shared.Rounds), rank = parsed.GetValue(_rank);
        string directory = parsed.GetRequiredValue(_shared.Model);
        using IBackend backend = _shared.CreateBackend(parsed);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, directory, trainable: rank == 0);
        if (rank > 0)
        {
            network.Weights.AddAdapter(new LoraSettings { Rank = rank, Alpha = 2f * rank, Dropout = (float)parsed.GetValue(_dropout) }, Path.GetFullPath(directory));
        }

        bool sparse = network.Contract.Kind == RepresentationKind.Sparse;
        TrainingOptions options = new()
        {
            StepCount = warmUps + rounds,
            BatchSize = parsed.GetValue(_queries),
            NegativeCount = parsed.GetValue(_negatives),
            LearningRate = 1e-4f,
            Temperature = sparse ? 1f : 0.01f,
            QueryFlopsWeight = sparse ? 1e-3f : 0f,
            DocumentFlopsWeight = sparse ? 1e-3f : 0f,
            CollapseCheckInterval = 0,
            RecomputeActivations = parsed.GetValue(_recompute),
        };
        using RetrieverTrainer trainer = new(backend, network, Set(parsed, options, network.Weights.Config.VocabularySize), options);
        var clock = new StepClock(backend, warmUps);
        trainer.Run(clock, cancellationToken);
        cancellationToken.ThrowIfCancellationRequested();
        Print(parsed, terminal, backend, network, options, trainer.History, clock);
    }

    private TrainingSet Set(ParseResult parsed, TrainingOptions options, int vocabularySize)
    {
        int queries = 4 * options.BatchSize, perQuery = 1 + options.NegativeCount, seed = parsed.GetValue(_shared.Seed);
        int queryLength = parsed.GetValue(_queryLength), documentLength = parsed.GetValue(_documentLength);
        static string Id(int number) => Invariant($"{number}");
        return TrainingSet.Create(
            Enumerable.Range(0, queries).Select(q => new TrainingExample(Id(q), Id(q * perQuery), [.. Enumerable.Range(1, options.NegativeCount).Select(n => Id((q * perQuery) + n))])),
            Enumerable.Range(0, queries * perQuery).Select(d => new Document(Id(d), "", "")),
            (query, tokens) => ModelBenchFlags.Draw(seed, -1 - Number(query), queryLength, vocabularySize, tokens),
            (document, tokens) => ModelBenchFlags.Draw(seed, Number(document.Id), documentLength, vocabularySize, tokens),
            "random texts");

        static int Number(string id) => int.Parse(id, System.Globalization.CultureInfo.InvariantCulture);
    }

    private void Print(ParseResult parsed, Terminal terminal, IBackend backend, RetrieverNetwork network, TrainingOptions options, IReadOnlyList<TrainingStep> history, StepClock clock)
    {
        double milliseconds = clock.Median;
        int tokens = history[^1].TokenCount;
        DeviceCalls calls = clock.CallsOfAStep;
        var meter = backend as IMeteredBackend;
        string kind = network.Contract.Kind.ToString().ToLowerInvariant(), trained = parsed.GetValue(_rank) is var rank and > 0 ? Invariant($"LoRA {rank}") : "all weights";
        if (!parsed.GetValue(_shared.Json))
        {
            terminal.Out.WriteLine(Invariant($"{ModelBenchFlags.DeviceName(backend)}, {backend.Precision.ToName()}: {kind}, {trained}, {tokens} tokens a step: {milliseconds:0.00} ms (least {clock.Least:0.00}), {tokens / milliseconds * 1000:0} tokens/s; {calls.Launches} launches, {calls.Products} products and {calls.Waits} waits a step; {MemoryPlanText(meter)}"));
            return;
        }

        JsonOutput.Write(terminal.Out, writer =>
        {
            writer.WriteString("phase", "train");
            writer.WriteString("side", "tern");
            writer.WriteString("device", ModelBenchFlags.DeviceName(backend));
            writer.WriteString("model", Path.GetFileName(Path.GetFullPath(parsed.GetRequiredValue(_shared.Model))));
            writer.WriteString("kind", kind);
            writer.WriteString("precision", backend.Precision.ToName());
            writer.WriteString("trained", trained);
            writer.WriteBoolean("activation_checkpointing", options.RecomputeActivations);
            writer.WriteNumber("layers", network.Weights.Config.LayerCount);
            writer.WriteNumber("tokens", tokens);
            writer.WriteNumber("ms", Math.Round(milliseconds, 4));
            writer.WriteNumber("least_ms", Math.Round(clock.Least, 4));
            writer.WriteNumber("tokens_per_s", Math.Round(tokens / milliseconds * 1000, 1));
            writer.WriteNumber("launches", calls.Launches);
            writer.WriteNumber("products", calls.Products);
            writer.WriteNumber("waits", calls.Waits);
            writer.WriteNumber("tensor_bytes", meter?.TensorMemory.PeakByteCount ?? 0);
            writer.WriteNumber("workspace_bytes", meter?.Workspace.PeakByteCount ?? 0);
            writer.WriteNumber("first_loss", history[0].Loss);
            writer.WriteNumber("last_loss", history[^1].Loss);
        });
    }

    private static string MemoryPlanText(IMeteredBackend? meter) => meter is null
        ? "memory not counted"
        : Invariant($"{(meter.TensorMemory.PeakByteCount + meter.Workspace.PeakByteCount) / (double)(1 << 20):0.0} MiB at most");

    /// <summary>Times from one step's end to the next, and what the device was asked for in between. A step ends in a wait.</summary>
    private sealed class StepClock(IBackend backend, int warmUps) : IProgress<TrainingProgress>
    {
        private readonly List<double> _times = [];
        private long _last = Stopwatch.GetTimestamp();
        private DeviceCalls _calls = DeviceCalls.Of(backend);

        public DeviceCalls CallsOfAStep { get; private set; }

        public double Median => _times.Order().ElementAt(_times.Count / 2);

        public double Least => _times.Min();

        public void Report(TrainingProgress value)
        {
            long now = Stopwatch.GetTimestamp();
            DeviceCalls calls = DeviceCalls.Of(backend);
            if (value.Current.Step > warmUps)
            {
                _times.Add(Stopwatch.GetElapsedTime(_last, now).TotalMilliseconds);
            }

            CallsOfAStep = calls.Since(_calls);
            _calls = calls;
            _last = Stopwatch.GetTimestamp();
        }
    }
}
