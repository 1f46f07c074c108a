using System.Text.Json.Nodes;
using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Model;
using Xunit;

namespace Tern.Training.Tests;

public sealed class TrainingCheckpointTests : IDisposable
{
    private static readonly TrainingOptions Options = TinyModels.Options with { StepCount = 30 };

    private readonly TemporaryDirectory _directory = new();
    private readonly CpuBackend _backend = TinyModels.Backend();
    private readonly TrainingSet _set = TinyModels.TranslatedSet(40, 4);

    public void Dispose()
    {
        _backend.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse, 15)]
    [InlineData(RepresentationKind.Dense, 7)]
    public void AResumedRunEqualsOneThatWasNeverStopped(RepresentationKind kind, int stopAt)
    {
        TrainingOptions options = TinyModels.Suited(Options, kind);
        using RetrieverNetwork whole = TinyModels.Network(_backend, kind);
        using RetrieverTrainer wholeTrainer = new(_backend, whole, _set, options);
        TrainingResult expected = wholeTrainer.Run();

        TrainingResult first = TrainUntil(stopAt, kind, options);
        Assert.True(first.Stopped);
        Assert.Equal(stopAt, first.Step);
        Assert.Equal(Path.Combine(_directory.Path, $"checkpoint-{stopAt}"), first.Checkpoint);

        // Other weights, another backend: all that matters comes out of the checkpoint.
        using CpuBackend otherBackend = TinyModels.Backend(2);
        using RetrieverNetwork network = TinyModels.Network(otherBackend, kind, seed: 99);
        using RetrieverTrainer trainer = new(otherBackend, network, TinyModels.TranslatedSet(40, 4), options with { CheckpointDirectory = _directory.Path });
        trainer.Resume(_directory.Path);
        Assert.Equal(stopAt, trainer.Step);
        TrainingResult second = trainer.Run();

        Assert.False(second.Stopped);
        Assert.Equal(expected.History, second.History);
        Assert.Equal(RetrieverTrainerTests.Values(whole), RetrieverTrainerTests.Values(network));
        Assert.Equal(expected.History, TrainingHistory.Read(_directory.Path));
    }

    /// <summary>In every precision that this machine trains in; another one is refused.</summary>
    [Theory]
    [MemberData(nameof(TrainingPrecisions))]
    public void ARunIsResumedInItsPrecisionOnly(ProductPrecision precision)
    {
        using CpuBackend backend = TinyModels.Backend(1, precision), resumed = TinyModels.Backend(2, precision);
        using RetrieverNetwork whole = TinyModels.Network(backend, RepresentationKind.Sparse);
        using RetrieverTrainer wholeTrainer = new(backend, whole, _set, Options);
        TrainingResult expected = wholeTrainer.Run();

        using (RetrieverNetwork stopped = TinyModels.Network(backend, RepresentationKind.Sparse))
        using (RetrieverTrainer stoppedTrainer = new(backend, stopped, _set, Options with { CheckpointDirectory = _directory.Path }))
        {
            using CancellationTokenSource cancel = new();
            stoppedTrainer.Run(new Observer(p => (p.Current.Step == 9 ? cancel : null)?.Cancel()), cancel.Token);
        }

        using RetrieverNetwork network = TinyModels.Network(resumed, RepresentationKind.Sparse, seed: 99);
        using RetrieverTrainer trainer = new(resumed, network, _set, Options with { CheckpointDirectory = _directory.Path });
        trainer.Resume(_directory.Path);
        Assert.Equal(expected.History, trainer.Run().History);

        foreach (ProductPrecision other in ProductPrecisions.Available.Where(p => p != precision))
        {
            using CpuBackend otherBackend = TinyModels.Backend(1, other);
            using RetrieverNetwork otherNetwork = TinyModels.Network(otherBackend, RepresentationKind.Sparse);
            using RetrieverTrainer otherTrainer = new(otherBackend, otherNetwork, _set, Options);
            Assert.Contains($"--precision {precision.ToName()}", Assert.Throws<InvalidDataException>(() => otherTrainer.Resume(_directory.Path)).Message, StringComparison.Ordinal);
        }
    }

    public static TheoryData<ProductPrecision> TrainingPrecisions() => [.. ProductPrecisions.Available.Where(p => p != ProductPrecision.Int8)];

    [Fact]
    public void ACheckpointIsACompleteModelDirectory()
    {
        string file = Path.Combine(_directory.Path, "tokenizer.json");
        File.WriteAllText(file, "{}");
        TrainingResult stopped = TrainUntil(2, RepresentationKind.Sparse, Options with { CheckpointFiles = [file] });

        using RetrieverNetwork loaded = RetrieverNetwork.Load(_backend, stopped.Checkpoint!);

        Assert.Equal(TinyModels.Config, loaded.Weights.Config);
        Assert.True(loaded.Contract.HasTermBias);
        Assert.True(File.Exists(Path.Combine(stopped.Checkpoint!, "tokenizer.json")));
        JsonNode state = JsonNode.Parse(File.ReadAllText(Path.Combine(stopped.Checkpoint!, "trainer_state.json")))!;
        Assert.Equal(2, (int)state["Step"]!);
        Assert.Equal(2, (int)state["BatchCount"]!);
        Assert.Equal(1, (int)state["ThreadCount"]!);
        Assert.Equal(4, (int)state["Options"]!["Seed"]!);
        Assert.Equal("cpu", (string)state["Backend"]!);
        Assert.NotEqual("", (string)state["SimdPath"]!);
        Assert.Empty(Directory.EnumerateDirectories(_directory.Path, "*.tmp"));
    }

    [Fact]
    public void OnlyTheNewestCheckpointsAreKept()
    {
        using RetrieverNetwork network = TinyModels.Network(_backend, RepresentationKind.Sparse);
        using RetrieverTrainer trainer = new(_backend, network, _set, Options with { CheckpointDirectory = _directory.Path, CheckpointInterval = 7, CheckpointsKept = 2 });
        trainer.Run();

        Assert.Equal(["checkpoint-21", "checkpoint-28"], Directory.EnumerateDirectories(_directory.Path).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void ANewRunDoesNotMixWithAnEarlierOne()
    {
        TrainUntil(2, RepresentationKind.Sparse, Options);

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TrainUntil(3, RepresentationKind.Sparse, Options));

        Assert.EndsWith("checkpoint-2: left by an earlier run; resume from it, remove it, or choose another directory", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OtherOptionsAreRefusedByName()
    {
        TrainUntil(2, RepresentationKind.Sparse, Options);

        Assert.Contains("LearningRate was 0.01 in the run to be resumed and is 0.02 now", Refusal(Options with { LearningRate = 0.02f }), StringComparison.Ordinal);
        Assert.Contains("StepCount was 30", Refusal(Options with { StepCount = 31 }), StringComparison.Ordinal);
        Assert.Contains("Seed was 4", Refusal(Options with { Seed = 5 }), StringComparison.Ordinal);
        Assert.Contains("ParameterGroups was []", Refusal(Options with { ParameterGroups = [new("bias", 2f)] }), StringComparison.Ordinal);
        Assert.Contains("Objective was", Refusal(Options with { Objective = TrainingObjective.InfoNce }), StringComparison.Ordinal);
        Assert.Contains("the training set was", Refusal(Options, TinyModels.TranslatedSet(41, 4)), StringComparison.Ordinal);

        using RetrieverNetwork network = TinyModels.Network(_backend, RepresentationKind.Sparse);
        using RetrieverTrainer trainer = new(_backend, network, _set, Options with { CheckpointInterval = 1, CheckpointsKept = 9 });
        trainer.Resume(_directory.Path);
        Assert.Equal(2, trainer.Step);
    }

    [Fact]
    public void ADamagedOrMissingCheckpointIsNamed()
    {
        string checkpoint = TrainUntil(2, RepresentationKind.Sparse, Options).Checkpoint!;
        string moments = Path.Combine(checkpoint, "optimizer.safetensors");
        byte[] bytes = File.ReadAllBytes(moments);
        File.WriteAllBytes(moments, bytes[..^5]);
        Assert.Contains("optimizer.safetensors: offset", Refusal(Options), StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(checkpoint, "trainer_state.json"), "{\n  \"Step\": 2,");
        Assert.Contains("trainer_state.json:", Refusal(Options), StringComparison.Ordinal);

        using RetrieverNetwork network = TinyModels.Network(_backend, RepresentationKind.Sparse);
        using RetrieverTrainer trainer = new(_backend, network, _set, Options);
        Assert.Contains("resume from a checkpoint-", Assert.Throws<FileNotFoundException>(() => trainer.Resume(Path.Combine(_directory.Path, "nowhere"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HistoryReadsBackToTheSameBits()
    {
        TrainingStep[] steps =
        [
            new() { Step = 1, Loss = 1.0 / 3, InfoNce = Math.PI, QueryFlops = 1e-300, LearningRate = 0.1, TokenCount = 7 },
            new() { Step = 2, Loss = -0.0, GradientNorm = double.MaxValue, DocumentNonZeros = 5e-324 },
        ];

        TrainingHistory.Write(_directory.Path, steps);

        Assert.Equal(steps, TrainingHistory.Read(_directory.Path));
        File.AppendAllText(Path.Combine(_directory.Path, "training.jsonl"), "oops\n");
        Assert.Contains("training.jsonl:3: not a training step", Assert.Throws<InvalidDataException>(() => TrainingHistory.Read(_directory.Path)).Message, StringComparison.Ordinal);
    }

    private TrainingResult TrainUntil(int step, RepresentationKind kind, TrainingOptions options)
    {
        using RetrieverNetwork network = TinyModels.Network(_backend, kind);
        using RetrieverTrainer trainer = new(_backend, network, _set, options with { CheckpointDirectory = _directory.Path });
        using CancellationTokenSource cancel = new();
        return trainer.Run(
            new Observer(p =>
            {
                if (p.Current.Step == step)
                {
                    cancel.Cancel();
                }
            }),
            cancel.Token);
    }

    private string Refusal(TrainingOptions options, TrainingSet? set = null)
    {
        using RetrieverNetwork network = TinyModels.Network(_backend, RepresentationKind.Sparse);
        using RetrieverTrainer trainer = new(_backend, network, set ?? _set, options);
        string message = Assert.Throws<InvalidDataException>(() => trainer.Resume(_directory.Path)).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }
}
