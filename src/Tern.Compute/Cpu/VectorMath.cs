using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Compute.Cpu;

/// <summary>
/// Functions on eight lanes and reductions in a fixed pattern of 32 lanes. The width is the same on every machine, and
/// multiply-adds are always fused, so results are the same bits whatever the processor's widest vectors are, and an
/// element's result does not depend on where it stands in a row. All loads may be unaligned. Loops here and in the
/// operations skip the quick first compilation, which is ten times slower and outlives a command that encodes one query.
/// </summary>
internal static unsafe class VectorMath
{
    public const int Lanes = 8;

    /// <summary>The first <paramref name="count"/> elements, or eight where there are more; missing lanes are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source, int count) => count >= Lanes ? Vector256.Load(source) : LoadTail(source, count);

    /// <summary>Stores the first <paramref name="count"/> lanes, or all eight where there is room.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination, int count)
    {
        if (count >= Lanes)
        {
            value.Store(destination);
        }
        else
        {
            StoreTail(value, destination, count);
        }
    }

    /// <summary>a · b + c, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.FusedMultiplyAdd(a, b, c);

    /// <summary>eˣ to 2 units in the last place; below 2^-125 it is 0, above the largest float infinity, NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 · 2^23 rounds to an integer and leaves n in the low bits.
        Vector256<float> shift = Vector256.Create(12582912f);
        Vector256<float> clamped = Vector256.MinNative(Vector256.Create(89f), x);
        Vector256<float> shifted = MultiplyAdd(clamped, Vector256.Create(1.44269504f), shift);
        Vector256<float> n = shifted - shift;
        Vector256<float> r = MultiplyAdd(n, Vector256.Create(-0.693359375f), clamped);
        r = MultiplyAdd(n, Vector256.Create(2.12194440e-4f), r);

        Vector256<float> p = Vector256.Create(1.9875691500e-4f);
        p = MultiplyAdd(p, r, Vector256.Create(1.3981999507e-3f));
        p = MultiplyAdd(p, r, Vector256.Create(8.3334519073e-3f));
        p = MultiplyAdd(p, r, Vector256.Create(4.1665795894e-2f));
        p = MultiplyAdd(p, r, Vector256.Create(1.6666665459e-1f));
        p = MultiplyAdd(p, r, Vector256.Create(5.0000001201e-1f));
        p = MultiplyAdd(p * r, r, r) + Vector256<float>.One;

