using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

public static class MaxPoolProductGradient
{
    [GradientCheck(nameof(IBackend.MaxPoolProductBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        const float Scale = 0.6f;
        foreach ((int[] lengths, int columns, int vocabulary) in new[] { (new[] { 1 }, 1, 1), ([3, 0, 1, 7], 5, 9), ([2, 11], 16, 33), ([4, 4], 8, 100) })
        {
            int[] starts = TestValues.Starts(lengths);
            int tokens = starts[^1], sequences = lengths.Length;
            double[] hidden = TestValues.Normal(tokens * columns, 1).ToDouble(), weight = TestValues.Normal(vocabulary * columns, 2).ToDouble(), bias = TestValues.Normal(vocabulary, 3).ToDouble();
            double[] dy = TestValues.Normal(sequences * vocabulary, 4).ToDouble();
            int[] argMax = new int[sequences * vocabulary];
            HeadOracles.MaxPoolProduct(hidden, weight, bias, starts, Scale, columns, argMax);
            for (int i = 0; i < dy.Length; i += 3)
            {
                dy[i] = 0; // the skipped entries
            }

            for (int i = 0; i < dy.Length; i++)
            {
                dy[i] = argMax[i] < 0 ? 0 : dy[i]; // an empty sequence's maximum is no number
            }

            double[] Forward() => Array.ConvertAll(HeadOracles.MaxPoolProduct(hidden, weight, bias, starts, Scale, columns), x => double.IsFinite(x) ? x : 0);
            double[] hiddenBefore = TestValues.Normal(hidden.Length, 5).ToDouble(), weightBefore = TestValues.Normal(weight.Length, 6).ToDouble(), biasBefore = TestValues.Normal(bias.Length, 7).ToDouble();
            Tensor dMaxima = tensors.Floats(dy, sequences, vocabulary), winners = tensors.Ints(argMax, sequences, vocabulary), h = tensors.Floats(hidden, tokens, columns), w = tensors.Floats(weight, vocabulary, columns);
            Tensor dHidden = tensors.Floats(hiddenBefore, tokens, columns), dWeight = tensors.Floats(weightBefore, vocabulary, columns), dBias = tensors.Floats(biasBefore, 1, vocabulary);
            tensors.Backend.MaxPoolProductBackward(dMaxima, winners, h, w, Scale, dHidden, dWeight, dBias);
            string shape = $"[{string.Join(' ', lengths)}] x {columns} x {vocabulary}";
            report(Tolerance.For(DType.Float32, vocabulary).Check($"dhidden {shape}", tensors.Read(dHidden), hiddenBefore.Plus(CentralDifferences.Gradient(Forward, hidden, dy)), columns));
            report(Tolerance.For(DType.Float32, sequences).Check($"dweight {shape}", tensors.Read(dWeight), weightBefore.Plus(CentralDifferences.Gradient(Forward, weight, dy)), columns));
            report(Tolerance.For(DType.Float32, sequences).Check($"dbias {shape}", tensors.Read(dBias), biasBefore.Plus(CentralDifferences.Gradient(Forward, bias, dy))));

            Tensor frozen = tensors.Floats(hiddenBefore, tokens, columns);
            tensors.Backend.MaxPoolProductBackward(dMaxima, winners, h, w, Scale, frozen, default, default);
            Assert.Equal(tensors.Read(dHidden), tensors.Read(frozen));
        }
    }
}
