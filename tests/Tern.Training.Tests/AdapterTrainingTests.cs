using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Model;
using Tern.TestKit;
using Tern.TestKit.DoublePrecision;
using Xunit;

namespace Tern.Training.Tests;

/// <summary>Training an adapter on frozen weights, dropout included.</summary>
public sealed class AdapterTrainingTests : IDisposable
{
    private static readonly LoraSettings Lora = new() { Rank = 3, Alpha = 6, Dropout = 0.2f };

    private static readonly TrainingOptions Options = TinyModels.Options;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>The whole loss along each half's gradient, with the masks of the batch, in double precision but for the losses' own rounding.</summary>
    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void EveryHalfsGradientIsThatOfTheLoss(RepresentationKind kind)
    {
        DoubleBackend backend = new();
        using RetrieverNetwork network = Adapted(backend, kind, random: true);
        TrainingOptions options = TinyModels.Suited(Options with { BatchSize = 4, CollapseCheckInterval = 0, StepCount = 3 }, kind);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(20, negativeCount: 4), options);
        network.Weights.ZeroGradients();
        trainer.Accumulate(1);
        Assert.Equal(2 * 7 * TinyModels.Config.LayerCount, network.Weights.TrainableParameters.Count);
        List<(Parameter Parameter, Tensor Direction, double Norm)> gradients = [.. network.Weights.TrainableParameters.Select(p =>
        {
            Tensor direction = backend.Allocate(DType.Float32).Shape(p.Value.Rows, p.Value.Columns);
            backend.Copy(p.Gradient, direction);
            return (p, direction, Math.Sqrt(backend.Doubles(direction).Sum(g => g * g)));
        })];
        foreach ((Parameter parameter, Tensor direction, double norm) in gradients)
        {
            double epsilon = 2e-4 / norm;
            double measured = (Loss(epsilon) - Loss(-epsilon)) / (2 * epsilon * norm);
            Assert.True(norm > 1e-3, $"{parameter.Name}: the gradient is too small to be checked");
            Assert.True(Math.Abs((measured / norm) - 1) <= 0.005, $"{parameter.Name}: backward gives {norm}, differences {measured}");

            double Loss(double step)
            {
                backend.AddScaled(direction, (float)step, parameter.Value);
                double loss = trainer.Accumulate(1).Loss;
                backend.AddScaled(direction, -(float)step, parameter.Value);
                return loss;
            }
        }
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void AResumedRunEqualsOneThatWasNeverStopped(RepresentationKind kind)
    {
        TrainingOptions options = TinyModels.Suited(Options, kind) with { CheckpointDirectory = _directory.Path };
        TrainingSet set = TinyModels.TranslatedSet(40, 4);
        using CpuBackend backend = TinyModels.Backend(), other = TinyModels.Backend(2);
        using RetrieverNetwork whole = Adapted(backend, kind), stopped = Adapted(backend, kind), resumed = Adapted(other, kind, random: true);
        using RetrieverTrainer wholeTrainer = new(backend, whole, set, options with { CheckpointDirectory = null });
        TrainingResult expected = wholeTrainer.Run();

        using RetrieverTrainer stoppedTrainer = new(backend, stopped, set, options);
        using CancellationTokenSource cancel = new();
        stoppedTrainer.Run(new Observer(p => (p.Current.Step == 9 ? cancel : null)?.Cancel()), cancel.Token);
        Assert.True(File.Exists(Path.Combine(_directory.Path, "checkpoint-9", "adapter_model.safetensors")));
        Assert.False(File.Exists(Path.Combine(_directory.Path, "checkpoint-9", "model.safetensors")));

        using RetrieverTrainer trainer = new(other, resumed, set, options);
        trainer.Resume(_directory.Path);
        Assert.Equal(expected.History, trainer.Run().History);
        Assert.Equal(Values(whole), Values(resumed));
    }

