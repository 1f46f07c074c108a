using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class AdamWUpdateTests(ITestOutputHelper output)
{
    [Theory]
    [ClassData(typeof(BackendCases))]
    public void StepsAgreeWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int rows, int columns, int pitch) in new[] { (1, 1, 1), (3, 7, 7), (5, 9, 12), (19, 1999, 1999) })
        {
            AdamWSettings settings = new(WeightDecay: 0.1f);
            const float GradientScale = 0.25f, LearningRate = 0.01f;
            int count = rows * columns;
            double[] p = TestValues.Normal(count, 1).ToDouble(), m = new double[count], v = new double[count];
            Tensor parameter = tensors.Floats(p.ToFloat(), rows, columns, pitch), first = tensors.Floats(m, rows, columns), second = tensors.Floats(v, rows, columns);
            for (int step = 1; step <= 5; step++)
            {
                float[] gradient = TestValues.Normal(count, 10 + step, 1e-3);
                for (int i = 0; i < count; i++)
                {
                    LossOracles.AdamW(GradientScale * (double)gradient[i], settings, LearningRate, step, ref m[i], ref v[i], ref p[i]);
                }

                Tensor taken = tensors.Floats(gradient, rows, columns);
                tensors.Backend.AdamW(taken, GradientScale, settings, LearningRate, step, first, second, parameter);
                Assert.All(tensors.Read(taken), value => Assert.Equal(0f, value));
            }

            output.WriteLine(Tolerance.For(DType.Float32, 5).Check($"first moment [{rows}, {columns}]", tensors.Read(first), m, columns));
            output.WriteLine(Tolerance.For(DType.Float32, 5).Check("second moment", tensors.Read(second), v, columns));
            output.WriteLine(Tolerance.For(DType.Float32, 5).Check("parameter", tensors.Read(parameter), p, columns));
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void FirstStepIsTheLearningRateTimesTheSign(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor parameter = tensors.Floats([1, 1, 1], 1, 3), first = tensors.Floats(new float[3], 1, 3), second = tensors.Floats(new float[3], 1, 3);
        tensors.Backend.AdamW(tensors.Floats([3, -0.2f, 0], 1, 3), 1, new AdamWSettings(), 0.125f, 1, first, second, parameter);
        Assert.All(tensors.Read(parameter).Zip([0.875f, 1.125f, 1f]), pair => Assert.Equal(pair.Second, pair.First, 1e-6f));
    }
}
