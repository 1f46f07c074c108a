using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests;

public sealed class LinearPoolingHeadTests
{
    private const int Hidden = 24;
    private static readonly LlamaConfig Config = LlamaShapes.All["tiny"] with { HiddenSize = Hidden };

    /// <summary>Sequences of 5, 1, 0 and 7 tokens.</summary>
    private static readonly int[] Starts = [0, 5, 6, 6, 13];

    public static TheoryData<string, DensePooling, bool> Poolings
    {
        get
        {
            var data = new TheoryData<string, DensePooling, bool>();
            foreach (BackendFactory backend in Backends.Available)
            {
                foreach (DensePooling pooling in Enum.GetValues<DensePooling>().Where(p => p != DensePooling.NormalizedMean))
                {
                    data.Add(backend.Name, pooling, false);
                    data.Add(backend.Name, pooling, true);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Poolings))]
    public void ForwardAndBackwardAreThoseOfTheFormula(string backendName, DensePooling pooling, bool normalize)
    {
        using IBackend backend = Backends.Create(backendName);
        using LinearPoolingHead head = new(backend, Config, pooling, normalize);
        using TensorMemory hiddenMemory = backend.Allocate(DType.Float32), startMemory = backend.Allocate(DType.Int32), dMemory = backend.Allocate(DType.Float32);
        float[] values = TestValues.Normal(13 * Hidden, 3), coefficients = TestValues.Normal(4 * Hidden, 4);
        Tensor hidden = hiddenMemory.Shape(13, Hidden), starts = startMemory.Shape(1, 5), dRepresentations = dMemory.Shape(4, Hidden);
        backend.Upload<float>(values, hidden);
        backend.Upload<int>(Starts, starts);
        backend.Upload<float>(coefficients, dRepresentations);

        double[] expected = Oracle(values, pooling, normalize);
        Tensor actual = head.Forward(hidden, starts, Starts, keepForBackward: true);
        Compare.Close([.. expected.Select(v => (float)v)], backend.Download(actual), 2e-6, $"{pooling}, normalised {normalize}");

        // Central differences of the oracle in double precision.
        const double Step = 1e-5;
        float[] gradient = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            gradient[i] = (float)((Loss(i, Step) - Loss(i, -Step)) / (2 * Step));
        }

        Compare.Close(gradient, backend.Download(head.Backward(dRepresentations)), 2e-5, $"gradient of {pooling}, normalised {normalize}");

        double Loss(int at, double step)
        {
            double[] moved = [.. values.Select(v => (double)v)];
            moved[at] += step;
            return Oracle(moved, pooling, normalize).Zip(coefficients, (v, c) => v * c).Sum();
        }
    }

    /// <summary>A text's bits are the same alone and between others.</summary>
    [Theory]
    [MemberData(nameof(Poolings))]
    public void CompanyChangesNoBit(string backendName, DensePooling pooling, bool normalize)
    {
        using IBackend backend = Backends.Create(backendName);
        using LinearPoolingHead head = new(backend, Config, pooling, normalize);
        float[] values = TestValues.Normal(13 * Hidden, 5);
        float[] together = Run(values, Starts), alone = Run(values[(6 * Hidden)..], [0, 7]);
        Assert.Equal(alone, together[(3 * Hidden)..]);

        float[] Run(float[] hiddenValues, int[] starts)
        {
            using TensorMemory hiddenMemory = backend.Allocate(DType.Float32), startMemory = backend.Allocate(DType.Int32);
            Tensor hidden = hiddenMemory.Shape(hiddenValues.Length / Hidden, Hidden), start = startMemory.Shape(1, starts.Length);
            backend.Upload<float>(hiddenValues, hidden);
            backend.Upload<int>(starts, start);
            return backend.Download(head.Forward(hidden, start, starts, keepForBackward: false));
        }
    }

    private static double[] Oracle(float[] values, DensePooling pooling, bool normalize) => Oracle([.. values.Select(v => (double)v)], pooling, normalize);

    private static double[] Oracle(double[] values, DensePooling pooling, bool normalize)
    {
        double[] result = new double[(Starts.Length - 1) * Hidden];
        for (int b = 0; b < Starts.Length - 1; b++)
        {
            int count = Starts[b + 1] - Starts[b];
            Span<double> own = result.AsSpan(b * Hidden, Hidden);
            for (int i = 0; i < count; i++)
            {
                double weight = pooling switch
                {
                    DensePooling.Mean => 1.0 / count,
                    DensePooling.MeanSqrtLength => 1 / Math.Sqrt(count),
                    DensePooling.WeightedMean => (i + 1.0) / Enumerable.Range(1, count).Sum(),
                    DensePooling.LastToken => i == count - 1 ? 1 : 0,
                    _ => i == 0 ? 1 : 0,
                };
                for (int h = 0; h < Hidden; h++)
                {
                    own[h] += weight * values[((Starts[b] + i) * Hidden) + h];
                }
            }

            double norm = 0;
            foreach (double v in own)
            {
                norm += v * v;
            }

            for (int h = 0; normalize && count > 0 && h < Hidden; h++)
            {
                own[h] /= Math.Sqrt(norm);
            }
        }

        return result;
    }
}
