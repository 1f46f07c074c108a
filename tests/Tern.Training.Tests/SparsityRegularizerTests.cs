using Tern.Compute;
using Tern.Compute.Cpu;
using Tern.Model;
using Tern.TestKit;
using Xunit;

namespace Tern.Training.Tests;

public sealed class SparsityRegularizerTests
{
    private const int Rows = 7, Columns = 11;

    public static TheoryData<RegularizerKind, bool> Cases()
    {
        TheoryData<RegularizerKind, bool> cases = [];
        foreach (RegularizerKind kind in Enum.GetValues<RegularizerKind>())
        {
            cases.Add(kind, false);
            cases.Add(kind, true);
        }

        return cases;
    }

    /// <summary>Value and gradient as the formulas read; frequencies are constants for the gradient. In parts: the rows but the third.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void AgreesWithTheFormulas(RegularizerKind kind, bool inParts)
    {
        const double Weight = 0.3;
        float[] values = [.. TestValues.Normal(Rows * Columns, 1).Select((x, i) => i % 3 == 0 ? 0f : Math.Abs(x))];
        int[] rows = inParts ? [0, 1, 3, 4, 5, 6] : [.. Enumerable.Range(0, Rows)];
        using CpuBackend backend = TinyModels.Backend();
        using TensorMemory memory = backend.Allocate(DType.Float32), dMemory = backend.Allocate(DType.Float32);
        using SparsityRegularizer regularizer = new(backend, kind);
        Tensor tensor = memory.Shape(Rows, Columns), dTensor = dMemory.Shape(Rows, Columns);
        backend.Upload<float>(values, tensor);
        backend.Fill(1f, dTensor);
        double loss = regularizer.Apply(tensor, inParts ? [(0, 2), (3, 4)] : [(0, Rows)], Weight, dTensor);

        double expected = 0;
        for (int v = 0; v < Columns; v++)
        {
            double mean = rows.Average(r => (double)values[(r * Columns) + v]);
            double weight = kind == RegularizerKind.DocumentFrequencyFlops ? SparsityRegularizer.FrequencyWeight(rows.Count(r => values[(r * Columns) + v] > 0) / (double)rows.Length) : 1;
            expected += kind == RegularizerKind.L1 ? mean : weight * mean * mean;
            for (int r = 0; r < Rows; r++)
            {
                double gradient = !rows.Contains(r) || values[(r * Columns) + v] == 0 ? 0 : (kind == RegularizerKind.L1 ? 1 : 2 * weight * mean) / rows.Length;
                Assert.Equal(1 + (Weight * gradient), dTensor.Row<float>(r)[v], 1e-6);
            }
        }

        Assert.Equal(expected, loss, 1e-6);
    }

    [Fact]
    public void RareTermsPayNothingAndCommonOnesAll()
    {
        Assert.Equal(0, SparsityRegularizer.FrequencyWeight(0));
        Assert.True(SparsityRegularizer.FrequencyWeight(0.02) < 0.01);
        Assert.Equal(0.5, SparsityRegularizer.FrequencyWeight(0.1), 6);
        Assert.True(SparsityRegularizer.FrequencyWeight(0.3) > 0.99);
        Assert.Equal(1, SparsityRegularizer.FrequencyWeight(1), 9);
    }

    [Fact]
    public void TheControllersFactorIsAFunctionOfTheHistory()
    {
        List<TrainingStep> history = [.. Enumerable.Range(1, 50).Select(s => new TrainingStep { Step = s, Loss = 0, DocumentNonZeros = 200 })];
        SparsityController stepwise = new(100, s => s.DocumentNonZeros), atOnce = new(100, s => s.DocumentNonZeros), off = new(0, s => s.DocumentNonZeros);
        for (int count = 0; count <= history.Count; count++)
        {
            stepwise.After(history[..count]);
        }

        Assert.Equal(2, atOnce.After(history), 9);
        Assert.Equal(atOnce.After(history), stepwise.After(history));
        Assert.Equal(1, atOnce.After([]));
        Assert.Equal(1, off.After(history));
    }

    /// <summary>Two runs that differ in nothing but the target end near their own.</summary>
    [Theory]
    [InlineData(8f)]
    [InlineData(20f)]
    public void TheWeightIsSteeredToTheTarget(float target)
    {
        TrainingOptions options = new() { StepCount = 400, BatchSize = 10, LearningRate = 0.005f, QueryFlopsWeight = 1e-3f, DocumentFlopsWeight = 1e-2f, DocumentNonZeroTarget = target, FlopsRampSteps = 10 };
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, RepresentationKind.Sparse);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(40), options);
        TrainingResult result = trainer.Run();
        double mean = result.History.Skip(300).Average(s => s.DocumentNonZeros);
        Assert.InRange(mean, 0.75 * target, 1.3 * target);
        Assert.NotEqual(result.History[^1].DocumentFlopsWeight, options.DocumentFlopsWeight);
    }
}
