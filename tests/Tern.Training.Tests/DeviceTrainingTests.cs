using Tern.Compute;
using Tern.Compute.Memory;
using Tern.Model;
using Tern.TestKit;
using Tern.Training.Planning;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Training.Tests;

/// <summary>Training and encoding on the emulated device, by the product's own CUDA backend, beside the CPU backend.</summary>
public sealed class DeviceTrainingTests(ITestOutputHelper output)
{
    /// <summary>Float32 on both sides: sums differ in their order only, which twenty steps amplify.</summary>
    private const double Tolerance = 1e-3;

    /// <summary>Products and activations of 8 significant bits beside Float32 ones.</summary>
    private const double BFloat16Tolerance = 0.06;

    private const int Steps = 20;

    /// <summary>A head of 64, for which BFloat16 attention has its own kernels.</summary>
    private static readonly LlamaConfig WideHead = TinyModels.Config with { HiddenSize = 72, HeadCount = 2, HeadSize = 64, KeyValueHeadCount = 1, IntermediateSize = 40 };

    /// <summary>Each with another order of the emulated threads.</summary>
    public static TheoryData<RepresentationKind, string, int> HeadsAndObjectives()
    {
        TheoryData<RepresentationKind, string, int> cases = [];
        int seed = 0;
        foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
        {
            foreach (string objective in new[] { "nce", "kldiv", "margin_mse", "nce_kldiv" })
            {
                cases.Add(kind, objective, seed++ % 4);
            }
        }

        return cases;
    }

    [EmulatedDeviceTheory]
    [MemberData(nameof(HeadsAndObjectives))]
    public void LossesAreTheCpusStepByStep(RepresentationKind kind, string objective, int seed)
    {
        TrainingOptions options = Options(kind, TrainingObjective.Parse(objective));
        IReadOnlyList<TrainingStep> expected = Train("cpu", 1, ProductPrecision.Float32, kind, options);
        Compare(expected, Train("cuda:0", seed + 1, ProductPrecision.Float32, kind, options), Tolerance, $"{kind} {objective}, schedule {seed}");
    }

    [EmulatedDeviceTheory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void BFloat16LossesStayBesideTheCpusFloat32(RepresentationKind kind)
    {
        // Slowly: large steps part the two ways, as a maximum that falls on another token moves another row.
        TrainingOptions options = Options(kind, TrainingObjective.InfoNce) with { LearningRate = 0.001f };
        IReadOnlyList<TrainingStep> expected = Train("cpu", 1, ProductPrecision.Float32, kind, options);
        Compare(expected, Train("cuda:0", 1, ProductPrecision.BFloat16, kind, options), BFloat16Tolerance, $"{kind} bf16");
    }

    [EmulatedDeviceFact]
    public void BFloat16AttentionOnTensorCoresTrainsAsTheCpuDoes()
    {
        TrainingOptions options = Options(RepresentationKind.Sparse, TrainingObjective.InfoNce) with { StepCount = 3 };
        IReadOnlyList<TrainingStep> expected = Train("cpu", 1, ProductPrecision.Float32, RepresentationKind.Sparse, options, WideHead);
        Compare(expected, Train("cuda:0", 2, ProductPrecision.BFloat16, RepresentationKind.Sparse, options, WideHead), BFloat16Tolerance, "bf16, heads of 64");
    }

    [EmulatedDeviceTheory]
    [InlineData(ProductPrecision.Float32)]
    [InlineData(ProductPrecision.BFloat16)]
    public void ThePlanIsWhatTheDeviceMeasures(ProductPrecision precision)
    {
        const RepresentationKind Kind = RepresentationKind.Sparse;
        TrainingOptions options = Options(Kind, TrainingObjective.InfoNce) with { StepCount = 2 };
        using IBackend backend = Backends.Create("cuda:0", 1, precision);
        RetrieverContract contract;
        using (RetrieverNetwork network = TinyModels.Network(backend, Kind))
        using (RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(30, 3), options))
        {
            contract = network.Contract;
            trainer.Run();
        }

        var meter = (IMeteredBackend)backend;
        MemoryPlan plan = MemoryPlan.Of(b => BlankWeights.Of(b, TinyModels.Config, hasTermBias: true, trainable: true), contract, TinyModels.TranslatedSet(30, 3), options, activationType: backend.ActivationType);
        output.WriteLine($"{precision}: {plan}; workspace {meter.Workspace.PeakByteCount} bytes");
        Assert.Equal(plan.Total - plan.Workspace, meter.TensorMemory.PeakByteCount);
        Assert.Equal(0, meter.TensorMemory.ByteCount);
        Assert.InRange(((IDeviceMemory)backend).FreeByteCount, 1, long.MaxValue);
    }

