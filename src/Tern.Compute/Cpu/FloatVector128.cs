using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

internal unsafe struct FloatVector128(Vector128<float> value) : IFloatVector<FloatVector128>
{
    private Vector128<float> _value = value;

    public static bool IsHardwareAccelerated => Vector128.IsHardwareAccelerated;

    public static int Count => 4;

    public static int TileRows => 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Load(float* source) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Broadcast(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Multiply(FloatVector128 left, FloatVector128 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Add(FloatVector128 left, FloatVector128 right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Or(FloatVector128 left, FloatVector128 right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 GreaterThan(FloatVector128 left, FloatVector128 right) => new(Vector128.GreaterThan(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 IsNaN(FloatVector128 value) => new(Vector128.IsNaN(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Select(FloatVector128 mask, FloatVector128 whereSet, FloatVector128 whereClear) => new(Vector128.ConditionalSelect(mask._value, whereSet._value, whereClear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint SignBits(FloatVector128 value) => Vector128.ExtractMostSignificantBits(value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NonZeroBits(FloatVector128 value) => Vector128.ExtractMostSignificantBits(~Vector128.Equals(value._value, Vector128<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 LoadBFloat16(ushort* source) => new((Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsUInt16()) << 16).AsSingle());

    /// <summary>The lanes.</summary>
    public readonly Vector128<float> Value => _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Subtract(FloatVector128 left, FloatVector128 right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Divide(FloatVector128 left, FloatVector128 right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 SquareRoot(FloatVector128 value) => new(Vector128.Sqrt(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 MaxNative(FloatVector128 left, FloatVector128 right) => new(Vector128.MaxNative(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 MinNative(FloatVector128 left, FloatVector128 right) => new(Vector128.MinNative(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 LessThan(FloatVector128 left, FloatVector128 right) => new(Vector128.LessThan(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 LessThanOrEqual(FloatVector128 left, FloatVector128 right) => new(Vector128.LessThanOrEqual(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 And(FloatVector128 left, FloatVector128 right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 Xor(FloatVector128 left, FloatVector128 right) => new(left._value ^ right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 AddIntegers(FloatVector128 left, FloatVector128 right) => new((left._value.AsInt32() + right._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 ShiftIntegersLeft(FloatVector128 value, int count) => new((value._value.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 ShiftIntegersRight(FloatVector128 value, int count) => new((value._value.AsInt32() >> count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 ConvertIntegers(FloatVector128 value) => new(Vector128.ConvertToSingle(value._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToQuad(FloatVector128 value) => value._value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MaxToQuad(FloatVector128 value) => value._value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector128 LoadQuads(float* source, nint pitch) => new(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeQuads(ref FloatVector128 a, ref FloatVector128 b, ref FloatVector128 c, ref FloatVector128 d)
    {
        if (Sse2.IsSupported)
        {
            Vector128<double> lowAb = Sse.UnpackLow(a._value, b._value).AsDouble(), highAb = Sse.UnpackHigh(a._value, b._value).AsDouble();
            Vector128<double> lowCd = Sse.UnpackLow(c._value, d._value).AsDouble(), highCd = Sse.UnpackHigh(c._value, d._value).AsDouble();
            a = new(Sse2.UnpackLow(lowAb, lowCd).AsSingle());
            b = new(Sse2.UnpackHigh(lowAb, lowCd).AsSingle());
            c = new(Sse2.UnpackLow(highAb, highCd).AsSingle());
            d = new(Sse2.UnpackHigh(highAb, highCd).AsSingle());
        }
        else
        {
            Vector128<float> w = a._value, x = b._value, y = c._value, z = d._value;
            a = new(Vector128.Create(w[0], x[0], y[0], z[0]));
            b = new(Vector128.Create(w[1], x[1], y[1], z[1]));
            c = new(Vector128.Create(w[2], x[2], y[2], z[2]));
            d = new(Vector128.Create(w[3], x[3], y[3], z[3]));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(float* destination) => _value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProduct(FloatVector128 left, FloatVector128 right) => _value = Vector128.FusedMultiplyAdd(left._value, right._value, _value);
}
