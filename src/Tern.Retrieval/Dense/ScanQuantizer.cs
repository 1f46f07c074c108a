namespace Tern.Retrieval;

/// <summary>
/// What bounds the difference between a row's score in the narrow copy and its float32 score: for a query q, rounded for
/// the scan to within δ, it is at most ‖q‖ · Error + δ · Norm. Scale is what one unit of the copy is worth.
/// </summary>
internal readonly record struct ScanBound(float Scale, float Error, float Norm);

/// <summary>Makes the narrow copies of rows and bounds what they change; rows are padded with zeros to whole 64 bytes.</summary>
internal static class ScanQuantizer
{
    public const int LargestByte = 127;

    /// <summary>Bytes of one row of the copy.</summary>
    public static int RowByteCount(DenseScan scan, int dimension) => ((dimension * (scan == DenseScan.Int8 ? 1 : 2)) + 63) & ~63;

    public static ScanBound ToInt8(ReadOnlySpan<float> row, Span<sbyte> destination)
    {
        float largest = 0f;
        foreach (float value in row)
        {
            largest = Math.Max(largest, Math.Abs(value));
        }

        float scale = largest / LargestByte;
        double error = 0, norm = 0;
        destination.Clear();
        for (int i = 0; i < row.Length; i++)
        {
            // A scale that underflowed to 0 leaves zeros, and the bound knows.
            destination[i] = scale > 0f ? (sbyte)Math.Clamp(Math.Round(row[i] / (double)scale), -LargestByte, LargestByte) : (sbyte)0;
            double kept = (double)destination[i] * scale;
            error += (row[i] - kept) * (row[i] - kept);
            norm += kept * kept;
        }

        return Bound(scale, error, norm, row.Length);
    }

    public static ScanBound ToBFloat16(ReadOnlySpan<float> row, Span<ushort> destination)
    {
        double error = 0, norm = 0;
        destination.Clear();
        for (int i = 0; i < row.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(row[i]);
            uint rounded = bits + 0x7FFFu + ((bits >> 16) & 1);
            // Rounding up the largest numbers would give infinity.
            destination[i] = (ushort)((rounded & 0x7F80_0000u) == 0x7F80_0000u ? bits >> 16 : rounded >> 16);
            double kept = BitConverter.UInt32BitsToSingle((uint)destination[i] << 16);
            error += (row[i] - kept) * (row[i] - kept);
            norm += kept * kept;
        }

        return Bound(1f, error, norm, row.Length);
    }

    /// <summary>The least float32 that is not below a bound that was computed in double precision.</summary>
    public static float RoundUp(double value) => MathF.BitIncrement((float)(value * (1 + 1e-12)));

    // Both sums are rounded as well: the copy's scores by at most RelativeError, or 4 roundings of a whole number's scale.
    private static ScanBound Bound(float scale, double squaredError, double squaredNorm, int length)
    {
        double error = Math.Sqrt(squaredError), norm = Math.Sqrt(squaredNorm), relative = DotProduct.RelativeError(length), scaling = 4 * DotProduct.UnitRoundoff;
        return new ScanBound(scale, RoundUp((error * (1 + relative)) + (norm * ((2 * relative) + scaling))), RoundUp(norm * (1 + scaling)));
    }
}
