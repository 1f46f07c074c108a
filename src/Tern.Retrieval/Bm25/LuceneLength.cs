using System.Numerics;

namespace Tern.Retrieval;

/// <summary>
/// Lucene's one-byte document length: exact below 40, then four significant bits. BM25 divides by the decoded length, so
/// scores equal Lucene's only with the same rounding.
/// </summary>
internal static class LuceneLength
{
    // Of the 256 codes, those that a 31-bit integer leaves unused by the 4-bit float coding hold the smallest lengths exactly.
    private static readonly int FreeCodes = 255 - FloatCode(int.MaxValue);

    public static byte Encode(int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        return (byte)(length < FreeCodes ? length : FreeCodes + FloatCode(length - FreeCodes));
    }

    public static int Decode(byte code) => code < FreeCodes ? code : FreeCodes + FloatValue(code - FreeCodes);

    /// <summary>Three bits of mantissa under an implicit leading one, above them the exponent; numbers below 8 stand for themselves.</summary>
    private static int FloatCode(int value)
    {
        int bitCount = 32 - BitOperations.LeadingZeroCount((uint)value);
        if (bitCount < 4)
        {
            return value;
        }

        int shift = bitCount - 4;
        return ((value >>> shift) & 7) | ((shift + 1) << 3);
    }

    private static int FloatValue(int code)
    {
        int shift = (code >>> 3) - 1;
        return shift < 0 ? code : ((code & 7) | 8) << shift;
    }
}
