using Tern.TestKit;
using Xunit;

namespace Tern.Compute.Tests.Cpu;

/// <summary>The projections in every precision that this machine has; the oracles round operands as the precision says and add up in double.</summary>
public sealed class ProjectionTests
{
    private static readonly (int Tokens, int Outputs, int Inputs)[] Shapes =
    [
        (1, 1, 1), (2, 3, 5), (14, 32, 64), (13, 33, 31), (15, 31, 33), (7, 65, 130), (30, 70, 1), (29, 96, 1501), (3, 40, 1024),
    ];

    public static TheoryData<ProductPrecision, bool> Cases()
    {
        TheoryData<ProductPrecision, bool> cases = [];
        foreach (ProductPrecision precision in ProductPrecisions.Available)
        {
            cases.Add(precision, false);
            cases.Add(precision, true);
        }

        return cases;
    }

    public static TheoryData<ProductPrecision> Precisions() => [.. ProductPrecisions.Available];

    [Theory]
    [MemberData(nameof(Cases))]
    public void ForwardAgreesWithTheOracle(ProductPrecision precision, bool prepare)
    {
        using TestTensors tensors = new(Backends.Create("cpu", 2, precision));
        foreach ((int tokens, int outputs, int inputs) in Shapes)
        {
            float[] x = TestValues.Normal(tokens * inputs, 1), start = TestValues.Normal(tokens * outputs, 3);
            foreach (bool half in new[] { false, true })
            {
                float[] w = TestValues.Normal(outputs * inputs, 2, 0.3);
                w = half ? TestValues.RoundToBFloat16(w) : w;
                Tensor weight = half ? tensors.BFloat16(w, outputs, inputs) : tensors.Floats(w, outputs, inputs);
                using PreparedWeight? prepared = prepare ? tensors.Backend.Prepare(weight) : null;
                double[] product = Product(Left(x, inputs, precision, prepare), Right(w, inputs, precision, prepare), tokens, outputs, inputs);
                foreach (string from in new[] { "zero", "another", "destination" })
                {
                    Tensor destination = from == "destination" ? tensors.Floats(start, tokens, outputs, outputs + 3) : tensors.Unset(tokens, outputs, outputs + 3);
                    Tensor begin = from == "zero" ? default : from == "another" ? tensors.Floats(start, tokens, outputs) : destination;
                    tensors.Backend.ProjectForward(tensors.Floats(x, tokens, inputs, inputs + 5), new ProjectionWeight(weight, prepared), begin, destination);
                    double[] expected = from == "zero" ? product : [.. product.Zip(start, (p, s) => p + s)];
                    Tolerance.For(DType.Float32, inputs).Check($"{precision} {tokens}x{outputs}x{inputs} from {from}", tensors.Read(destination), expected, outputs);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void AGatedProjectionIsTwoProjectionsAndTheirActivation(ProductPrecision precision, bool prepare)
    {
        using TestTensors tensors = new(Backends.Create("cpu", 2, precision));
        foreach ((int tokens, int outputs, int inputs) in (ReadOnlySpan<(int, int, int)>)[.. Shapes, (300, 200, 70)])
        {
            Tensor x = tensors.Floats(TestValues.Normal(tokens * inputs, 1), tokens, inputs);
            Tensor gate = tensors.Floats(TestValues.Normal(outputs * inputs, 2, 0.3), outputs, inputs), up = tensors.Floats(TestValues.Normal(outputs * inputs, 3, 0.3), outputs, inputs);
            using PreparedWeight? preparedGate = prepare ? tensors.Backend.Prepare(gate) : null, preparedUp = prepare ? tensors.Backend.Prepare(up) : null;
            ProjectionWeight g = new(gate, preparedGate), u = new(up, preparedUp);
            Tensor gateOutput = tensors.Unset(tokens, outputs), upOutput = tensors.Unset(tokens, outputs), expected = tensors.Unset(tokens, outputs);
            tensors.Backend.ProjectForward(x, g, default, gateOutput);
            tensors.Backend.ProjectForward(x, u, default, upOutput);
            tensors.Backend.SwiGluForward(gateOutput, upOutput, expected);

            Tensor kept = tensors.Unset(tokens, outputs, outputs + 3), keptGate = tensors.Unset(tokens, outputs), keptUp = tensors.Unset(tokens, outputs, outputs + 1);
            tensors.Backend.GatedProjectForward(x, g, u, keptGate, keptUp, kept);
            Tensor alone = tensors.Unset(tokens, outputs, outputs + 3);
            tensors.Backend.GatedProjectForward(x, g, u, default, default, alone);
            Assert.Equal(tensors.Read(gateOutput), tensors.Read(keptGate));
            Assert.Equal(tensors.Read(upOutput), tensors.Read(keptUp));
            Assert.Equal(tensors.Read(kept), tensors.Read(alone));
            Tolerance.OfRoundoffs(DType.Float32, 1).Check($"{precision} {tokens}x{outputs}x{inputs}", tensors.Read(kept), tensors.Read(expected).ToDouble(), outputs);
        }
    }

    [Theory]
    [MemberData(nameof(Precisions))]
    public void BackwardAgreesWithTheOracle(ProductPrecision precision)
    {
        ProductPrecision used = precision == ProductPrecision.Int8 ? ProductPrecision.Float32 : precision;
        using TestTensors tensors = new(Backends.Create("cpu", 2, precision));
        foreach ((int tokens, int outputs, int inputs) in (ReadOnlySpan<(int, int, int)>)[.. Shapes, (1111, 40, 50)])
        {
            float[] dy = TestValues.Normal(tokens * outputs, 1), x = TestValues.Normal(tokens * inputs, 2), w = TestValues.Normal(outputs * inputs, 3), before = TestValues.Normal(tokens * inputs, 4), dwBefore = TestValues.Normal(outputs * inputs, 5);
            double[] dyRounded = Left(dy, outputs, used, false), xRounded = Left(x, inputs, used, false), wRounded = Right(w, inputs, used, false);
            double[] dx = Product(dyRounded, Transpose(wRounded, outputs, inputs), tokens, inputs, outputs);
            double[] dw = Product(Transpose(dyRounded, tokens, outputs), Transpose(xRounded, tokens, inputs), outputs, inputs, tokens);
            foreach (bool accumulate in new[] { false, true })
            {
                Tensor dInput = tensors.Floats(before, tokens, inputs, inputs + 1), dWeight = tensors.Floats(dwBefore, outputs, inputs);
                tensors.Backend.ProjectBackward(tensors.Floats(dy, tokens, outputs, outputs + 2), tensors.Floats(x, tokens, inputs), tensors.Floats(w, outputs, inputs), accumulate, dInput, dWeight);
                Tolerance.For(DType.Float32, outputs).Check($"{precision} dx {tokens}x{outputs}x{inputs}", tensors.Read(dInput), accumulate ? [.. dx.Zip(before, (d, b) => d + b)] : dx, inputs);
                Tolerance.For(DType.Float32, tokens).Check($"{precision} dw {tokens}x{outputs}x{inputs}", tensors.Read(dWeight), [.. dw.Zip(dwBefore, (d, b) => d + b)], inputs);
                tensors.Backend.ProjectBackward(tensors.Floats(dy, tokens, outputs), tensors.Floats(x, tokens, inputs), tensors.Floats(w, outputs, inputs), false, dInput, default);
            }
        }
    }

    [GradientCheck(nameof(IBackend.ProjectBackward))]
    internal static void CheckGradient(TestTensors tensors, Action<string> report)
    {
        foreach ((int tokens, int outputs, int inputs) in new[] { (1, 1, 1), (3, 5, 4), (17, 6, 9) })
        {
            double[] x = TestValues.Normal(tokens * inputs, 1).ToDouble(), w = TestValues.Normal(outputs * inputs, 2).ToDouble(), dy = TestValues.Normal(tokens * outputs, 3).ToDouble();
            double[] Forward() => Product(x, w, tokens, outputs, inputs);
            Tensor dInput = tensors.Unset(tokens, inputs), dWeight = tensors.Floats(new float[outputs * inputs], outputs, inputs);
            tensors.Backend.ProjectBackward(tensors.Floats(dy, tokens, outputs), tensors.Floats(x, tokens, inputs), tensors.Floats(w, outputs, inputs), false, dInput, dWeight);
            report(Tolerance.For(DType.Float32, outputs).Check($"dx [{tokens}, {inputs}]", tensors.Read(dInput), CentralDifferences.Gradient(Forward, x, dy), inputs));
            report(Tolerance.For(DType.Float32, tokens).Check($"dw [{outputs}, {inputs}]", tensors.Read(dWeight), CentralDifferences.Gradient(Forward, w, dy), inputs));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void ARowHasTheSameBitsAloneInABatchPreparedAndOnAnyThreads(ProductPrecision precision, bool half)
    {
        (int tokens, int outputs, int inputs) = (150, 300, 1100);
        float[] x = TestValues.Normal(tokens * inputs, 1), w = TestValues.Normal(outputs * inputs, 2), start = TestValues.Normal(tokens * outputs, 3);
        float[]? expected = null;
        foreach (int threads in new[] { 1, 2, 5 })
        {
            using TestTensors tensors = new(Backends.Create("cpu", threads, precision));
            Tensor weight = half ? tensors.BFloat16(TestValues.RoundToBFloat16(w), outputs, inputs) : tensors.Floats(w, outputs, inputs), input = tensors.Floats(x, tokens, inputs), begin = tensors.Floats(start, tokens, outputs);
            using PreparedWeight prepared = tensors.Backend.Prepare(weight);
            foreach (bool prepare in precision == ProductPrecision.Int8 ? new[] { true } : [false, true])
            {
                ProjectionWeight projection = new(weight, prepare ? prepared : null);
                Tensor batch = tensors.Unset(tokens, outputs);
                tensors.Backend.ProjectForward(input, projection, begin, batch);
                float[] actual = tensors.Read(batch);
                expected ??= actual;
                Assert.Equal(expected, actual);
                foreach ((int first, int count) in new[] { (0, 1), (149, 1), (77, 2), (20, 13), (5, 60) })
                {
                    Tensor alone = tensors.Unset(count, outputs);
                    tensors.Backend.ProjectForward(input.SliceRows(first, count), projection, begin.SliceRows(first, count), alone);
                    Assert.Equal(expected[(first * outputs)..((first + count) * outputs)], tensors.Read(alone));
                }
            }
        }
    }

    /// <summary>All rows of a block and more, columns of more than one task, and an inner dimension of more than one step.</summary>
    [Theory]
    [MemberData(nameof(Precisions))]
    public void BFloat16WeightsGiveTheSameBitsLaidOutOrNot(ProductPrecision precision)
    {
        if (precision == ProductPrecision.Int8)
        {
            return; // Lays out other numbers: agreement with its own oracle is tested above.
        }

        (int tokens, int outputs, int inputs) = (300, 1060, 1100);
        float[] x = TestValues.Normal(tokens * inputs, 1);
        using TestTensors tensors = new(Backends.Create("cpu", 2, precision));
        Tensor input = tensors.Floats(x, tokens, inputs), starts = tensors.Ints([0, 40, 40, 299, 300], 1, 5);
        Tensor gate = tensors.BFloat16(TestValues.RoundToBFloat16(TestValues.Normal(outputs * inputs, 2, 0.3)), outputs, inputs);
        Tensor up = tensors.BFloat16(TestValues.RoundToBFloat16(TestValues.Normal(outputs * inputs, 3, 0.3)), outputs, inputs);
        using PreparedWeight preparedGate = tensors.Backend.Prepare(gate), preparedUp = tensors.Backend.Prepare(up);
        Assert.InRange(preparedGate.ByteCount, 2L * outputs * inputs, 2L * (outputs + 32) * (inputs + 32)); // Two bytes a weight in either precision.

        var results = new List<float[]>();
        foreach (bool prepare in new[] { false, true })
        {
            ProjectionWeight g = new(gate, prepare ? preparedGate : null), u = new(up, prepare ? preparedUp : null);
            Tensor activated = tensors.Unset(tokens, outputs), maxima = tensors.Unset(4, outputs);
            tensors.Backend.GatedProjectForward(input, g, u, default, default, activated);
            tensors.Backend.MaxPoolProductForward(input, g, default, starts, 1f, maxima, tensors.Ints(new int[4 * outputs], 4, outputs));
            results.Add([.. tensors.Read(activated), .. tensors.Read(maxima)]);
        }

        Assert.Equal(results[0], results[1]);
    }

    [Fact]
    public void WhatIsNotThereIsSaid()
    {
        foreach (ProductPrecision precision in Enum.GetValues<ProductPrecision>().Except(ProductPrecisions.Available))
        {
            NotSupportedException e = Assert.Throws<NotSupportedException>(() => Backends.Create("cpu", 1, precision));
            Assert.Contains(ProductPrecisions.WhyNot(precision)!, e.Message, StringComparison.Ordinal);
        }

        Assert.Contains(ProductPrecision.Float32, ProductPrecisions.Available);
    }

    [Fact]
    public void APreparedWeightOfAnotherShapeOrDisposedIsRefused()
    {
        using TestTensors tensors = new(Backends.Create("cpu", 1));
        Tensor weight = tensors.Floats(new float[12], 3, 4), other = tensors.Floats(new float[12], 4, 3), input = tensors.Floats(new float[4], 1, 4), destination = tensors.Unset(1, 3);
        PreparedWeight prepared = tensors.Backend.Prepare(other);
        Assert.Throws<ArgumentException>(() => tensors.Backend.ProjectForward(input, new ProjectionWeight(weight, prepared), default, destination));
        prepared.Dispose();
        Assert.Throws<ArgumentException>(() => tensors.Backend.ProjectForward(tensors.Floats(new float[3], 1, 3), new ProjectionWeight(other, prepared), default, tensors.Unset(1, 4)));
    }

    /// <summary>x [tokens, inputs] · wᵀ, w [outputs, inputs].</summary>
    private static double[] Product(double[] x, double[] w, int tokens, int outputs, int inputs)
    {
        double[] y = new double[tokens * outputs];
        for (int i = 0; i < tokens; i++)
        {
            for (int j = 0; j < outputs; j++)
            {
                for (int k = 0; k < inputs; k++)
                {
                    y[(i * outputs) + j] += x[(i * inputs) + k] * w[(j * inputs) + k];
                }
            }
        }

        return y;
    }

    private static double[] Transpose(double[] values, int rows, int columns)
    {
        double[] transposed = new double[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            transposed[(i % columns * rows) + (i / columns)] = values[i];
        }

        return transposed;
    }

    private static double[] Left(float[] x, int inputs, ProductPrecision precision, bool prepared) => Right(x, inputs, precision, prepared);

    /// <summary>Operands as the precision has them; 8 bits with a scale for each row only against prepared weights.</summary>
    private static double[] Right(float[] w, int inputs, ProductPrecision precision, bool prepared) => precision switch
    {
        ProductPrecision.BFloat16 => TestValues.RoundToBFloat16(w).ToDouble(),
        ProductPrecision.Int8 when prepared => [.. w.Chunk(inputs).SelectMany(Quantize)],
        _ => w.ToDouble(),
    };

    private static IEnumerable<double> Quantize(float[] row)
    {
        float scale = row.Max(MathF.Abs) / 127;
        float inverse = scale > 0 ? 1 / scale : 0;
        return row.Select(x => Math.Round((double)(x * inverse), MidpointRounding.ToEven) * scale);
    }
}
