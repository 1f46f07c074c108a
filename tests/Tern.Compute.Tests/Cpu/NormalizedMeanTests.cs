using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class NormalizedMeanTests(ITestOutputHelper output)
{
    private static readonly int[] Starts = TestValues.Starts(0, 1, 5, 0, 17, 3);

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void ForwardAgreesWithOracle(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach (int columns in new[] { 1, 7, 8, 33, 128, 515 })
        {
            float[] hidden = TestValues.Normal(Starts[^1] * columns, 1, 2);
            hidden.AsSpan(2 * columns, columns).Clear(); // a row without length counts as zeros
            double[] inverse = new double[Starts[^1]];
            double[] expected = HeadOracles.NormalizedMean(hidden.ToDouble(), Starts, columns, inverse);
            Tensor inverseNorms = tensors.Unset(1, Starts[^1]), destination = tensors.Unset(Starts.Length - 1, columns);
            tensors.Backend.NormalizedMeanForward(tensors.Floats(hidden, Starts[^1], columns, columns + 1), tensors.Ints(Starts, 1, Starts.Length), inverseNorms, destination);
            output.WriteLine(Tolerance.For(DType.Float32, columns + 17).Check($"mean, {columns} columns", tensors.Read(destination), expected, columns));
            output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, 6 + (2 * Math.Sqrt(columns))).Check("inverse norms", tensors.Read(inverseNorms), inverse));
        }
    }

    [GradientCheck(nameof(IBackend.NormalizedMeanBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach (int columns in new[] { 1, 7, 8, 33 })
        {
            double[] hidden = TestValues.Normal(Starts[^1] * columns, 1, 2).ToDouble(), dy = TestValues.Normal((Starts.Length - 1) * columns, 2).ToDouble();
            double[] inverse = new double[Starts[^1]];
            HeadOracles.NormalizedMean(hidden, Starts, columns, inverse);
            Tensor dHidden = tensors.Unset(Starts[^1], columns, columns + 2);
            tensors.Backend.NormalizedMeanBackward(
                tensors.Floats(dy, Starts.Length - 1, columns),
                tensors.Floats(hidden, Starts[^1], columns),
                tensors.Floats(inverse, 1, Starts[^1]),
                tensors.Ints(Starts, 1, Starts.Length),
                dHidden);
            double[] expected = CentralDifferences.Gradient(() => HeadOracles.NormalizedMean(hidden, Starts, columns), hidden, dy);

            // One column: the derivative of x/|x| is 0, what remains is the cancellation of two equal terms.
            double scale = columns == 1 ? 1e-5 : 0;
            report(columns == 1
                ? tensors.Read(dHidden).All(x => Math.Abs(x) < scale) ? "1 column: zero" : throw new InvalidOperationException("1 column: not zero")
                : Tolerance.For(DType.Float32, columns).Check($"dx, {columns} columns", tensors.Read(dHidden), expected, columns));
        }
    }

    [Theory]
    [ClassData(typeof(BackendCases))]
    public void GradientOfAClampedRowIsLinear(string backend, int threads)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        Tensor dHidden = tensors.Unset(2, 2), starts = tensors.Ints([0, 2], 1, 2), hidden = tensors.Floats([0, 0, 3e-13f, 0], 2, 2), inverseNorms = tensors.Unset(1, 2);
        tensors.Backend.NormalizedMeanForward(hidden, starts, inverseNorms, tensors.Unset(1, 2));
        tensors.Backend.NormalizedMeanBackward(tensors.Floats([1e-12f, -2e-12f], 1, 2), hidden, inverseNorms, starts, dHidden);
        Assert.All(tensors.Read(dHidden).Zip([0.5f, -1f, 0.5f, -1f]), pair => Assert.Equal(pair.Second, pair.First, 1e-6f));
    }
}
