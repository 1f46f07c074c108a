using System.Runtime.Intrinsics;
using Tern.Compute.Cpu;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed unsafe class VectorMathTests(ITestOutputHelper output)
{
    /// <summary>Stated bounds in units in the last place, over floats of every exponent in the range; each width gives the same bits.</summary>
    [Theory]
    [InlineData("exp", -86.6f, 88.72f, 1.1)]
    [InlineData("log", 1.1754944e-38f, float.MaxValue, 1.1)]
    [InlineData("log1p", 0f, float.MaxValue, 1.6)]
    [InlineData("sigmoid", -86.6f, 100f, 2.5)]
    public void FunctionsKeepTheirStatedAccuracy(string name, float least, float greatest, double ulps)
    {
        float[] x = EveryExponent(least, greatest);
        (float[] narrow, Func<double, double> oracle) = name switch
        {
            "exp" => (Map<FloatVector128>(x, VectorMath.Exp), Math.Exp),
            "log" => (Map<FloatVector128>(x, VectorMath.Log), Math.Log),
            "log1p" => (Map<FloatVector128>(x, VectorMath.Log1p), HeadOracles.Log1p),
            _ => (Map<FloatVector128>(x, VectorMath.Sigmoid), (Func<double, double>)(v => 1 / (1 + Math.Exp(-v)))),
        };
        double worst = 0;
        float where = 0;
        for (int i = 0; i < x.Length; i++)
        {
            double expected = oracle(x[i]);
            double error = Math.Abs(narrow[i] - expected) / Math.Max(MathF.BitIncrement(MathF.Abs((float)expected)) - Math.Abs((float)expected), 1.1754944e-38);
            if (!(error <= worst))
            {
                worst = error;
                where = x[i];
            }
        }

        output.WriteLine($"{name}: {x.Length} values, at most {worst:f3} units in the last place, at {where:g9}");
        Assert.True(worst <= ulps, $"{name}({where:g9}) is {worst:f3} units in the last place off, more than the stated {ulps}");
        Assert.Equal(narrow, name switch
        {
            "exp" => Map<FloatVector256>(x, VectorMath.Exp),
            "log" => Map<FloatVector256>(x, VectorMath.Log),
            "log1p" => Map<FloatVector256>(x, VectorMath.Log1p),
            _ => Map<FloatVector256>(x, VectorMath.Sigmoid),
        });
        Assert.Equal(narrow, name switch
        {
            "exp" => Map<FloatVector512>(x, VectorMath.Exp),
            "log" => Map<FloatVector512>(x, VectorMath.Log),
            "log1p" => Map<FloatVector512>(x, VectorMath.Log1p),
            _ => Map<FloatVector512>(x, VectorMath.Sigmoid),
        });
    }

    /// <summary>The elementwise operations on all widths, at lengths with tails.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(1600)]
    public void ElementwiseOperationsGiveTheSameBitsOnEveryPath(int count)
    {
        float[][]? expected = null;
        foreach (SimdPath path in SimdPaths.All)
        {
            float[] a = TestValues.Normal(count, 1), b = TestValues.Normal(count, 2), c = TestValues.Normal(count, 3), d = Array.ConvertAll(TestValues.Normal(count, 4), Math.Abs);
            float[] swish = new float[count], dGate = new float[count], dUp = new float[count], log = new float[count], dMaxima = new float[count], dValues = TestValues.Normal(count, 5), rows = TestValues.Normal(3 * count, 6);
            int[] from = [0, 0, 0], to = [2, -1, 1];
            fixed (float* pa = a, pb = b, pc = c, pd = d, pSwish = swish, pGate = dGate, pUp = dUp, pLog = log, pMaxima = dMaxima, pValues = dValues, pRows = rows)
            fixed (int* pFrom = from, pTo = to)
            {
                path.Elements.SwiGluForward(pa, pb, pSwish, count);
                path.Elements.SwiGluBackward(pc, pa, pb, pGate, pUp, count);
                path.Elements.Log1pReluForward(pa, pLog, count);
                path.Elements.Log1pReluBackward(pb, pa, pMaxima, count);
                path.Elements.FlopsBackward(pLog, pb, 0.3f, pValues, count);
                path.Elements.AdamW(new AdamWCoefficients { GradientScale = 0.5f, Beta1 = 0.9f, Beta2 = 0.99f, Decay = 0.999f, StepSize = 0.1f, InverseRootCorrection = 2, Epsilon = 1e-8f }, pa, pb, pd, pc, count);
                ScaledRows list = new() { Scale = 0.7f, Factors = pSwish, From = pFrom, To = pTo, Source = new Tensor((nint)pSwish, DType.Float32, 1, count), Destination = new Tensor((nint)pRows, DType.Float32, 3, count) };
                path.Elements.AddScaledRows(list, 0, Math.Min(3, count));
            }

            float[][] results = [a, b, c, d, swish, dGate, dUp, log, dMaxima, dValues, rows];
            expected ??= results;
            Assert.Equal(expected, results);
            Assert.All(a, value => Assert.Equal(0f, value));
        }
    }

    [Fact]
    public void ExpOfSpecialValues() =>
        Assert.Equal(
            [0, 0, 0, 1, 1, float.PositiveInfinity, float.PositiveInfinity, float.NaN],
            Map([float.NegativeInfinity, -1e30f, -87, 0, -0f, 89, float.PositiveInfinity, float.NaN], VectorMath.Exp));

    [Fact]
    public void ReductionsAgreeWithDoublePrecisionAtEveryLength()
    {
        float[] values = TestValues.Normal(200, 1), others = TestValues.Normal(200, 2);
        fixed (float* a = values, b = others)
        {
            for (int count = 0; count <= 130; count++)
            {
                for (int offset = 0; offset < 9; offset++)
                {
                    double[] x = values[offset..(offset + count)].ToDouble(), y = others[..count].ToDouble();
                    Tolerance tolerance = new(1e-5);
                    double dot = x.Zip(y, (u, v) => u * v).Sum();
                    Assert.Equal(dot, VectorMath.Dot(a + offset, b, count), 1e-5);
                    Assert.Equal(count == 0 ? float.NegativeInfinity : (float)(x.Max() * 2), VectorMath.MaxScaled(a + offset, 2, count));
                    tolerance.Check($"sum of {count}", [VectorMath.SumExp(a + offset, 2, 1, count)], [x.Sum(v => Math.Exp((2 * v) - 1))]);
                }
            }
        }
    }

    [Fact]
    public void AnElementDoesNotDependOnItsPlace()
    {
        float[] x = TestValues.Normal(8, 1, 3);
        float[] whole = Map(x, VectorMath.Exp), log = Map(Array.ConvertAll(x, Math.Abs), v => VectorMath.Log1p(new FloatVector256(v)).Value);
        for (int i = 0; i < x.Length; i++)
        {
            Assert.Equal(whole[i], Map([x[i]], VectorMath.Exp)[0]);
            Assert.Equal(log[i], Map([0, 0, Math.Abs(x[i])], v => VectorMath.Log1p(new FloatVector256(v)).Value)[2]);
        }
    }

    /// <summary>The range's ends and some four million floats between them, evenly over the bit patterns and so over the exponents.</summary>
    private static float[] EveryExponent(float least, float greatest)
    {
        List<float> values = [least, greatest];
        for (uint bits = 0; bits < 0xffffffff - 1009; bits += 1009)
        {
            float value = BitConverter.UInt32BitsToSingle(bits);
            if (value > least && value < greatest)
            {
                values.Add(value);
            }
        }

        return [.. values];
    }

    private static float[] Map(float[] x, Func<Vector256<float>, Vector256<float>> function) => Map<FloatVector256>(x, v => new FloatVector256(function(v.Value)));

    private static float[] Map<TVector>(float[] x, Func<TVector, TVector> function)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        float[] y = new float[x.Length];
        fixed (float* source = x, destination = y)
        {
            for (int i = 0; i < x.Length; i += TVector.Count)
            {
                VectorMath.Store(function(VectorMath.Load<TVector>(source + i, x.Length - i)), destination + i, x.Length - i);
            }
        }

        return y;
    }
}
