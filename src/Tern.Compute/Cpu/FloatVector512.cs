using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

internal unsafe struct FloatVector512(Vector512<float> value) : IFloatVector<FloatVector512>
{
    private Vector512<float> _value = value;

    public static bool IsHardwareAccelerated => Vector512.IsHardwareAccelerated;

    public static int Count => 16;

    public static int TileRows => 14;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Multiply(FloatVector512 left, FloatVector512 right) => new(left._value * right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Add(FloatVector512 left, FloatVector512 right) => new(left._value + right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Or(FloatVector512 left, FloatVector512 right) => new(left._value | right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 GreaterThan(FloatVector512 left, FloatVector512 right) => new(Vector512.GreaterThan(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 IsNaN(FloatVector512 value) => new(Vector512.IsNaN(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Select(FloatVector512 mask, FloatVector512 whereSet, FloatVector512 whereClear) => new(Vector512.ConditionalSelect(mask._value, whereSet._value, whereClear._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint SignBits(FloatVector512 value) => (uint)Vector512.ExtractMostSignificantBits(value._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint NonZeroBits(FloatVector512 value) => (uint)Vector512.ExtractMostSignificantBits(~Vector512.Equals(value._value, Vector512<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 LoadBFloat16(ushort* source) => new((Vector512.WidenLower(Vector512.Create(Vector256.Load(source), default)) << 16).AsSingle());

    /// <summary>The lanes.</summary>
    public readonly Vector512<float> Value => _value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Subtract(FloatVector512 left, FloatVector512 right) => new(left._value - right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Divide(FloatVector512 left, FloatVector512 right) => new(left._value / right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 SquareRoot(FloatVector512 value) => new(Vector512.Sqrt(value._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 MaxNative(FloatVector512 left, FloatVector512 right) => new(Vector512.MaxNative(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 MinNative(FloatVector512 left, FloatVector512 right) => new(Vector512.MinNative(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 LessThan(FloatVector512 left, FloatVector512 right) => new(Vector512.LessThan(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 LessThanOrEqual(FloatVector512 left, FloatVector512 right) => new(Vector512.LessThanOrEqual(left._value, right._value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 And(FloatVector512 left, FloatVector512 right) => new(left._value & right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 Xor(FloatVector512 left, FloatVector512 right) => new(left._value ^ right._value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 AddIntegers(FloatVector512 left, FloatVector512 right) => new((left._value.AsInt32() + right._value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 ShiftIntegersLeft(FloatVector512 value, int count) => new((value._value.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 ShiftIntegersRight(FloatVector512 value, int count) => new((value._value.AsInt32() >> count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 ConvertIntegers(FloatVector512 value) => new(Vector512.ConvertToSingle(value._value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumToQuad(FloatVector512 value) => FloatVector256.SumToQuad(new(value._value.GetLower() + value._value.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> MaxToQuad(FloatVector512 value) => FloatVector256.MaxToQuad(new(Vector256.MaxNative(value._value.GetLower(), value._value.GetUpper())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static FloatVector512 LoadQuads(float* source, nint pitch) => new(Vector512.Create(Vector256.Create(Vector128.Load(source), Vector128.Load(source + (4 * pitch))), Vector256.Create(Vector128.Load(source + (8 * pitch)), Vector128.Load(source + (12 * pitch)))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransposeQuads(ref FloatVector512 a, ref FloatVector512 b, ref FloatVector512 c, ref FloatVector512 d)
    {
        if (Avx512F.IsSupported)
        {
            Vector512<double> lowAb = Avx512F.UnpackLow(a._value, b._value).AsDouble(), highAb = Avx512F.UnpackHigh(a._value, b._value).AsDouble();
            Vector512<double> lowCd = Avx512F.UnpackLow(c._value, d._value).AsDouble(), highCd = Avx512F.UnpackHigh(c._value, d._value).AsDouble();
            a = new(Avx512F.UnpackLow(lowAb, lowCd).AsSingle());
            b = new(Avx512F.UnpackHigh(lowAb, lowCd).AsSingle());
            c = new(Avx512F.UnpackLow(highAb, highCd).AsSingle());
            d = new(Avx512F.UnpackHigh(highAb, highCd).AsSingle());
        }
        else
        {
            FloatVector256 a0 = new(a._value.GetLower()), b0 = new(b._value.GetLower()), c0 = new(c._value.GetLower()), d0 = new(d._value.GetLower());
            FloatVector256 a1 = new(a._value.GetUpper()), b1 = new(b._value.GetUpper()), c1 = new(c._value.GetUpper()), d1 = new(d._value.GetUpper());
            FloatVector256.TransposeQuads(ref a0, ref b0, ref c0, ref d0);
            FloatVector256.TransposeQuads(ref a1, ref b1, ref c1, ref d1);
            a = new(Vector512.Create(a0.Value, a1.Value));
            b = new(Vector512.Create(b0.Value, b1.Value));
            c = new(Vector512.Create(c0.Value, c1.Value));
            d = new(Vector512.Create(d0.Value, d1.Value));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(float* destination) => _value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void AddProduct(FloatVector512 left, FloatVector512 right) => _value = Vector512.FusedMultiplyAdd(left._value, right._value, _value);
}
