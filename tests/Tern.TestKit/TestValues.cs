namespace Tern.TestKit;

/// <summary>Seeded inputs and conversions between the types of operations and of oracles.</summary>
public static class TestValues
{
    /// <summary>Normally distributed floats.</summary>
    public static float[] Normal(int count, int seed, double scale = 1)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
        {
            // Box-Muller; 1 - u is never zero.
            values[i] = (float)(scale * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }

    /// <summary>Integers from 0 to <paramref name="limit"/> - 1.</summary>
    public static int[] Integers(int count, int limit, int seed)
    {
        Random random = new(seed);
        return Enumerable.Range(0, count).Select(_ => random.Next(limit)).ToArray();
    }

    public static double[] ToDouble(this float[] values) => Array.ConvertAll(values, x => (double)x);

    public static float[] ToFloat(this double[] values) => Array.ConvertAll(values, x => (float)x);

    /// <summary>Prefix sums of lengths: a sequenceStarts operand.</summary>
    public static int[] Starts(params int[] lengths)
    {
        int[] starts = new int[lengths.Length + 1];
        for (int i = 0; i < lengths.Length; i++)
        {
            starts[i + 1] = starts[i] + lengths[i];
        }

        return starts;
    }

    /// <summary>The nearest BFloat16 values, as floats; their upper halves are the BFloat16 bits.</summary>
    public static float[] RoundToBFloat16(float[] values) => Array.ConvertAll(values, x =>
    {
        uint bits = BitConverter.SingleToUInt32Bits(x);
        return BitConverter.UInt32BitsToSingle((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000);
    });
}