    /// <summary>Blocks computed again and batches in chunks drop what the undivided batch drops.</summary>
    [Theory]
    [InlineData(0, true)]
    [InlineData(5, false)]
    public void MasksAreReplayedHoweverTheBatchIsDivided(int chunk, bool recompute)
    {
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = Adapted(backend, RepresentationKind.Dense, random: true);
        TrainingOptions options = TinyModels.Suited(Options, RepresentationKind.Dense);
        float[] expected = Gradient(options), actual = Gradient(options with { GradCacheChunk = chunk, RecomputeActivations = recompute });
        double largest = expected.Max(MathF.Abs);
        Assert.All(expected.Zip(actual), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= 1e-5 * largest, $"{pair}"));
        Assert.True(largest > 0.01);

        float[] Gradient(TrainingOptions with)
        {
            using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(20, 4), with);
            network.Weights.ZeroGradients();
            trainer.Accumulate(1);
            return [.. network.Weights.TrainableParameters.SelectMany(p => p.Gradient.Span<float>().ToArray())];
        }
    }

    [Fact]
    public void TheWeightsBelowStayAsTheyAre()
    {
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = Adapted(backend, RepresentationKind.Dense), untouched = Adapted(backend, RepresentationKind.Dense);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), TinyModels.Suited(Options, RepresentationKind.Dense));
        TrainingResult result = trainer.Run();

        Assert.True(result.History[^1].Loss < result.History[0].Loss);
        Assert.Equal(RetrieverTrainerTests.Values(untouched), RetrieverTrainerTests.Values(network));
        Assert.NotEqual(Values(untouched), Values(network));
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void ASteadyStepAllocatesNothing(RepresentationKind kind)
    {
        // One thread, so that the tasks too run on the thread whose allocations are counted.
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = Adapted(backend, kind);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(50, 3), TinyModels.Suited(Options, kind));
        int step = 1;
        for (; step <= 12; step++)
        {
            trainer.Rehearse(step);
        }

        Assert.Equal(0, Allocations.Fewest(() => trainer.Rehearse(++step)));
    }

    /// <summary>The two contexts that are one document in two places of a batch, and one example in two epochs, drop differently; one example in two batches of an epoch alike.</summary>
    [Fact]
    public void DropoutKeysFollowExampleEpochAndPlace()
    {
        TrainingSet set = TinyModels.TranslatedSet(8, 4);
        TrainingBatch whole = new(8, 2), half = new(4, 2);
        BatchSampler sampler = new(set, Options), halves = new(set, Options with { BatchSize = 4 });
        sampler.Fill(0, whole);
        Assert.Equal(whole.DropoutKeys.Length, whole.DropoutKeys.Distinct().Count());
        halves.Fill(1, half);
        for (int query = 0; query < 4; query++)
        {
            int there = Array.IndexOf(whole.Examples, half.Examples[query]);
            Assert.Equal(whole.DropoutKeys[there], half.DropoutKeys[query]);
            Assert.Equal(whole.DropoutKeys[8 + whole.CandidateColumn(there, 2)], half.DropoutKeys[4 + half.CandidateColumn(query, 2)]);
        }

        uint[] before = [.. whole.DropoutKeys];
        sampler.Fill(1, whole);
        Assert.Empty(before.Intersect(whole.DropoutKeys));
    }

    private static RetrieverNetwork Adapted(IBackend backend, RepresentationKind kind, bool random = false)
    {
        bool sparse = kind == RepresentationKind.Sparse;
        LlamaInitialization initialization = new() { EmbeddingStandardDeviation = 0.5f, ProjectionStandardDeviation = 0.2f, TermBias = sparse ? -0.3f : null };
        LlamaWeights weights = LlamaWeights.Random(backend, TinyModels.Config, initialization, trainable: false);
        LiveAdapter adapter = weights.AddAdapter(Lora, "base");
        int seed = 1;
        foreach (Parameter half in adapter.Parameters.Where(_ => random))
        {
            backend.Upload<float>(TestValues.Normal(half.Value.Rows * half.Value.Columns, seed++, 0.1), half.Value);
        }

        return new RetrieverNetwork(backend, weights, RetrieverContract.Lion(kind, TinyModels.Config) with { HasTermBias = sparse, AddBos = false });
    }

    private static float[] Values(RetrieverNetwork network) => [.. network.Weights.TrainableParameters.SelectMany(p => p.Value.Span<float>().ToArray())];
}
