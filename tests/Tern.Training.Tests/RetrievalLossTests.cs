using Tern.Compute;
using Tern.Compute.Cpu;
using Xunit;

namespace Tern.Training.Tests;

public sealed class RetrievalLossTests
{
    private const int Dimension = 7;

    public static TheoryData<string, float, bool, double> Cases()
    {
        TheoryData<string, float, bool, double> cases = [];
        foreach (string objective in (string[])["nce", "kldiv", "margin_mse", "nce_kldiv"])
        {
            cases.Add(objective, 1f, true, 1.0);
            cases.Add(objective, 0.25f, false, 0.5);
        }

        return cases;
    }

    /// <summary>Values to 1e-5 and gradients to 1e-4 of the largest: Float32 sums of a dozen products.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheFormulasInDoublePrecision(string objective, float temperature, bool mask, double share)
    {
        TrainingOptions options = new()
        {
            StepCount = 1,
            BatchSize = 4,
            NegativeCount = 2,
            Objective = TrainingObjective.Parse(objective),
            Temperature = temperature,
            MaskKnownPositives = mask,
            QueryFlopsWeight = 1f,
            DocumentFlopsWeight = 1f,
        };
        TrainingSet set = SetWithSharedPositives();
        TrainingBatch batch = new(4, 2);
        new BatchSampler(set, options).Fill(0, batch);
        float[] vectors = Vectors(batch.QueryCount + batch.ContextCount);

        using CpuBackend backend = TinyModels.Backend();
        (LossParts loss, float[] gradient) = Evaluate(backend, options, set, batch, vectors, 0.3, 0.2, share);

        LossOracle oracle = new(options, batch, set, 0.3, 0.2);
        double[][] rows = [.. vectors.Chunk(Dimension).Select(r => r.Select(v => (double)v).ToArray())];
        LossParts expected = oracle.Evaluate(rows);
        Close(expected.InfoNce, loss.InfoNce);
        Close(expected.KlDivergence, loss.KlDivergence);
        Close(expected.MarginMse, loss.MarginMse);
        Close(expected.QueryFlops, loss.QueryFlops);
        Close(expected.DocumentFlops, loss.DocumentFlops);
        Close(expected.Total, loss.Total);

        double[] expectedGradient = [.. oracle.Gradient(rows).SelectMany(r => r).Select(g => g * share)];
        double limit = 1e-4 * expectedGradient.Max(Math.Abs);
        for (int i = 0; i < gradient.Length; i++)
        {
            Assert.True(Math.Abs(gradient[i] - expectedGradient[i]) <= limit, $"sequence {i / Dimension}, entry {i % Dimension}: {gradient[i]}, expected {expectedGradient[i]} within {limit}");
        }

        static void Close(double expected, double actual) => Assert.True(Math.Abs(actual - expected) <= 1e-5 * Math.Max(1, Math.Abs(expected)), $"{actual}, expected {expected}");
    }

    [Fact]
    public void TheMaskTakesKnownPositivesOutOfTheNegatives()
    {
        // Both examples share their query, so each one's positive is the other's: nothing is left to rank against.
        TrainingSet set = TinyModels.Set([new("1", "a", []), new("1", "b", [])], [new("a", "", "1"), new("b", "", "2")]);
        TrainingOptions options = new() { StepCount = 1, BatchSize = 2 };
        float[] vectors = Vectors(4);

        (LossParts masked, float[] maskedGradient) = Evaluate(options, set, vectors);
        (LossParts unmasked, float[] unmaskedGradient) = Evaluate(options with { MaskKnownPositives = false }, set, vectors);

        Assert.Equal(0.0, masked.InfoNce, 6);
        Assert.All(maskedGradient, g => Assert.Equal(0f, g, 6));
        Assert.True(unmasked.InfoNce > 0.1);
        Assert.Contains(unmaskedGradient, g => Math.Abs(g) > 0.01f);
    }

    /// <summary>With equal scores every candidate is as likely as any other: ln of their number, by hand.</summary>
    [Fact]
    public void EqualScoresGiveTheLogarithmOfTheContexts()
    {
        TrainingSet set = TinyModels.TranslatedSet(3, negativeCount: 2);
        TrainingOptions options = new() { StepCount = 1, BatchSize = 3, NegativeCount = 2, MaskKnownPositives = false };
        float[] ones = new float[(3 + 9) * Dimension];
        Array.Fill(ones, 1f);

        Assert.Equal(Math.Log(9), Evaluate(options, set, ones).Loss.InfoNce, 5);
    }

