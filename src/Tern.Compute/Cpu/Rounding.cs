namespace Tern.Compute.Cpu;

/// <summary>Division and rounding upwards, of sizes that are not negative.</summary>
internal static class Rounding
{
    private const int CacheLine = 64;

    public static int CeilingDivide(int value, int divisor) => (value + divisor - 1) / divisor;

    public static int RoundUp(int value, int multiple) => CeilingDivide(value, multiple) * multiple;

    /// <summary>Bytes in whole cache lines.</summary>
    public static nint ToCacheLines(nint byteCount) => (byteCount + CacheLine - 1) & -CacheLine;
}
