using System.Numerics;
using System.Runtime.InteropServices;

namespace Tern.Compute;

/// <summary>Entries that are not 0, counted on the host.</summary>
public static class NonZeros
{
    public static long Count(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        long zeros = 0;

        // Lanes count up to the length of a block, so that an Int32 lane cannot overflow.
        const int blockLength = 1 << 20;
        for (int block = 0; block < vectors.Length; block += blockLength)
        {
            Vector<int> counts = Vector<int>.Zero;
            foreach (Vector<float> vector in vectors[block..Math.Min(block + blockLength, vectors.Length)])
            {
                counts -= Vector.Equals(vector, Vector<float>.Zero);
            }

            zeros += Vector.Sum(counts);
        }

        foreach (float value in values[(vectors.Length * Vector<float>.Count)..])
        {
            zeros += value == 0f ? 1 : 0;
        }

        return values.Length - zeros;
    }

    /// <summary>Of each row; a device's rows are fetched one by one.</summary>
    internal static void Count(IBackend backend, Tensor values, Span<int> counts)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, values.Rows);
        float[] copy = values.IsHost ? [] : new float[values.Columns];
        for (int b = 0; b < counts.Length; b++)
        {
            Tensor row = values.SliceRows(b, 1);
            if (!values.IsHost)
            {
                backend.Download<float>(row, copy);
            }

            counts[b] = (int)Count(values.IsHost ? row.Span<float>() : copy);
        }
    }
}
