using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>A query as the scan of a narrow copy reads it: laid out, for Int8 rounded, with the norms of the bound. Reused; not thread-safe.</summary>
internal sealed unsafe class ScanQuery : IDisposable
{
    private void* _values;
    private nuint _byteCount;

    /// <summary>Int8: short, one an element. BFloat16: for each 32 elements the 16 at even places, then those at odd ones, as float.</summary>
    public void* Values => _values;

    /// <summary>What one unit of an Int8 query is worth; 1 for BFloat16.</summary>
    public float Scale { get; private set; }

    /// <summary>At least ‖q‖.</summary>
    public float Norm { get; private set; }

    /// <summary>At least the distance from the query to what the scan reads.</summary>
    public float Distance { get; private set; }

    public void Prepare(ReadOnlySpan<float> query, DenseScan scan)
    {
        int padded = ScanQuantizer.RowByteCount(scan, query.Length) / (scan == DenseScan.Int8 ? 1 : 2);
        nuint needed = (nuint)padded * sizeof(float);
        if (_byteCount < needed)
        {
            NativeMemory.AlignedFree(_values);
            _values = NativeMemory.AlignedAlloc(needed, 64);
            _byteCount = needed;
        }

        NativeMemory.Clear(_values, needed);
        double norm = 0;
        foreach (float value in query)
        {
            norm += (double)value * value;
        }

        Norm = ScanQuantizer.RoundUp(Math.Sqrt(norm));
        if (scan == DenseScan.Int8)
        {
            PrepareInt16(query, padded);
        }
        else
        {
            PreparePairs(query);
        }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_values);
        _values = null;
        _byteCount = 0;
    }

    private void PrepareInt16(ReadOnlySpan<float> query, int padded)
    {
        float largest = 0f;
        foreach (float value in query)
        {
            largest = Math.Max(largest, Math.Abs(value));
        }

        // A 32-bit lane adds two products for each 16 elements at the least.
        int most = (int)Math.Min(short.MaxValue, int.MaxValue / (2L * ScanQuantizer.LargestByte * ((padded / 16) + 1)));
        Scale = largest / most;
        double distance = 0;
        var values = (short*)_values;
        for (int i = 0; i < query.Length; i++)
        {
            values[i] = Scale > 0f ? (short)Math.Clamp(Math.Round(query[i] / (double)Scale), -most, most) : (short)0;
            double difference = query[i] - ((double)values[i] * Scale);
            distance += difference * difference;
        }

        Distance = distance > 0 ? ScanQuantizer.RoundUp(Math.Sqrt(distance)) : 0f;
    }

    private void PreparePairs(ReadOnlySpan<float> query)
    {
        var values = (float*)_values;
        for (int i = 0; i < query.Length; i++)
        {
            values[(i & ~31) + ((i & 1) * 16) + ((i & 31) >> 1)] = query[i];
        }

        Scale = 1f;
        Distance = 0f;
    }
}
