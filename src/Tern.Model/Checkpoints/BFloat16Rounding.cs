namespace Tern.Model.Checkpoints;

/// <summary>From Float32 to bfloat16, to the nearest, ties to even.</summary>
public static class BFloat16Rounding
{
    public static void Round(ReadOnlySpan<float> values, Span<ushort> destination)
    {
        for (int i = 0; i < values.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);

            // A NaN's low bits alone must not round it to infinity.
            destination[i] = float.IsNaN(values[i]) ? (ushort)((bits >> 16) | 0x40) : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
        }
    }
}
