using System.Runtime.Intrinsics;
using Tern.Compute.Cpu;
using Tern.Compute.Tests.Oracles;
using Tern.TestKit;
using Xunit;
using Xunit.Abstractions;

namespace Tern.Compute.Tests.Cpu;

public sealed unsafe class VectorMathTests(ITestOutputHelper output)
{
    [Fact]
    public void ExpIsAccurateOverItsRange()
    {
        float[] x = Enumerable.Range(0, 200_000).Select(i => -86.5f + (i * 0.000876f)).ToArray();
        output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, 3).Check("exp", Map(x, VectorMath.Exp), Array.ConvertAll(x, v => Math.Exp(v))));
    }

    [Fact]
    public void ExpOfSpecialValues() =>
        Assert.Equal(
            [0, 0, 0, 1, 1, float.PositiveInfinity, float.PositiveInfinity, float.NaN],
            Map([float.NegativeInfinity, -1e30f, -87, 0, -0f, 89, float.PositiveInfinity, float.NaN], VectorMath.Exp));

    [Fact]
    public void Log1pIsAccurateFromTinyToLarge()
    {
        float[] x = Enumerable.Range(0, 200_000).Select(i => MathF.Pow(2, -100 + (i * 0.001f))).ToArray();
        output.WriteLine(Tolerance.OfRoundoffs(DType.Float32, 4).Check("log1p", Map(x, v => VectorMath.Log1p(new FloatVector256(v)).Value), Array.ConvertAll(x, v => HeadOracles.Log1p(v))));
    }

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

    private static float[] Map(float[] x, Func<Vector256<float>, Vector256<float>> function)
    {
        float[] y = new float[x.Length];
        fixed (float* source = x, destination = y)
        {
            for (int i = 0; i < x.Length; i += VectorMath.Lanes)
            {
                VectorMath.Store(function(VectorMath.Load(source + i, x.Length - i)), destination + i, x.Length - i);
            }
        }

        return y;
    }
}
