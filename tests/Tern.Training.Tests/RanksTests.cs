using System.Collections.Concurrent;
using Tern.Compute.Collectives;
using Tern.Compute.Cpu;
using Tern.Model;
using Tern.TestKit.DoublePrecision;
using Xunit;

namespace Tern.Training.Tests;

/// <summary>However a batch is divided, over chunks in time or over ranks, its gradient is one and the same.</summary>
public sealed class RanksTests
{
    private const double Exact = 1e-12;

    private static readonly TrainingOptions Sparse = new()
    {
        StepCount = 20,
        BatchSize = 8,
        NegativeCount = 2,
        LearningRate = 3e-3f,
        Objective = TrainingObjective.InfoNceAndKlDivergence,
        QueryFlopsWeight = 0.1f,
        DocumentFlopsWeight = 0.2f,
        FlopsRampSteps = 1,
        CollapseCheckInterval = 5,
    };

    private static readonly TrainingOptions Dense = Sparse with { QueryFlopsWeight = 0f, DocumentFlopsWeight = 0f, Temperature = 0.3f };

    public static TheoryData<RepresentationKind, int, int, bool> Divisions()
    {
        TheoryData<RepresentationKind, int, int, bool> cases = [];
        foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
        {
            cases.Add(kind, 1, 5, false);
            cases.Add(kind, 1, 0, true);
            cases.Add(kind, 2, 0, false);
            cases.Add(kind, 4, 0, false);
            cases.Add(kind, 4, 3, true);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Divisions))]
    public void GradientsInDoublePrecisionDoNotDependOnTheDivision(RepresentationKind kind, int rankCount, int chunk, bool recompute)
    {
        double[] expected = GradientsInDouble(kind, 1, OptionsOf(kind));
        double[] divided = GradientsInDouble(kind, rankCount, OptionsOf(kind) with { GradCacheChunk = chunk, RecomputeActivations = recompute });
        double scale = expected.Max(Math.Abs);
        double error = expected.Zip(divided, (x, y) => Math.Abs(x - y)).Max();
        Assert.True(scale > 1e-3 && error <= Exact * scale, $"off by {error / scale:e2} of the largest gradient {scale}");
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void DoublePrecisionAndFloat32AgreeAboutTheGradient(RepresentationKind kind)
    {
        double[] expected = GradientsInDouble(kind, 1, OptionsOf(kind));
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, kind);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), OptionsOf(kind));
        network.Weights.ZeroGradients();
        trainer.Accumulate(2);
        float[] gradients = Gradients(network);
        double scale = expected.Max(Math.Abs);
        double error = expected.Zip(gradients, (x, y) => Math.Abs(x - y)).Max();
        Assert.True(error <= 2e-5 * scale, $"off by {error / scale:e2} of the largest gradient {scale}");
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void BlocksComputedAgainGiveTheSameBits(RepresentationKind kind)
    {
        (IReadOnlyList<TrainingStep> history, float[] weights) = Train(kind, 1, OptionsOf(kind));
        (IReadOnlyList<TrainingStep> again, float[] weightsAgain) = Train(kind, 1, OptionsOf(kind) with { RecomputeActivations = true });
        Assert.Equal(history, again);
        Assert.Equal(weights, weightsAgain);
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse, 2, 0, false)]
    [InlineData(RepresentationKind.Sparse, 4, 3, true)]
    [InlineData(RepresentationKind.Dense, 4, 0, true)]
    public void LossesOfTwentyStepsAreThoseOfOneRank(RepresentationKind kind, int rankCount, int chunk, bool shard)
    {
        (IReadOnlyList<TrainingStep> expected, _) = Train(kind, 1, OptionsOf(kind));
        (IReadOnlyList<TrainingStep> history, _) = Train(kind, rankCount, OptionsOf(kind) with { GradCacheChunk = chunk, ShardOptimizer = shard });
        Assert.Equal(20, history.Count);
        for (int i = 0; i < history.Count; i++)
        {
            Assert.Equal(expected[i].TokenCount, history[i].TokenCount);
            Assert.True(Math.Abs(expected[i].Loss - history[i].Loss) <= 1e-5 * expected[i].Loss, $"step {i + 1}: {history[i].Loss} and {expected[i].Loss}");
        }
    }

    [Fact]
    public void ARunOfRanksResumesWithEqualLossesAndOnAnotherNumberOfRanksWithCloseOnes()
    {
        using TemporaryDirectory directory = new();
        TrainingOptions options = Sparse with { ShardOptimizer = true };
        (IReadOnlyList<TrainingStep> whole, float[] weights) = Train(RepresentationKind.Sparse, 2, options);
        TrainingOptions stored = options with { CheckpointDirectory = directory.Path };
        Train(RepresentationKind.Sparse, 2, stored, directory: null, stopAfter: 7);
        string copy = Path.Combine(directory.Path, "copy");
        CopyDirectory(Path.Combine(directory.Path, "checkpoint-7"), copy);

        (IReadOnlyList<TrainingStep> resumed, float[] resumedWeights) = Train(RepresentationKind.Sparse, 2, stored, directory.Path);
        Assert.Equal(whole, resumed);
        Assert.Equal(weights, resumedWeights);

        (IReadOnlyList<TrainingStep> onFour, _) = Train(RepresentationKind.Sparse, 4, options, copy);
        Assert.Equal(whole.Take(7), onFour.Take(7));
        Assert.All(whole.Zip(onFour), pair => Assert.Equal(pair.First.Loss, pair.Second.Loss, 1e-5 * pair.First.Loss));
    }

    [Fact]
    public void ARankThatFailsEndsTheOthersWithItsName()
    {
        ConcurrentBag<string> messages = [];
        RankFailedException e = Assert.Throws<RankFailedException>(() => ThreadRanks.Run(4, (ranks, rank) =>
        {
            using CpuBackend backend = TinyModels.Backend();
            using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Dense);
            using ICollective collective = ranks.Join(rank, backend);
            using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), Dense, collective);
            try
            {
                trainer.Run(new Observer(p =>
                {
                    if (rank == 2 && p.Current.Step == 3)
                    {
                        throw new IOException("the disk is gone");
                    }
                }));
            }
            catch (RankFailedException failed)
            {
                messages.Add(failed.Message);
                throw;
            }
        }));
        Assert.Equal(2, e.Rank);
        Assert.Contains("rank 2 of 4: the disk is gone", e.Message);
        Assert.Equal(3, messages.Count);
        Assert.All(messages, m => Assert.Contains("rank 2 of 4: the disk is gone", m));
    }

    [Fact]
    public void RanksWithDifferentOptionsAreRefused()
    {
        RankFailedException e = Assert.Throws<RankFailedException>(() => ThreadRanks.Run(2, (ranks, rank) =>
        {
            using CpuBackend backend = TinyModels.Backend();
            using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Dense);
            using ICollective collective = ranks.Join(rank, backend);
            using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), Dense with { Seed = (ulong)rank }, collective);
            trainer.Run();
        }));
        Assert.Contains("the options of rank 1 is not that of rank 0", e.Message);
    }

    [Fact]
    public void ABatchThatDoesNotDivideIsRefused() =>
        Assert.Contains("multiple of the 3 ranks", Assert.Throws<RankFailedException>(() => Train(RepresentationKind.Dense, 3, Dense)).Message);

    private static TrainingOptions OptionsOf(RepresentationKind kind) => kind == RepresentationKind.Sparse ? Sparse : Dense;

    private static (IReadOnlyList<TrainingStep> History, float[] Weights) Train(RepresentationKind kind, int rankCount, TrainingOptions options, string? directory = null, int stopAfter = int.MaxValue)
    {
        IReadOnlyList<TrainingStep>[] histories = new IReadOnlyList<TrainingStep>[rankCount];
        float[][] weights = new float[rankCount][];
        ThreadRanks.Run(rankCount, (ranks, rank) =>
        {
            using CpuBackend backend = TinyModels.Backend();
            using RetrieverNetwork network = TinyModels.Network(backend, kind, seed: 1 + rank);
            using ICollective collective = ranks.Join(rank, backend);
            using CancellationTokenSource stop = new();
            using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), options, collective);
            if (directory is not null)
            {
                trainer.Resume(directory);
            }

            histories[rank] = trainer.Run(new Observer(p =>
            {
                if (rank == rankCount - 1 && p.Current.Step == stopAfter)
                {
                    stop.Cancel();
                }
            }), stop.Token).History;
            weights[rank] = RetrieverTrainerTests.Values(network);
        });
        Assert.All(histories, h => Assert.Equal(histories[0], h));
        Assert.All(weights, w => Assert.Equal(weights[0], w));
        return (histories[0], weights[0]);
    }

    private static double[] GradientsInDouble(RepresentationKind kind, int rankCount, TrainingOptions options)
    {
        double[] gradients = [];
        ThreadRanks.Run(rankCount, (ranks, rank) =>
        {
            using DoubleBackend backend = new();
            using RetrieverNetwork network = TinyModels.Network(backend, kind);
            using ICollective collective = ranks.Join(rank, backend);
            using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), options, collective);
            network.Weights.ZeroGradients();
            trainer.Accumulate(2);
            if (rank == rankCount - 1)
            {
                gradients = [.. network.Weights.Parameters.SelectMany(p => backend.Doubles(p.Gradient))];
            }
        });
        return gradients;
    }

    private static float[] Gradients(RetrieverNetwork network) => [.. network.Weights.Parameters.SelectMany(p => p.Gradient.Span<float>().ToArray())];

    private static void CopyDirectory(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.EnumerateFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }
    }
}