    /// <summary>All student margins are 0 and the teacher's are 4 and 1: (16 + 1) / 2, by hand.</summary>
    [Fact]
    public void MarginMseOfHandNumbers()
    {
        TrainingSet set = TinyModels.Set([new("1", "a", ["b", "c"], 5f, [1f, 4f])], [new("a", "", "1"), new("b", "", "2"), new("c", "", "3")]);
        TrainingOptions options = new() { StepCount = 1, BatchSize = 1, NegativeCount = 2, Objective = TrainingObjective.MarginMse };

        Assert.Equal(8.5, Evaluate(options, set, new float[4 * Dimension]).Loss.MarginMse, 5);
    }

    /// <summary>The teacher says ½ and ½, the student ¾ and ¼ (scores ln 3 and 0 after the temperature): ½ ln(⅔) + ½ ln 2, by hand; a dense head's 0.01 divides.</summary>
    [Theory]
    [InlineData(1f)]
    [InlineData(0.01f)]
    public void KlDivergenceOfHandNumbers(float temperature)
    {
        TrainingSet set = TinyModels.Set([new("1", "a", ["b"], 2f, [2f])], [new("a", "", "1"), new("b", "", "2")]);
        TrainingOptions options = new() { StepCount = 1, BatchSize = 1, NegativeCount = 1, Objective = TrainingObjective.KlDivergence, Temperature = temperature };
        float[] vectors = new float[3 * Dimension];
        vectors[0] = 1f;
        vectors[Dimension] = temperature * MathF.Log(3);

        Assert.Equal(0.5 * Math.Log(4.0 / 3), Evaluate(options, set, vectors).Loss.KlDivergence, 5);
        Assert.Equal(0.5 * Math.Log(4.0 / 3) * 0.5, Evaluate(options with { Objective = TrainingObjective.InfoNceAndKlDivergence }, set, vectors).Loss.Total - (0.5 * -Math.Log(0.75)), 5);
    }

    private static (LossParts Loss, float[] Gradient) Evaluate(TrainingOptions options, TrainingSet set, float[] vectors)
    {
        TrainingBatch batch = new(options.BatchSize, options.NegativeCount);
        new BatchSampler(set, options).Fill(0, batch);
        using CpuBackend backend = TinyModels.Backend();
        return Evaluate(backend, options, set, batch, vectors, 0, 0, 1);
    }

    private static (LossParts Loss, float[] Gradient) Evaluate(CpuBackend backend, TrainingOptions options, TrainingSet set, TrainingBatch batch, float[] vectors, double queryFlopsWeight, double documentFlopsWeight, double share)
    {
        using TensorMemory memory = backend.Allocate(DType.Float32);
        using TensorMemory dMemory = backend.Allocate(DType.Float32);
        using RetrievalLoss loss = new(backend, options, set);
        Tensor representations = memory.Shape(vectors.Length / Dimension, Dimension);
        Tensor dRepresentations = dMemory.Shape(vectors.Length / Dimension, Dimension);
        backend.Upload<float>(vectors, representations);
        backend.Fill(float.NaN, dRepresentations);
        LossParts parts = loss.Evaluate(representations, batch, queryFlopsWeight, documentFlopsWeight, share, dRepresentations);
        float[] gradient = new float[vectors.Length];
        backend.Download<float>(dRepresentations, gradient);
        return (parts, gradient);
    }

    /// <summary>Four examples, of which two share a query and two a positive, with two scored negatives each.</summary>
    private static TrainingSet SetWithSharedPositives() => TinyModels.Set(
        [
            new("1", "a", ["b", "c"], 2f, [1f, -1f]),
            new("1", "b", ["c", "d"], 1f, [0.5f, 0f]),
            new("2", "c", ["a", "d"], 0.3f, [0.4f, -2f]),
            new("3", "c", ["a", "b"], 4f, [-1f, 0.1f]),
        ],
        [new("a", "", "1"), new("b", "", "2"), new("c", "", "3"), new("d", "", "4")]);

    private static float[] Vectors(int count)
    {
        SeededRandom random = new(3, 0, 0);
        float[] vectors = new float[count * Dimension];
        for (int i = 0; i < vectors.Length; i++)
        {
            vectors[i] = (random.Below(2000) + 1) / 2000f;
        }

        return vectors;
    }
}
