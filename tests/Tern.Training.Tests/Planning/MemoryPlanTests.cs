using Tern.Compute.Cpu;
using Tern.Model;
using Tern.Training.Planning;
using Xunit;

namespace Tern.Training.Tests.Planning;

/// <summary>The plan against what the backend has counted after training.</summary>
public sealed class MemoryPlanTests
{
    // Wide enough that tensors outweigh the tasks' buffers.
    private static readonly LlamaConfig Wide = TinyModels.Config with { HiddenSize = 128, HeadCount = 4, HeadSize = 32, KeyValueHeadCount = 2, IntermediateSize = 384, LayerCount = 3 };

    private static readonly TrainingOptions Options = new()
    {
        StepCount = 6,
        BatchSize = 16,
        NegativeCount = 3,
        LearningRate = 1e-3f,
        Temperature = 0.1f,
        CollapseCheckInterval = 0,
    };

    public static TheoryData<RepresentationKind, int, bool> Cases()
    {
        TheoryData<RepresentationKind, int, bool> cases = [];
        foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
        {
            cases.Add(kind, 0, false);
            cases.Add(kind, 0, true);
            cases.Add(kind, 8, false);
            cases.Add(kind, 8, true);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MeasuredPeakIsWithinATenthOfThePlan(RepresentationKind kind, int chunk, bool recompute)
    {
        TrainingOptions options = Options with { GradCacheChunk = chunk, RecomputeActivations = recompute };
        MemoryPlan plan = PlanOf(kind, options);
        (long tensors, long workspace) = Measure(kind, options);
        Assert.Equal(plan.Total - plan.Workspace, tensors);
        Assert.True(workspace < 2L << 20, $"workspace {workspace}");
        Assert.InRange(tensors + workspace, 0.9 * plan.Total, 1.1 * plan.Total);
    }

    [Fact]
    public void EightTimesTheBatchInTheSameMemory()
    {
        TrainingOptions small = Options with { BatchSize = 8, NegativeCount = 0 };
        (long before, _) = Measure(RepresentationKind.Dense, small);
        (long after, _) = Measure(RepresentationKind.Dense, small with { BatchSize = 64, GradCacheChunk = 16 });
        Assert.InRange(after, 0.9 * before, 1.1 * before);
    }

    [Fact]
    public void ALimitChoosesTheChunkAndWhatDoesNotFitIsRefused()
    {
        long whole = PlanOf(RepresentationKind.Dense, Options).Total;
        (TrainingOptions asIs, _) = Within(whole);
        Assert.Equal(Options, asIs);

        long recomputed = PlanOf(RepresentationKind.Dense, Options with { RecomputeActivations = true }).Total;
        long limit = recomputed - ((recomputed - PlanOf(RepresentationKind.Dense, Options with { RecomputeActivations = true, GradCacheChunk = 1 }).Total) / 2);
        (TrainingOptions chosen, MemoryPlan plan) = Within(limit);
        Assert.True(chosen.RecomputeActivations);
        Assert.InRange(chosen.GradCacheChunk, 2, 79);
        Assert.True(plan.Total <= limit);
        Assert.True(PlanOf(RepresentationKind.Dense, chosen with { GradCacheChunk = chosen.GradCacheChunk + 1 }).Total > limit);

        Assert.Contains("takes at least", Assert.Throws<ArgumentException>(() => Within(1 << 20)).Message);

        (TrainingOptions, MemoryPlan) Within(long bytes) => MemoryPlan.Within(bytes, b => BlankWeights.Of(b, Wide, hasTermBias: false, trainable: true), Contract(RepresentationKind.Dense), TinyModels.TranslatedSet(80, 4), Options);
    }

    [Fact]
    public void AShardedOptimizerTakesItsShare()
    {
        long alone = Optimizer(1);
        Assert.InRange(Optimizer(4), alone / 4, (alone / 4) + 1000);

        long Optimizer(int ranks) => MemoryPlan.Of(b => BlankWeights.Of(b, Wide, hasTermBias: false, trainable: true), Contract(RepresentationKind.Dense), TinyModels.TranslatedSet(80, 4), Options with { ShardOptimizer = true }, ranks).Optimizer;
    }

    private static MemoryPlan PlanOf(RepresentationKind kind, TrainingOptions options) =>
        MemoryPlan.Of(b => BlankWeights.Of(b, Wide, kind == RepresentationKind.Sparse, trainable: true), Contract(kind), TinyModels.TranslatedSet(80, 4), options);

    private static RetrieverContract Contract(RepresentationKind kind) => RetrieverContract.Lion(kind, Wide) with { HasTermBias = kind == RepresentationKind.Sparse, AddBos = false };

    private static (long Tensors, long Workspace) Measure(RepresentationKind kind, TrainingOptions options)
    {
        using CpuBackend backend = TinyModels.Backend();
        LlamaInitialization initialization = new() { TermBias = kind == RepresentationKind.Sparse ? -0.3f : null };
        using RetrieverNetwork network = new(backend, LlamaWeights.Random(backend, Wide, initialization, trainable: true), Contract(kind));
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(80, 4), options);
        trainer.Run();
        return (backend.TensorMemory.PeakByteCount, backend.Workspace.PeakByteCount);
    }
}