        // Times 2^(n-1), whose exponent fits up to n = 128, then times 2.
        Vector256<float> power = ((shifted.AsInt32() + Vector256.Create(126)) << 23).AsSingle();
        Vector256<float> result = p * power;
        result += result;
        return Vector256.ConditionalSelect(Vector256.LessThan(x, Vector256.Create(-86.6f)), Vector256<float>.Zero, result);
    }

    /// <summary>ln(1 + x) for x ≥ 0, to 3 units in the last place also where x is tiny; infinity and NaN stay.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Log1p(Vector256<float> x)
    {
        // 1 + x loses the low bits of x; the rounding error divided by the rounded sum is the logarithm's missing part.
        Vector256<float> one = Vector256<float>.One;
        Vector256<float> sum = one + x;
        Vector256<float> result = Log(sum) + ((x - (sum - one)) / sum);
        return Vector256.ConditionalSelect(Vector256.Equals(x, Vector256.Create(float.PositiveInfinity)), x, result);
    }

    /// <summary>ln x for normal positive x.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Log(Vector256<float> x)
    {
        // x = 2^e · m with m in [√½, √2): subtracting √½'s bits makes the exponent field change at √½.
        Vector256<int> bits = x.AsInt32() - Vector256.Create(0x3f3504f3);
        Vector256<float> e = Vector256.ConvertToSingle(bits >> 23);
        Vector256<float> m = ((bits & Vector256.Create(0x007fffff)) + Vector256.Create(0x3f3504f3)).AsSingle() - Vector256<float>.One;

        Vector256<float> p = Vector256.Create(7.0376836292e-2f);
        p = MultiplyAdd(p, m, Vector256.Create(-1.1514610310e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(1.1676998740e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(-1.2420140846e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(1.4249322787e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(-1.6668057665e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(2.0000714765e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(-2.4999993993e-1f));
        p = MultiplyAdd(p, m, Vector256.Create(3.3333331174e-1f));
        Vector256<float> square = m * m;
        Vector256<float> y = p * m * square;
        y = MultiplyAdd(e, Vector256.Create(-2.12194440e-4f), y);
        y = MultiplyAdd(square, Vector256.Create(-0.5f), y);
        return MultiplyAdd(e, Vector256.Create(0.693359375f), m + y);
    }

    /// <summary>1 / (1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Sigmoid(Vector256<float> x) => Vector256<float>.One / (Vector256<float>.One + Exp(-x));

    /// <summary>Sum of products; element i is added in lane i mod 32, then the lanes in a fixed tree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Dot(float* left, float* right, int count)
    {
        Vector256<float> sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int i = 0;
        for (; i <= count - (4 * Lanes); i += 4 * Lanes)
        {
            sum0 = MultiplyAdd(Vector256.Load(left + i), Vector256.Load(right + i), sum0);
            sum1 = MultiplyAdd(Vector256.Load(left + i + 8), Vector256.Load(right + i + 8), sum1);
            sum2 = MultiplyAdd(Vector256.Load(left + i + 16), Vector256.Load(right + i + 16), sum2);
            sum3 = MultiplyAdd(Vector256.Load(left + i + 24), Vector256.Load(right + i + 24), sum3);
        }

        if (i < count)
        {
            sum0 = MultiplyAdd(Load(left + i, count - i), Load(right + i, count - i), sum0);
            if ((i += Lanes) < count)
            {
                sum1 = MultiplyAdd(Load(left + i, count - i), Load(right + i, count - i), sum1);
                if ((i += Lanes) < count)
                {
                    sum2 = MultiplyAdd(Load(left + i, count - i), Load(right + i, count - i), sum2);
                    if ((i += Lanes) < count)
                    {
                        sum3 = MultiplyAdd(Load(left + i, count - i), Load(right + i, count - i), sum3);
                    }
                }
            }
        }

        return Sum((sum0 + sum1) + (sum2 + sum3));
    }

    /// <summary>destination += factor · source.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddScaled(float* source, float factor, float* destination, int count)
    {
        Vector256<float> f = Vector256.Create(factor);
        int i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            MultiplyAdd(f, Vector256.Load(source + i), Vector256.Load(destination + i)).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = MathF.FusedMultiplyAdd(factor, source[i], destination[i]);
        }
    }

    /// <summary>The lanes' sum in a fixed tree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector256<float> v)
    {
        Vector128<float> half = v.GetLower() + v.GetUpper();
        return (half[0] + half[2]) + (half[1] + half[3]);
    }

    /// <summary>The greatest lane; NaN lanes count or not, as the processor has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max(Vector256<float> v)
    {
        Vector128<float> half = Vector128.MaxNative(v.GetLower(), v.GetUpper());
        half = Vector128.MaxNative(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    /// <summary>The greatest of factor · source; −∞ of nothing. NaN counts or not, as in <see cref="Max"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float MaxScaled(float* source, float factor, int count)
    {
        Vector256<float> greatest = Vector256.Create(float.NegativeInfinity), f = Vector256.Create(factor);
        int i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            greatest = Vector256.MaxNative(f * Vector256.Load(source + i), greatest);
        }

        float result = Max(greatest);
        for (; i < count; i++)
        {
            result = MathF.Max(result, factor * source[i]);
        }

        return result;
    }

    /// <summary>Σ e^(factor · source − offset).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float SumExp(float* source, float factor, float offset, int count)
    {
        Vector256<float> sum = default;
        Vector256<float> f = Vector256.Create(factor);
        Vector256<float> negated = Vector256.Create(-offset);
        int i = 0;
        for (; i <= count - Lanes; i += Lanes)
        {
            sum += Exp(MultiplyAdd(f, Vector256.Load(source + i), negated));
        }

        if (i < count)
        {
            sum += Exp(MultiplyAdd(f, Load(source + i, count - i), negated)) & TailMask(count - i);
        }

        return Sum(sum);
    }

    /// <summary>ln Σ e^(factor · source), without overflow.</summary>
    public static float LogSumExp(float* source, float factor, int count)
    {
        float greatest = MaxScaled(source, factor, count);
        return greatest + (float)Math.Log(SumExp(source, factor, greatest, count));
    }

    /// <summary>All bits set in the first <paramref name="count"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> TailMask(int count) => Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector256<float> LoadTail(float* source, int count)
    {
        Vector256<float> value = default;
        for (int i = 0; i < count; i++)
        {
            ((float*)&value)[i] = source[i];
        }

        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StoreTail(Vector256<float> value, float* destination, int count)
    {
        for (int i = 0; i < count; i++)
        {
            destination[i] = ((float*)&value)[i];
        }
    }
}
