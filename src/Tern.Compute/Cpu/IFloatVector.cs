using System.Runtime.Intrinsics;

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
