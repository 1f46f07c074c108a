using Tern.Compute;
using Tern.Compute.Counting;
using Tern.Model;
using Tern.TestKit.DoublePrecision;
using Tern.Training.Planning;
using Xunit;

namespace Tern.Training.Tests;

/// <summary>Operations counted from shapes against multiply-adds counted one by one in the oracle's innermost loops.</summary>
public sealed class FlopPlanTests
{
    private const int Steps = 3;

    public static TheoryData<RepresentationKind, string, bool> Runs() => new()
    {
        { RepresentationKind.Dense, "nce", false },
        { RepresentationKind.Dense, "margin_mse", true },
        { RepresentationKind.Dense, "nce_kldiv", true },
        { RepresentationKind.Sparse, "nce", false },
        { RepresentationKind.Sparse, "nce_kldiv", true },
    };

    [Theory]
    [MemberData(nameof(Runs))]
    public void CountsWhatIsExecuted(RepresentationKind kind, string loss, bool recompute)
    {
        TrainingSet set = TinyModels.TranslatedSet(12, negativeCount: 3);
        TrainingOptions options = Options(loss, recompute);
        DoubleBackend oracle = new();
        FlopCountingBackend counting = new(oracle);
        using RetrieverNetwork network = TinyModels.Network(counting, kind);
        using RetrieverTrainer trainer = new(counting, network, set, options);
        trainer.Run();

        FlopCounts counts = counting.Counts;
        double executed = 2.0 * oracle.MultiplyAdds;
        if (kind == RepresentationKind.Dense)
        {
            Assert.Equal(executed, counts.Total);
        }
        else
        {
            // The sparse head's backward is counted as if every maximum carried a gradient: 4 · H of each, forward 2 · T · V · H.
            double headBackward = counts.Head - (2.0 * trainer.History.Sum(s => s.TokenCount) * TinyModels.VocabularySize * TinyModels.Config.HiddenSize);
            Assert.InRange(executed, counts.Total - headBackward, counts.Total);
            Assert.True(headBackward > 0 && headBackward < 0.2 * counts.Total);
        }

        Assert.True(counts.Projections > 0 && counts.Attention > 0 && counts.Other > 0);
        Assert.Equal(counts.Total, FlopPlan.Count(b => TinyModels.Network(b, kind).Weights, TinyModels.Network(new DoubleBackend(), kind).Contract, set, options, 1, Steps));
    }

    [Fact]
    public void ComputingBlocksAgainCostsAForwardOfTheBlocksAtMost()
    {
        TrainingSet set = TinyModels.TranslatedSet(12, negativeCount: 3);
        double plain = Count(Options("nce", recompute: false)), again = Count(Options("nce", recompute: true));
        Assert.InRange(again / plain, 1.05, 4.0 / 3.0);

        double Count(TrainingOptions options) => FlopPlan.Count(b => TinyModels.Network(b, RepresentationKind.Dense).Weights, TinyModels.Network(new DoubleBackend(), RepresentationKind.Dense).Contract, set, options, 1, Steps);
    }

    [Fact]
    public void ABudgetBecomesTheNearestNumberOfSteps()
    {
        TrainingSet set = TinyModels.TranslatedSet(12, negativeCount: 3);
        RetrieverContract contract = TinyModels.Network(new DoubleBackend(), RepresentationKind.Sparse).Contract;
        Func<IBackend, LlamaWeights> weights = b => TinyModels.Network(b, RepresentationKind.Sparse).Weights;
        double budget = 40 * FlopPlan.Count(weights, contract, set, Options("nce", recompute: false) with { StepCount = 40 }, 1, 40) / 40;
        (int steps, double perStep) = FlopPlan.Within(budget, weights, contract, set, Options("nce", recompute: false));
        Assert.InRange(steps, 39, 41);
        Assert.InRange(steps * perStep / budget, 0.98, 1.02);
    }

    private static TrainingOptions Options(string loss, bool recompute) => new()
    {
        StepCount = Steps,
        Objective = TrainingObjective.Parse(loss),
        BatchSize = 4,
        NegativeCount = 2,
        CollapseCheckInterval = 0,
        RecomputeActivations = recompute,
        LearningRate = 1e-4f,
    };
}
