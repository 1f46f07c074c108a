using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Model;
using Tern.TestKit;
using Xunit;

namespace Tern.Training.Tests;

public sealed class RetrieverTrainerTests
{
    private static readonly TrainingOptions Sparse = new()
    {
        StepCount = 30,
        BatchSize = 8,
        NegativeCount = 2,
        Objective = TrainingObjective.InfoNceAndKlDivergence,
        AccumulationCount = 2,
        LearningRate = 0.01f,
        WarmupRatio = 0.1f,
        QueryFlopsWeight = 0.01f,
        DocumentFlopsWeight = 0.01f,
        ParameterGroups = [new("sparse_head.bias", 3f), new("embed", 0.5f)],
        Optimizer = new() { WeightDecay = 0.01f },
        Seed = 4,
        CollapseCheckInterval = 5,
    };

    private static readonly TrainingOptions Dense = new() { StepCount = 10, BatchSize = 8, Temperature = 0.1f, LearningRate = 0.01f };

    /// <summary>Batch sampler, forward, loss, collapse check, backward, gradient norm and update.</summary>
    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void ASteadyStepAllocatesNothing(RepresentationKind kind)
    {
        // One thread, so that the tasks too run on the thread whose allocations are counted.
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, kind);
        TrainingOptions options = (kind == RepresentationKind.Sparse ? Sparse : Dense) with { CollapseCheckInterval = 1, WarmupRatio = 0 };
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(50, 3), options);
        int step = 1;
        for (; step <= 12; step++)
        {
            trainer.Rehearse(step);
        }

        Assert.Equal(0, Allocations.Fewest(() => trainer.Rehearse(++step)));
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse, 250, 0.01f)]
    [InlineData(RepresentationKind.Dense, 250, 0.01f)]
    public void LearnsToFindEveryDocument(RepresentationKind kind, int steps, float learningRate)
    {
        TrainingSet set = TinyModels.TranslatedSet(50);
        TrainingOptions options = new()
        {
            StepCount = steps,
            BatchSize = 25,
            LearningRate = learningRate,
            Temperature = kind == RepresentationKind.Sparse ? 1f : 0.05f,
            QueryFlopsWeight = kind == RepresentationKind.Sparse ? 1e-3f : 0f,
            DocumentFlopsWeight = kind == RepresentationKind.Sparse ? 1e-3f : 0f,
        };
        using CpuBackend backend = TinyModels.Backend(2);
        using RetrieverNetwork network = TinyModels.Network(backend, kind);
        using RetrieverTrainer trainer = new(backend, network, set, options);
        double before = MeanReciprocalRank(network, set);
        List<TrainingProgress> reports = [];

        TrainingResult result = trainer.Run(new Observer(reports.Add));

        double after = MeanReciprocalRank(network, set);
        Assert.InRange(before, 0, 0.4);
        Assert.InRange(after, 0.97, 1);
        Assert.False(result.Stopped);
        Assert.Null(result.Checkpoint);
        Assert.Equal(steps, result.History.Count);
        Assert.Equal(result.History, reports.Select(r => r.Current));
        Assert.True(result.History[^1].Loss < result.History[0].Loss / 4);
        Assert.All(reports, r => Assert.True(r.TokensPerSecond > 0 && r.Current.GradientNorm > 0 && r.Current.QueryNonZeros > 0 && r.StepCount == steps));
        Assert.Equal(TimeSpan.Zero, reports[^1].Remaining);
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void LossesAndWeightsDoNotDependOnTheThreadCount(RepresentationKind kind)
    {
        TrainingOptions options = kind == RepresentationKind.Sparse ? Sparse with { StepCount = 10 } : Dense;

        (IReadOnlyList<TrainingStep> history, float[] weights) = Train(kind, options, threads: 1);
        (IReadOnlyList<TrainingStep> other, float[] otherWeights) = Train(kind, options, threads: 2);

        Assert.Equal(history, other);
        Assert.Equal(weights, otherWeights);
    }

    [Fact]
    public void AccumulationAveragesFullBatches()
    {
        // One step of two batches has the mean of their gradients: that of each alone, added and halved.
        TrainingOptions two = Sparse with { StepCount = 1, AccumulationCount = 2, FlopsRampSteps = 1, CollapseCheckInterval = 0 };
        TrainingOptions one = two with { AccumulationCount = 1, StepCount = 2 };
        TrainingSet set = TinyModels.TranslatedSet(20, negativeCount: 4);
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Sparse);
        using RetrieverTrainer together = new(backend, network, set, two);
        using RetrieverTrainer apart = new(backend, network, set, one);

        TrainingStep sum = together.Accumulate(1);
        float[] gradient = Gradients(network);
        network.Weights.ZeroGradients();
        TrainingStep first = apart.Accumulate(1);
        TrainingStep second = apart.Accumulate(2);
        float[] added = Gradients(network);

        Assert.Equal((first.Loss + second.Loss) / 2, sum.Loss, 6);
        Assert.Equal((first.DocumentFlops + second.DocumentFlops) / 2, sum.DocumentFlops, 6);
        Assert.Equal((first.QueryNonZeros + second.QueryNonZeros) / 2, sum.QueryNonZeros, 6);
        Assert.Equal(first.TokenCount + second.TokenCount, sum.TokenCount);
        Assert.True(gradient.Max() > 0.01f);
        for (int i = 0; i < gradient.Length; i++)
        {
            Assert.Equal(added[i] / 2, gradient[i], 1e-4f);
        }
    }

    [Fact]
    public void GradientsAreClippedByTheirGlobalNorm()
    {
        // AdamW hardly sees a scale on the gradients, but its moments do.
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Dense);
        using AdamWOptimizer optimizer = new(backend, network.Weights.Parameters, Dense);
        double squares = 0;
        foreach (Parameter parameter in network.Weights.Parameters)
        {
            Span<float> gradient = parameter.Gradient.Span<float>();
            gradient.Fill(0.5f);
            squares += 0.25 * gradient.Length;
        }

        double norm = optimizer.GradientNorm();
        Assert.Equal(Math.Sqrt(squares), norm, 9);
        Assert.Equal(1 / Math.Sqrt(squares), optimizer.ClipScale(norm), 6);
        Assert.Equal(1f, optimizer.ClipScale(0.9));

        optimizer.Step(1, 0.001, optimizer.ClipScale(norm));
        float clipped = (float)(0.5 / Math.Sqrt(squares));
        Assert.All(optimizer.Parameters, p => Assert.Equal(0.1f * clipped, p.FirstMoment.Span<float>()[0], 1e-7f));
    }

    [Fact]
    public void AGroupsParametersLearnAtAMultipleOfTheRate()
    {
        TrainingOptions options = Sparse with { ParameterGroups = [new("sparse_head.bias", 0f)], StepCount = 3, Optimizer = new() };
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Sparse);
        float[] bias = network.Weights.TermBias.Value.Span<float>().ToArray();
        float[] embedding = network.Weights.Embedding.Value.Span<float>().ToArray();
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(20, 4), options);

        trainer.Run();

        Assert.Equal(bias, network.Weights.TermBias.Value.Span<float>().ToArray());
        Assert.NotEqual(embedding, network.Weights.Embedding.Value.Span<float>().ToArray());
        Assert.Contains("no parameter's name contains 'nothing'", Assert.Throws<ArgumentException>(() => new RetrieverTrainer(backend, network, TinyModels.TranslatedSet(20, 4), options with { ParameterGroups = [new("nothing", 1f)] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ARunThatDivergesStopsWithTheReason()
    {
        TrainingOptions options = Dense with { CollapseCheckInterval = 1, WarmupRatio = 0f };
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Dense);
        network.Weights.FinalNorm.Value.Span<float>()[0] = float.NaN;
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(20), options);

        TrainingCollapsedException e = Assert.Throws<TrainingCollapsedException>(() => trainer.Run());

        Assert.StartsWith("training collapsed at step 1: the loss is NaN", e.Message, StringComparison.Ordinal);
        Assert.Equal(0, trainer.Step);
    }

    [Fact]
    public void SilentSparseVectorsStopTheRun()
    {
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Sparse);
        network.Weights.TermBias.Value.Span<float>().Fill(-1000f);

        Assert.Contains("every query vector of the batch is all zeros; lower the FLOPS weights", Collapse(backend, network), StringComparison.Ordinal);
    }

    [Fact]
    public void SparseVectorsReadFromOnePositionStopTheRun()
    {
        // Tokens 0 to 7 light up entries 31 and beyond, each its own mostly; tokens 8 to 30 light up themselves, which is silenced.
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Sparse);
        network.BypassBlocks = true;
        Span<float> bias = network.Weights.TermBias.Value.Span<float>();
        bias.Clear();
        bias[8..31].Fill(-1000f);
        network.Weights.Embedding.Value.Span<float>().Clear();
        for (int token = 0; token < TinyModels.VocabularySize; token++)
        {
            Span<float> row = network.Weights.Embedding.Value.Row<float>(token);
            switch (token)
            {
                case < 8:
                    row[token] = 1f;
                    break;
                case < 31:
                    row[15] = 1f;
                    break;
                default:
                    row[..8].Fill(0.1f);
                    row[token % 8] = 1f;
                    break;
            }
        }

        TrainingSet set = TinyModels.Set(
            Enumerable.Range(0, 8).Select(i => new Text.TrainingExample($"{i} {i + 8} {i + 16}", $"d{i}", [])),
            Enumerable.Range(0, 8).Select(i => new Text.Document($"d{i}", "", $"{i} {i + 9} {i + 20}")));

        Assert.Contains("the first position of each text wins 100.0 % of all maxima (limit 99 %)", Collapse(backend, network, set), StringComparison.Ordinal);
    }

    [Fact]
    public void DenseVectorsThatAreAllAlikeStopTheRun()
    {
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Dense, embeddingDeviation: 0.001f);
        network.BypassBlocks = true;
        Span<float> embedding = network.Weights.Embedding.Value.Span<float>();
        for (int token = 0; token < TinyModels.VocabularySize; token++)
        {
            embedding[token * 16] = 1f;
        }

        Assert.Contains("all documents look alike, their mean cosine is 1.0000 (limit 0.99)", Collapse(backend, network), StringComparison.Ordinal);
    }

    [Fact]
    public void OptionsThatDoNotSuitAreRefusedByName()
    {
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork dense = TinyModels.Network(backend, RepresentationKind.Dense);
        TrainingSet set = TinyModels.TranslatedSet(20);
        string Refusal(TrainingOptions options) => Assert.Throws<ArgumentException>(() => new RetrieverTrainer(backend, dense, set, options)).Message;

        Assert.Equal("Temperature is 0, must be a finite number above 0", Refusal(Dense with { Temperature = 0f }));
        Assert.Equal("Temperature is NaN, must be a finite number above 0", Refusal(Dense with { Temperature = float.NaN }));
        Assert.StartsWith("StepCount is 0", Refusal(Dense with { StepCount = 0 }), StringComparison.Ordinal);
        Assert.StartsWith("WarmupRatio is 1.5", Refusal(Dense with { WarmupRatio = 1.5f }), StringComparison.Ordinal);
        Assert.StartsWith("NegativeCount is 0, must be at least 1 for the objective margin_mse", Refusal(Dense with { Objective = TrainingObjective.MarginMse }), StringComparison.Ordinal);
        Assert.Contains("must be 0 for a dense head", Refusal(Dense with { QueryFlopsWeight = 1f }), StringComparison.Ordinal);
        Assert.Contains("one of them above 0", Refusal(Dense with { Objective = default }), StringComparison.Ordinal);
        Assert.Contains("no objective 'nce2'; one of nce, kldiv, margin_mse, nce_kldiv", Assert.Throws<ArgumentException>(() => TrainingObjective.Parse("nce2")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ASteadyStepAllocatesAlmostNothing()
    {
        long allocated = long.MaxValue;
        long previous = 0;
        Observer observer = new(_ =>
        {
            long now = GC.GetAllocatedBytesForCurrentThread();
            allocated = Math.Min(allocated, now - previous);
            previous = now;
        });
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Sparse);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), Sparse with { CollapseCheckInterval = 0 });

        trainer.Run(observer);

        Assert.InRange(allocated, 0, 2000);
    }

    internal static double MeanReciprocalRank(RetrieverNetwork network, TrainingSet set)
    {
        float[][] documents = [.. Enumerable.Range(0, set.DocumentCount).Select(d => Encode(network, set.DocumentTokens(d)))];
        double sum = 0;
        for (int example = 0; example < set.ExampleCount; example++)
        {
            float[] query = Encode(network, set.QueryTokens(example));
            double[] scores = [.. documents.Select(d => d.Zip(query, (x, y) => (double)x * y).Sum())];
            sum += 1.0 / scores.Count(s => s >= scores[set.Positive(example)]);
        }

        return sum / set.ExampleCount;
    }

    internal static float[] Values(RetrieverNetwork network) => [.. network.Weights.Parameters.SelectMany(p => p.Value.Span<float>().ToArray())];

    private static float[] Gradients(RetrieverNetwork network) => [.. network.Weights.Parameters.SelectMany(p => p.Gradient.Span<float>().ToArray())];

    private static float[] Encode(RetrieverNetwork network, ReadOnlySpan<int> tokens) => network.Forward(tokens, [0, tokens.Length]).Span<float>().ToArray();

    private static (IReadOnlyList<TrainingStep> History, float[] Weights) Train(RepresentationKind kind, TrainingOptions options, int threads)
    {
        using CpuBackend backend = TinyModels.Backend(threads);
        using RetrieverNetwork network = TinyModels.Network(backend, kind);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40, 4), options);
        TrainingResult result = trainer.Run();
        return (result.History, Values(network));
    }

    private static string Collapse(IBackend backend, RetrieverNetwork network, TrainingSet? set = null)
    {
        TrainingOptions options = new() { StepCount = 2, BatchSize = 8, WarmupRatio = 0f, CollapseCheckInterval = 1, LearningRate = 1e-6f };
        using RetrieverTrainer trainer = new(backend, network, set ?? TinyModels.TranslatedSet(20), options);
        TrainingCollapsedException e = Assert.Throws<TrainingCollapsedException>(() => trainer.Run());
        Assert.Equal(1, e.Step);
        return e.Message;
    }
}
