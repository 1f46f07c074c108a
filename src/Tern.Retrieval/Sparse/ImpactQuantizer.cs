namespace Tern.Retrieval;

/// <summary>
/// The linear 8-bit quantiser of document weights: one scale for the whole index, rounding half away from zero, and a
/// positive weight never becomes 0.
/// </summary>
internal readonly record struct ImpactQuantizer(float Scale)
{
    public const int Largest = 255;

    public static ImpactQuantizer ForLargest(float weight) => new(weight > 0f ? Math.Max(weight / Largest, float.Epsilon) : 1f);

    // Adding a half and cutting rounds half away from zero: the sum is exact wherever it could matter below 256, but just
    // under a half, which becomes 1 as it must.
    public byte Quantize(float weight) => (byte)Math.Clamp((int)((weight / Scale) + 0.5f), 1, Largest);
}

/// <summary>
/// The query side of integer scoring: weights become 1..1023 relative to the heaviest of the query, rounding half away
/// from zero. A sum of at most 8192 products of 10 and 8 bits fits 31 bits.
/// </summary>
internal static class QueryQuantizer
{
    public const int Largest = 1023;

    public const int MaxTermCount = 8192;

    /// <summary>Writes the quantised weights and returns what one unit of them is worth.</summary>
    public static float Quantize(ReadOnlySpan<float> weights, Span<int> destination)
    {
        float largest = 0f;
        foreach (float weight in weights)
        {
            largest = Math.Max(largest, weight);
        }

        if (largest == 0f)
        {
            destination[..weights.Length].Clear();
            return 1f;
        }

        float scale = Math.Max(largest / Largest, float.Epsilon);
        for (int i = 0; i < weights.Length; i++)
        {
            destination[i] = weights[i] == 0f ? 0 : (int)Math.Clamp(MathF.Round(weights[i] / scale, MidpointRounding.AwayFromZero), 1f, Largest);
        }

        return scale;
    }
}
