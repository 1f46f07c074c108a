namespace Tern.Retrieval.Kernels;

/// <summary>
/// Maps a 7-bit block maximum to its part of a leaf's bound, in bytes, rounded up: min(255, (m · Multiplier + 2^Shift − 1) >> Shift).
/// The product fits 16 bits. The table holds the same function where it is looked up by one instruction.
/// </summary>
internal unsafe struct BoundMap
{
    public const int TableSize = SegmentFormat.LargestMaximum + 1;

    /// <summary>128 bytes, 64-byte aligned.</summary>
    public byte* Table;

    public uint Multiplier;

    public int Shift;

    /// <summary>For a query weight, where <paramref name="unitsPerScore"/> is what one unit of the integer score adds to a bound.</summary>
    public static BoundMap For(uint weight, double unitsPerScore, byte* table)
    {
        // What a maximum of 1 adds; from 255 on any of them saturates.
        double slope = Math.Min(255, weight * unitsPerScore * ImpactQuantizer.Largest / SegmentFormat.LargestMaximum * (1 + 1e-9));
        int shift = 14;
        while (shift > 0 && (SegmentFormat.LargestMaximum * Math.Ceiling(slope * (1 << shift))) + (1 << shift) - 1 > ushort.MaxValue)
        {
            shift--;
        }

        var map = new BoundMap { Table = table, Multiplier = (uint)Math.Ceiling(slope * (1 << shift)), Shift = shift };
        for (uint m = 0; m < TableSize; m++)
        {
            table[m] = (byte)Math.Min(255, ((m * map.Multiplier) + (1u << shift) - 1) >> shift);
        }

        return map;
    }
}
