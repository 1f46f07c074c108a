using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

/// <summary>
/// A vector of floats of one width, as a type parameter of kernels that are written once for all widths. Lane masks are
/// vectors whose lanes are all ones or all zeros; 32-bit integers travel as the bits of floats.
/// </summary>
internal unsafe interface IFloatVector<TSelf>
    where TSelf : unmanaged, IFloatVector<TSelf>
{
    static abstract bool IsHardwareAccelerated { get; }

    /// <summary>Floats in one vector.</summary>
    static abstract int Count { get; }

    /// <summary>Rows of the register tile, two vectors wide, that leaves registers for two operands and a broadcast.</summary>
    static abstract int TileRows { get; }

    static abstract TSelf Load(float* source);

    static abstract TSelf Broadcast(float value);

    static abstract TSelf Multiply(TSelf left, TSelf right);

    static abstract TSelf Add(TSelf left, TSelf right);

    static abstract TSelf Or(TSelf left, TSelf right);

    static abstract TSelf GreaterThan(TSelf left, TSelf right);

    /// <summary>Lanes that hold a NaN.</summary>
    static abstract TSelf IsNaN(TSelf value);

    static abstract TSelf Select(TSelf mask, TSelf whereSet, TSelf whereClear);

    /// <summary>One bit for each lane, the lowest first: its sign, which for a mask is whether the lane is set.</summary>
    static abstract uint SignBits(TSelf value);

    /// <summary>One bit for each lane that differs from zero, NaN included.</summary>
    static abstract uint NonZeroBits(TSelf value);

    /// <summary>Widens BFloat16 elements.</summary>
    static abstract TSelf LoadBFloat16(ushort* source);

    static abstract TSelf Subtract(TSelf left, TSelf right);

    static abstract TSelf Divide(TSelf left, TSelf right);

    static abstract TSelf SquareRoot(TSelf value);

    /// <summary>The greater lanes; where either is a NaN, the second operand's on x86, as the processor has it elsewhere.</summary>
    static abstract TSelf MaxNative(TSelf left, TSelf right);

    /// <summary>The lesser lanes; NaN as in <see cref="MaxNative"/>.</summary>
    static abstract TSelf MinNative(TSelf left, TSelf right);

    static abstract TSelf LessThan(TSelf left, TSelf right);

    static abstract TSelf LessThanOrEqual(TSelf left, TSelf right);

    static abstract TSelf And(TSelf left, TSelf right);

    static abstract TSelf Xor(TSelf left, TSelf right);

    /// <summary>Sum of the lanes as 32-bit integers.</summary>
    static abstract TSelf AddIntegers(TSelf left, TSelf right);

    static abstract TSelf ShiftIntegersLeft(TSelf value, int count);

    /// <summary>Keeps the sign.</summary>
    static abstract TSelf ShiftIntegersRight(TSelf value, int count);

    /// <summary>The floats nearest to the lanes as 32-bit integers.</summary>
    static abstract TSelf ConvertIntegers(TSelf value);

    /// <summary>Adds the upper half of the lanes to the lower until four are left.</summary>
    static abstract Vector128<float> SumToQuad(TSelf value);

    /// <summary>As <see cref="SumToQuad"/>, with the greater of two lanes.</summary>
    static abstract Vector128<float> MaxToQuad(TSelf value);

    /// <summary>Quad q of lanes = the four floats at source + 4 · q · pitch.</summary>
    static abstract TSelf LoadQuads(float* source, nint pitch);

    /// <summary>In every quad of lanes, a 4 × 4 matrix of rows a to d becomes its transpose.</summary>
    static abstract void TransposeQuads(ref TSelf a, ref TSelf b, ref TSelf c, ref TSelf d);

    /// <summary>this += left · right, rounded once. In place, because the compiler then keeps accumulators where they are instead of moving them.</summary>
    void AddProduct(TSelf left, TSelf right);

    void Store(float* destination);
}

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