    [EmulatedDeviceFact]
    public void LossesHaveTheSameBitsForEveryOrderOfTheThreads()
    {
        TrainingOptions options = Options(RepresentationKind.Sparse, TrainingObjective.InfoNceAndKlDivergence) with { StepCount = 1 };
        IReadOnlyList<TrainingStep> expected = Train("cuda:0", 1, ProductPrecision.Float32, RepresentationKind.Sparse, options);
        foreach (int seed in new[] { 1, 2 })
        {
            Assert.Equal(expected, Train("cuda:0", seed + 1, ProductPrecision.Float32, RepresentationKind.Sparse, options));
        }
    }

    [EmulatedDeviceTheory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void VectorsAreTheCpus(RepresentationKind kind)
    {
        int[] tokens = TestValues.Integers(57, TinyModels.VocabularySize, 3), starts = TestValues.Starts(9, 1, 0, 30, 17);
        float[] Encode(string name)
        {
            using IBackend backend = Backends.Create(name, 2);
            using RetrieverNetwork network = TinyModels.Network(backend, kind);
            Tensor vectors = network.Forward(tokens, starts);
            float[] values = new float[vectors.ElementCount];
            backend.Download<float>(vectors, values);
            return values;
        }

        float[] expected = Encode("cpu"), actual = Encode("cuda:0");
        output.WriteLine(TestKit.Tolerance.For(DType.Float32, 64).Times(4).Check(kind.ToString(), actual, expected.ToDouble()));
    }

    /// <summary>
    /// What a step asks of the device once memory has grown to the largest batch: no allocation, and a wait only where the host
    /// reads numbers: the losses, the regulariser of queries and that of documents, the vectors' non-zeros, the gradients' norm.
    /// </summary>
    [EmulatedDeviceTheory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void ASteadyStepAllocatesNothingOnTheDeviceAndWaitsForWhatItReads(RepresentationKind kind)
    {
        TrainingOptions options = Options(kind, TrainingObjective.InfoNce) with { StepCount = 100 };
        using IBackend backend = Backends.Create("cuda:0", 1);
        using RetrieverNetwork network = TinyModels.Network(backend, kind);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(50, 3), options);
        int step = 1;
        for (; step <= 5; step++)
        {
            trainer.Rehearse(step);
        }

        string[] record = EmulatedDevice.Record(() => trainer.Rehearse(step));
        ILookup<string, string> byKind = record.ToLookup(line => line.Split(' ')[0]);
        output.WriteLine($"{kind}: {string.Join(", ", byKind.Select(g => $"{g.Count()} {g.Key}"))}");
        Assert.Empty(byKind["alloc"]);
        Assert.Empty(byKind["free"]);
        Assert.Empty(byKind["alloc-host"]);
        Assert.Equal(byKind["download"].Count(), byKind["synchronize"].Count());
        Assert.Equal(kind == RepresentationKind.Sparse ? 5 : 3, byKind["synchronize"].Count());
        Assert.InRange(byKind["launch"].Count() + byKind["gemm"].Count(), 50, 400);
    }

    private static TrainingOptions Options(RepresentationKind kind, TrainingObjective objective) => new()
    {
        StepCount = Steps,
        BatchSize = 3,
        NegativeCount = 1,
        Objective = objective,
        LearningRate = 0.005f,
        Temperature = kind == RepresentationKind.Sparse ? 1f : 0.1f,
        QueryFlopsWeight = kind == RepresentationKind.Sparse ? 0.01f : 0f,
        DocumentFlopsWeight = kind == RepresentationKind.Sparse ? 0.01f : 0f,
        CollapseCheckInterval = 0,
    };

    private static IReadOnlyList<TrainingStep> Train(string name, int threads, ProductPrecision precision, RepresentationKind kind, TrainingOptions options, LlamaConfig? config = null)
    {
        using IBackend backend = Backends.Create(name, threads, precision);
        using RetrieverNetwork network = TinyModels.Network(backend, kind, config: config);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(30, 3), options);
        return trainer.Run().History;
    }

    private void Compare(IReadOnlyList<TrainingStep> expected, IReadOnlyList<TrainingStep> actual, double tolerance, string what)
    {
        Assert.Equal(expected.Count, actual.Count);
        double worst = 0;
        foreach ((TrainingStep e, TrainingStep a) in expected.Zip(actual))
        {
            double error = Math.Abs(a.Loss - e.Loss) / Math.Max(Math.Abs(e.Loss), 0.1);
            Assert.True(error <= tolerance, $"{what}: step {e.Step} has loss {a.Loss:R}, expected {e.Loss:R}, {error:e1} apart");
            worst = Math.Max(worst, error);
        }

        Assert.True(expected[^1].Loss != expected[0].Loss, $"{what}: the losses do not move");
        output.WriteLine($"{what}: losses {expected[0].Loss:g4} to {expected[^1].Loss:g4}, at most {worst:e1} apart");
    }
}
