using System.Runtime.Intrinsics;

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
        // The largest shift whose products fit, or one below.
        int shift = 14;
        for (double product = ((slope * (1 << shift)) + 1) * SegmentFormat.LargestMaximum; shift > 0 && product + (1 << shift) > ushort.MaxValue; shift--)
        {
            product = ((slope * (1 << (shift - 1))) + 1) * SegmentFormat.LargestMaximum;
        }

        var map = new BoundMap { Table = table, Multiplier = (uint)Math.Ceiling(slope * (1 << shift)), Shift = shift };
        Vector256<ushort> maxima = Vector256<ushort>.Indices;
        Vector256<ushort> factor = Vector256.Create((ushort)map.Multiplier);
        Vector256<ushort> round = Vector256.Create((ushort)((1 << shift) - 1));
        for (int m = 0; m < TableSize; m += 32)
        {
            Vector256<ushort> low = Vector256.Min(((maxima * factor) + round) >> shift, Vector256.Create((ushort)255));
            Vector256<ushort> high = Vector256.Min((((maxima + Vector256.Create((ushort)16)) * factor) + round) >> shift, Vector256.Create((ushort)255));
            Vector256.Narrow(low, high).Store(table + m);
            maxima += Vector256.Create((ushort)32);
        }

        return map;
    }
}
