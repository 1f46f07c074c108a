using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

internal unsafe struct FloatVector256(Vector256<float> value) : IFloatVector<FloatVector256>
{
    private Vector256<float> _value = value;

    public static bool IsHardwareAccelerated => Vector256.IsHardwareAccelerated;

    public static int Count => 8;

    public static int TileRows => 6;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Broadcast(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Multiply(FloatVector256 left, FloatVector256 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Add(FloatVector256 left, FloatVector256 right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Or(FloatVector256 left, FloatVector256 right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 GreaterThan(FloatVector256 left, FloatVector256 right) => new(Vector256.GreaterThan(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 IsNaN(FloatVector256 value) => new(Vector256.IsNaN(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Select(FloatVector256 mask, FloatVector256 whereSet, FloatVector256 whereClear) => new(Vector256.ConditionalSelect(mask._value, whereSet._value, whereClear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint SignBits(FloatVector256 value) => Vector256.ExtractMostSignificantBits(value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NonZeroBits(FloatVector256 value) => Vector256.ExtractMostSignificantBits(~Vector256.Equals(value._value, Vector256<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 LoadBFloat16(ushort* source) => new((Vector256.WidenLower(Vector256.Create(Vector128.Load(source), default)) << 16).AsSingle());

    /// <summary>The lanes.</summary>
    public readonly Vector256<float> Value => _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Subtract(FloatVector256 left, FloatVector256 right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Divide(FloatVector256 left, FloatVector256 right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 SquareRoot(FloatVector256 value) => new(Vector256.Sqrt(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 MaxNative(FloatVector256 left, FloatVector256 right) => new(Vector256.MaxNative(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 MinNative(FloatVector256 left, FloatVector256 right) => new(Vector256.MinNative(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 LessThan(FloatVector256 left, FloatVector256 right) => new(Vector256.LessThan(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 LessThanOrEqual(FloatVector256 left, FloatVector256 right) => new(Vector256.LessThanOrEqual(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 And(FloatVector256 left, FloatVector256 right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 Xor(FloatVector256 left, FloatVector256 right) => new(left._value ^ right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 AddIntegers(FloatVector256 left, FloatVector256 right) => new((left._value.AsInt32() + right._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 ShiftIntegersLeft(FloatVector256 value, int count) => new((value._value.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 ShiftIntegersRight(FloatVector256 value, int count) => new((value._value.AsInt32() >> count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 ConvertIntegers(FloatVector256 value) => new(Vector256.ConvertToSingle(value._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToQuad(FloatVector256 value) => FloatVector128.SumToQuad(new(value._value.GetLower() + value._value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MaxToQuad(FloatVector256 value) => FloatVector128.MaxToQuad(new(Vector128.MaxNative(value._value.GetLower(), value._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector256 LoadQuads(float* source, nint pitch) => new(Vector256.Create(Vector128.Load(source), Vector128.Load(source + (4 * pitch))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeQuads(ref FloatVector256 a, ref FloatVector256 b, ref FloatVector256 c, ref FloatVector256 d)
    {
        if (Avx.IsSupported)
        {
            Vector256<double> lowAb = Avx.UnpackLow(a._value, b._value).AsDouble(), highAb = Avx.UnpackHigh(a._value, b._value).AsDouble();
            Vector256<double> lowCd = Avx.UnpackLow(c._value, d._value).AsDouble(), highCd = Avx.UnpackHigh(c._value, d._value).AsDouble();
            a = new(Avx.UnpackLow(lowAb, lowCd).AsSingle());
            b = new(Avx.UnpackHigh(lowAb, lowCd).AsSingle());
            c = new(Avx.UnpackLow(highAb, highCd).AsSingle());
            d = new(Avx.UnpackHigh(highAb, highCd).AsSingle());
        }
        else
        {
            FloatVector128 a0 = new(a._value.GetLower()), b0 = new(b._value.GetLower()), c0 = new(c._value.GetLower()), d0 = new(d._value.GetLower());
            FloatVector128 a1 = new(a._value.GetUpper()), b1 = new(b._value.GetUpper()), c1 = new(c._value.GetUpper()), d1 = new(d._value.GetUpper());
            FloatVector128.TransposeQuads(ref a0, ref b0, ref c0, ref d0);
            FloatVector128.TransposeQuads(ref a1, ref b1, ref c1, ref d1);
            a = new(Vector256.Create(a0.Value, a1.Value));
            b = new(Vector256.Create(b0.Value, b1.Value));
            c = new(Vector256.Create(c0.Value, c1.Value));
            d = new(Vector256.Create(d0.Value, d1.Value));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(float* destination) => _value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProduct(FloatVector256 left, FloatVector256 right) => _value = Vector256.FusedMultiplyAdd(left._value, right._value, _value);
}
