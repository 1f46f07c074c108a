namespace Tern.Training;

/// <summary>
/// SplitMix64 started from a mix of keys: the same keys give the same numbers on every machine and version of .NET,
/// and any draw can be repeated from its keys alone, so a resumed run needs no generator state.
/// </summary>
internal struct SeededRandom
{
    private ulong _state;

    public SeededRandom(ulong seed, ulong stream, ulong index)
    {
        _state = Mix(Mix(Mix(seed) ^ stream) ^ index);
    }

    public ulong Next()
    {
        _state += 0x9E3779B97F4A7C15;
        return Finish(_state);
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble() => (Next() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, bound): the high half of a product, with the few biased low halves rejected.</summary>
    public int Below(int bound)
    {
        ulong threshold = unchecked(0UL - (ulong)bound) % (ulong)bound;
        while (true)
        {
            ulong high = Math.BigMul(Next(), (ulong)bound, out ulong low);
            if (low >= threshold)
            {
                return (int)high;
            }
        }
    }

    private static ulong Mix(ulong value) => Finish(value + 0x9E3779B97F4A7C15);

    private static ulong Finish(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
