using Tern.Compute.Cpu;
using Tern.Model;
using Xunit;

namespace Tern.Training.Tests;

/// <summary>
/// The full loss of every head and objective, differentiated by central differences along a direction in each parameter.
/// The forward pass is Float32, whose rounding and (sparse) changes of the winning position bound what differences can
/// show; the limits are relative to the derivative along the gradient.
/// </summary>
public sealed class WholeModelGradientTests
{
    private const double DenseLimit = 0.003;
    private const double SparseLimit = 0.01;

    public static TheoryData<RepresentationKind, string> Cases()
    {
        TheoryData<RepresentationKind, string> cases = [];
        foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
        {
            foreach (string objective in (string[])["nce", "kldiv", "margin_mse", "nce_kldiv"])
            {
                cases.Add(kind, objective);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void EveryParametersGradientIsThatOfTheLoss(RepresentationKind kind, string objective)
    {
        bool sparse = kind == RepresentationKind.Sparse;
        TrainingOptions options = new()
        {
            StepCount = 3,
            BatchSize = 5,
            NegativeCount = 2,
            AccumulationCount = 2,
            Objective = TrainingObjective.Parse(objective),
            Temperature = sparse ? 1f : 0.3f,
            QueryFlopsWeight = sparse ? 0.1f : 0f,
            DocumentFlopsWeight = sparse ? 0.2f : 0f,
            CollapseCheckInterval = 0,
        };
        using CpuBackend backend = TinyModels.Backend();
        using RetrieverNetwork network = TinyModels.Network(backend, kind);
        using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(20, negativeCount: 4), options);
        network.Weights.ZeroGradients();
        trainer.Accumulate(1);
        float[][] gradients = [.. network.Weights.Parameters.Select(p => p.Gradient.Span<float>().ToArray())];

        List<(double Error, string Where)> errors = [];
        for (int p = 0; p < gradients.Length; p++)
        {
            Parameter parameter = network.Weights.Parameters[p];
            float[] value = parameter.Value.Span<float>().ToArray();
            double[] direction = Direction(gradients[p], p);
            double analytic = gradients[p].Zip(direction, (g, d) => g * d).Sum();
            double epsilon = 2e-3;
            double above = Loss(+epsilon);
            double below = Loss(-epsilon);
            value.CopyTo(parameter.Value.Span<float>());

            double measured = (above - below) / (2 * epsilon);
            Assert.True(Math.Abs(analytic) > 1e-4, $"{parameter.Name}: the derivative {analytic} is too small to be checked");
            errors.Add((Math.Abs((measured / analytic) - 1), $"{parameter.Name}: backward gives {analytic}, differences {measured}"));

            double Loss(double step)
            {
                Span<float> current = parameter.Value.Span<float>();
                for (int i = 0; i < current.Length; i++)
                {
                    current[i] = (float)(value[i] + (step * direction[i]));
                }

                return trainer.Accumulate(1).Loss;
            }
        }

        (double worst, string where) = errors.MaxBy(e => double.IsNaN(e.Error) ? double.PositiveInfinity : e.Error);
        Assert.True(worst <= (sparse ? SparseLimit : DenseLimit), $"{where}: off by {worst:p2}");
    }

    /// <summary>Length 1: half the gradient's direction, where the signal is, half a random one, which sees what the gradient lacks.</summary>
    private static double[] Direction(float[] gradient, int parameter)
    {
        SeededRandom random = new(9, (ulong)parameter, 0);
        double[] noise = [.. gradient.Select(_ => (random.Below(2001) - 1000) / 1000.0)];
        double noiseNorm = Math.Sqrt(noise.Sum(n => n * n));
        double gradientNorm = Math.Sqrt(gradient.Sum(g => (double)g * g));
        double[] direction = [.. gradient.Zip(noise, (g, n) => (g / gradientNorm) + (n / noiseNorm))];
        double norm = Math.Sqrt(direction.Sum(d => d * d));
        return [.. direction.Select(d => d / norm)];
    }
}
