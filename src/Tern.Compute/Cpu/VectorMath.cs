using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Compute.Cpu;

/// <summary>
/// Functions on the lanes of any vector width, and reductions in a fixed pattern of lanes that is the same on every
/// machine. Multiply-adds are always fused, so results are the same bits whatever the processor's widest vectors are, and
/// an element's result does not depend on where it stands in a row. All loads may be unaligned. Loops here and in the
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

    /// <summary>a · b + c, rounded once.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector MultiplyAdd<TVector>(TVector a, TVector b, TVector c)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        c.AddProduct(a, b);
        return c;
    }

    /// <summary>eˣ to 1.1 units in the last place; below 2^-125 it is 0, above the largest float infinity, NaN stays NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TVector>(TVector x)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        // x = n ln 2 + r with |r| <= ln 2 / 2. Adding 1.5 · 2^23 rounds to an integer and leaves n in the low bits.
        TVector shift = TVector.Broadcast(12582912f);
        TVector clamped = TVector.MinNative(TVector.Broadcast(89f), x);
        TVector shifted = MultiplyAdd(clamped, TVector.Broadcast(1.44269504f), shift);
        TVector n = TVector.Subtract(shifted, shift);
        TVector r = MultiplyAdd(n, TVector.Broadcast(-0.693359375f), clamped);
        r = MultiplyAdd(n, TVector.Broadcast(2.12194440e-4f), r);

        TVector p = TVector.Broadcast(1.9875691500e-4f);
        p = MultiplyAdd(p, r, TVector.Broadcast(1.3981999507e-3f));
        p = MultiplyAdd(p, r, TVector.Broadcast(8.3334519073e-3f));
        p = MultiplyAdd(p, r, TVector.Broadcast(4.1665795894e-2f));
        p = MultiplyAdd(p, r, TVector.Broadcast(1.6666665459e-1f));
        p = MultiplyAdd(p, r, TVector.Broadcast(5.0000001201e-1f));
        p = TVector.Add(MultiplyAdd(TVector.Multiply(p, r), r, r), TVector.Broadcast(1f));

        // Times 2^(n-1), whose exponent fits up to n = 128, then times 2.
        TVector power = TVector.ShiftIntegersLeft(TVector.AddIntegers(shifted, TVector.Broadcast(BitConverter.Int32BitsToSingle(126))), 23);
        TVector result = TVector.Multiply(p, power);
        result = TVector.Add(result, result);
        return TVector.Select(TVector.LessThan(x, TVector.Broadcast(-86.6f)), default, result);
    }

    /// <inheritdoc cref="Exp{TVector}"/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x) => Exp(new FloatVector256(x)).Value;

    /// <summary>ln(1 + x) for x ≥ 0, to 1.6 units in the last place also where x is tiny; infinity and NaN stay.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Log1p<TVector>(TVector x)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        // 1 + x loses the low bits of x; the rounding error divided by the rounded sum is the logarithm's missing part.
        TVector one = TVector.Broadcast(1f);
        TVector sum = TVector.Add(one, x);
        TVector result = TVector.Add(Log(sum), TVector.Divide(TVector.Subtract(x, TVector.Subtract(sum, one)), sum));
        return TVector.Select(TVector.GreaterThan(x, TVector.Broadcast(float.MaxValue)), x, result);
    }

    /// <summary>ln x for normal positive x, to 1.1 units in the last place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Log<TVector>(TVector x)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        // x = 2^e · m with m in [√½, √2): subtracting √½'s bits makes the exponent field change at √½.
        TVector bits = TVector.AddIntegers(x, TVector.Broadcast(BitConverter.Int32BitsToSingle(-0x3f3504f3)));
        TVector e = TVector.ConvertIntegers(TVector.ShiftIntegersRight(bits, 23));
        TVector fraction = TVector.And(bits, TVector.Broadcast(BitConverter.Int32BitsToSingle(0x007fffff)));
        TVector m = TVector.Subtract(TVector.AddIntegers(fraction, TVector.Broadcast(BitConverter.Int32BitsToSingle(0x3f3504f3))), TVector.Broadcast(1f));

        TVector p = TVector.Broadcast(7.0376836292e-2f);
        p = MultiplyAdd(p, m, TVector.Broadcast(-1.1514610310e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(1.1676998740e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(-1.2420140846e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(1.4249322787e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(-1.6668057665e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(2.0000714765e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(-2.4999993993e-1f));
        p = MultiplyAdd(p, m, TVector.Broadcast(3.3333331174e-1f));
        TVector square = TVector.Multiply(m, m);
        TVector y = TVector.Multiply(TVector.Multiply(p, m), square);
        y = MultiplyAdd(e, TVector.Broadcast(-2.12194440e-4f), y);
        y = MultiplyAdd(square, TVector.Broadcast(-0.5f), y);
        return MultiplyAdd(e, TVector.Broadcast(0.693359375f), TVector.Add(m, y));
    }

    /// <summary>1 / (1 + e⁻ˣ) to 2.5 units in the last place; 0 where e⁻ˣ is beyond the floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid<TVector>(TVector x)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector one = TVector.Broadcast(1f);
        return TVector.Divide(one, TVector.Add(one, Exp(TVector.Subtract(default, x))));
    }

    /// <summary>The first <paramref name="count"/> elements, or all lanes where there are more; missing lanes are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load<TVector>(float* source, int count)
        where TVector : unmanaged, IFloatVector<TVector> => count >= TVector.Count ? TVector.Load(source) : LoadPart<TVector>(source, count);

    /// <summary>Stores the first <paramref name="count"/> lanes, or all where there is room.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TVector>(TVector value, float* destination, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        if (count >= TVector.Count)
        {
            value.Store(destination);
        }
        else
        {
            StorePart(value, destination, count);
        }
    }

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

    /// <summary>The lanes' sum in a fixed tree: halves are added until one is left.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum<TVector>(TVector v)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        Vector128<float> quad = TVector.SumToQuad(v);
        return (quad[0] + quad[2]) + (quad[1] + quad[3]);
    }

    /// <summary>The greatest lane; NaN lanes count or not, as the processor has it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Max<TVector>(TVector v)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        Vector128<float> quad = TVector.MaxToQuad(v);
        quad = Vector128.MaxNative(quad, Vector128.Shuffle(quad, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(quad, Vector128.Shuffle(quad, Vector128.Create(1, 0, 3, 2))).ToScalar();
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
    private static TVector LoadPart<TVector>(float* source, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        float* lanes = stackalloc float[TVector.Count];
        new Span<float>(lanes, TVector.Count).Clear();
        new ReadOnlySpan<float>(source, count).CopyTo(new Span<float>(lanes, count));
        return TVector.Load(lanes);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StorePart<TVector>(TVector value, float* destination, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        float* lanes = stackalloc float[TVector.Count];
        value.Store(lanes);
        new ReadOnlySpan<float>(lanes, count).CopyTo(new Span<float>(destination, count));
    }

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
