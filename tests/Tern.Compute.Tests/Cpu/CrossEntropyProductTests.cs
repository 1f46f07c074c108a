using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class CrossEntropyProductTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithTheOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        // The last one is two blocks of logits.
        foreach ((int rows, int hidden, int vocabulary) in new[] { (0, 3, 4), (1, 1, 1), (3, 5, 7), (37, 20, 130), (4130, 2, 4096) })
        {
            float[] h = TestValues.Normal(rows * hidden, 1), w = TestValues.Normal(vocabulary * hidden, 2);
            int[] labels = TestValues.Integers(rows, vocabulary, 3);
            double[] total = new double[rows], losses = new double[rows];
            int[] expectedBest = new int[rows];
            for (int m = 0; m < rows; m++)
            {
                double[] logits = Logits(h.ToDouble(), w.ToDouble(), m, hidden, vocabulary);
                total[m] = LogSumExp(logits);
                losses[m] = total[m] - logits[labels[m]];
                expectedBest[m] = Array.IndexOf(logits, logits.Max());
            }

            Tensor logSumExp = tensors.Unset(1, rows), actual = tensors.Unset(1, rows), best = tensors.Ints(new int[rows], 1, rows);
            tensors.Backend.CrossEntropyProductForward(tensors.Floats(h, rows, hidden), tensors.Floats(w, vocabulary, hidden), tensors.Ints(labels, 1, rows), logSumExp, actual, best);
            output.WriteLine(Tolerance.For(DType.Float32, hidden + vocabulary).Check($"log-sum-exp {rows}x{vocabulary}", tensors.Read(logSumExp), total));
            Assert.All(tensors.Read(actual).Zip(losses), pair => Assert.True(Math.Abs(pair.First - pair.Second) < 2e-5, $"{pair}"));
            Assert.Equal(expectedBest, tensors.ReadInts(best));
        }
    }

    [GradientCheck(nameof(IBackend.CrossEntropyProductBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int rows, int hidden, int vocabulary) in new[] { (1, 1, 2), (3, 5, 7), (37, 6, 23) })
        {
            const float Weight = 0.3f;
            double[] h = TestValues.Normal(rows * hidden, 1).ToDouble(), w = TestValues.Normal(vocabulary * hidden, 2).ToDouble(), before = TestValues.Normal(vocabulary * hidden, 4).ToDouble();
            int[] labels = TestValues.Integers(rows, vocabulary, 3);
            double[] Losses() => [.. Enumerable.Range(0, rows).Select(m =>
            {
                double[] logits = Logits(h, w, m, hidden, vocabulary);
                return LogSumExp(logits) - logits[labels[m]];
            })];
            double[] ones = Enumerable.Repeat((double)Weight, rows).ToArray();
            Tensor x = tensors.Floats(h, rows, hidden), weight = tensors.Floats(w, vocabulary, hidden), targets = tensors.Ints(labels, 1, rows);
            Tensor logSumExp = tensors.Unset(1, rows), losses = tensors.Unset(1, rows), best = tensors.Ints(new int[rows], 1, rows);
            tensors.Backend.CrossEntropyProductForward(x, weight, targets, logSumExp, losses, best);
            Tensor dHidden = tensors.Unset(rows, hidden), dWeight = tensors.Floats(before, vocabulary, hidden);
            tensors.Backend.CrossEntropyProductBackward(x, weight, targets, logSumExp, Weight, dHidden, dWeight);
            Tolerance tolerance = Tolerance.For(DType.Float32, Math.Max(rows, vocabulary)).Times(2);
            report(tolerance.Check($"dhidden [{rows}, {hidden}]", tensors.Read(dHidden), CentralDifferences.Gradient(Losses, h, ones), hidden));
            report(tolerance.Check($"dweight [{vocabulary}, {hidden}]", tensors.Read(dWeight), before.Plus(CentralDifferences.Gradient(Losses, w, ones)), hidden));
            tensors.Backend.CrossEntropyProductBackward(x, weight, targets, logSumExp, Weight, dHidden, default);
        }
    }

    private static double[] Logits(double[] h, double[] w, int row, int hidden, int vocabulary)
    {
        double[] logits = new double[vocabulary];
        for (int v = 0; v < vocabulary; v++)
        {
            for (int k = 0; k < hidden; k++)
            {
                logits[v] += h[(row * hidden) + k] * w[(v * hidden) + k];
            }
        }

        return logits;
    }

    private static double LogSumExp(double[] values)
    {
        double maximum = values.Max();
        return maximum + Math.Log(values.Sum(v => Math.Exp(v - maximum)));
    }
}
