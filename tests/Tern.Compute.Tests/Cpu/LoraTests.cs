using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed class LoraTests(ITestOutputHelper output)
{
    private const float Scale = 1.5f;

    private static readonly (int Tokens, int Inputs, int Outputs, int Rank)[] Shapes = [(1, 1, 1, 1), (3, 5, 4, 2), (40, 33, 17, 16), (300, 2049, 9, 3)];

    public static TheoryData<string, int, float> Cases()
    {
        TheoryData<string, int, float> cases = [];
        foreach (BackendFactory factory in Backends.Available)
        {
            foreach (int threads in new[] { 1, 3 })
            {
                cases.Add(factory.Name, threads, 0f);
                cases.Add(factory.Name, threads, 0.25f);
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForwardAgreesWithTheOracle(string backend, int threads, float rate)
    {
        using TestTensors tensors = TestTensors.On(backend, threads);
        foreach ((int tokens, int inputs, int outputs, int rank) in Shapes)
        {
            Operands o = new(tokens, inputs, outputs, rank);
            float[] before = TestValues.Normal(tokens * outputs, 4);
            Tensor projected = tensors.Unset(tokens, rank), destination = tensors.Floats(before, tokens, outputs, outputs + 3);
            tensors.Backend.LoraForward(tensors.Floats(o.X, tokens, inputs), tensors.Floats(o.A, rank, inputs), tensors.Floats(o.B, outputs, rank), Scale, o.Dropout(tensors, rate), projected, destination);
            double[] expectedProjected = o.Projected(rate);
            output.WriteLine(Tolerance.For(DType.Float32, inputs).Check($"projected {tokens}x{inputs}", tensors.Read(projected), expectedProjected, rank));
            output.WriteLine(Tolerance.For(DType.Float32, inputs).Times(2).Check("destination", tensors.Read(destination), before.ToDouble().Plus(o.Forward(rate)), outputs));
        }
    }

    /// <summary>A token's result has the same bits whatever rows are beside it: its mask is its own.</summary>
    [Theory]
    [InlineData(0f)]
    [InlineData(0.4f)]
    public void ARowHasTheSameBitsAloneAndInABatch(float rate)
    {
        using TestTensors tensors = TestTensors.On("cpu", 2);
        Operands o = new(300, 2049, 9, 3);
        Tensor x = tensors.Floats(o.X, 300, 2049), a = tensors.Floats(o.A, 3, 2049), b = tensors.Floats(o.B, 9, 3), all = tensors.Floats(new float[2700], 300, 9);
        tensors.Backend.LoraForward(x, a, b, Scale, o.Dropout(tensors, rate), tensors.Unset(300, 3), all);
        foreach ((int first, int count) in new[] { (0, 1), (131, 7), (250, 50) })
        {
            Tensor alone = tensors.Floats(new float[count * 9], count, 9);
            Dropout dropout = o.Dropout(tensors, rate) with { RowKeys = tensors.Ints(o.Keys.AsSpan(first, count), 1, count) };
            tensors.Backend.LoraForward(x.SliceRows(first, count), a, b, Scale, dropout, tensors.Unset(count, 3), alone);
            Assert.Equal(tensors.Read(all)[(first * 9)..((first + count) * 9)], tensors.Read(alone));
        }
    }

    [GradientCheck(nameof(IBackend.LoraBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int tokens, int inputs, int outputs, int rank) in Shapes[..3])
        {
            foreach (float rate in new[] { 0f, 0.25f })
            {
                Operands o = new(tokens, inputs, outputs, rank);
                double[] dy = TestValues.Normal(tokens * outputs, 5).ToDouble(), dxBefore = TestValues.Normal(tokens * inputs, 6).ToDouble(), daBefore = TestValues.Normal(rank * inputs, 7).ToDouble();
                Tensor dInput = tensors.Floats(dxBefore, tokens, inputs), dA = tensors.Floats(daBefore, rank, inputs), dB = tensors.Floats(new float[outputs * rank], outputs, rank);
                Tensor x = tensors.Floats(o.X, tokens, inputs), a = tensors.Floats(o.A, rank, inputs), b = tensors.Floats(o.B, outputs, rank), dOutput = tensors.Floats(dy, tokens, outputs);
                Tensor projected = tensors.Floats(o.Projected(rate), tokens, rank);
                Dropout dropout = o.Dropout(tensors, rate);
                tensors.Backend.LoraBackward(dOutput, x, a, b, projected, Scale, dropout, dInput, dA, dB);
                double[] dx = CentralDifferences.Gradient(() => o.Forward(rate), o.X, dy);
                Tolerance tolerance = Tolerance.For(DType.Float32, Math.Max(tokens, outputs)).Times(8);
                report(tolerance.Check($"dx {tokens}x{inputs}, rate {rate}", tensors.Read(dInput), dxBefore.Plus(dx), inputs));
                report(tolerance.Check("da", tensors.Read(dA), daBefore.Plus(CentralDifferences.Gradient(() => o.Forward(rate), o.A, dy)), inputs));
                report(tolerance.Check("db", tensors.Read(dB), CentralDifferences.Gradient(() => o.Forward(rate), o.B, dy), rank));

                tensors.Backend.LoraBackward(dOutput, x, a, b, projected, Scale, dropout, dInput, default, default);
                report(tolerance.Check("dx, frozen", tensors.Read(dInput), dxBefore.Plus(dx, 2), inputs));
            }
        }
    }

    [Fact]
    public void ARateOfOneAndMissingRowKeysAreRefused()
    {
        using TestTensors tensors = TestTensors.On("cpu", 1);
        Tensor x = tensors.Unset(2, 3), a = tensors.Unset(1, 3), b = tensors.Unset(4, 1), z = tensors.Unset(2, 1), y = tensors.Unset(2, 4);
        Assert.Throws<ArgumentException>(() => tensors.Backend.LoraForward(x, a, b, 1, new Dropout(1f, 0, tensors.Ints([1, 2], 1, 2)), z, y));
        Assert.Throws<ArgumentException>(() => tensors.Backend.LoraForward(x, a, b, 1, new Dropout(0.1f, 0, tensors.Ints([1], 1, 1)), z, y));
    }

    /// <summary>Inputs of one case, and the addend as its formula reads.</summary>
    private sealed class Operands(int tokens, int inputs, int outputs, int rank)
    {
        private const uint Key = 77;

        public double[] X { get; } = TestValues.Normal(tokens * inputs, 1).ToDouble();

        public double[] A { get; } = TestValues.Normal(rank * inputs, 2).ToDouble();

        public double[] B { get; } = TestValues.Normal(outputs * rank, 3).ToDouble();

        public int[] Keys { get; } = [.. Enumerable.Range(0, tokens).Select(t => Tern.Compute.Dropout.RowKey((uint)(t / 11), t % 11))];

        public Dropout Dropout(TestTensors tensors, float rate) => new(rate, Key, tensors.Ints(Keys, 1, tokens));

        public double[] Projected(float rate)
        {
            Dropout dropout = new(rate, Key, default);
            double[] z = new double[tokens * rank];
            for (int t = 0; t < tokens; t++)
            {
                for (int i = 0; i < inputs; i++)
                {
                    double x = dropout.Hash(Keys[t], i) >= dropout.Threshold ? X[(t * inputs) + i] / (1 - (double)rate) : 0;
                    for (int r = 0; r < rank; r++)
                    {
                        z[(t * rank) + r] += Scale * x * A[(r * inputs) + i];
                    }
                }
            }

            return z;
        }

        public double[] Forward(float rate)
        {
            double[] z = Projected(rate), y = new double[tokens * outputs];
            for (int t = 0; t < tokens; t++)
            {
                for (int o = 0; o < outputs; o++)
                {
                    for (int r = 0; r < rank; r++)
                    {
                        y[(t * outputs) + o] += z[(t * rank) + r] * B[(o * rank) + r];
                    }
                }
            }

            return y;
        }
    }
}
