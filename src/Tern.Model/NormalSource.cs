using System.IO.Hashing;
using System.Text;

namespace Tern.Model;

/// <summary>Normally distributed numbers that a seed and a name determine: SplitMix64 and Box–Muller.</summary>
internal sealed class NormalSource(int seed, string name)
{
    private ulong _state = XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name), seed);

    public void Fill(float standardDeviation, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i += 2)
        {
            // 1 - u is in (0, 1], so that the logarithm is finite.
            double radius = standardDeviation * Math.Sqrt(-2 * Math.Log(1 - NextUniform()));
            (double sin, double cos) = Math.SinCos(2 * Math.PI * NextUniform());
            destination[i] = (float)(radius * cos);
            if (i + 1 < destination.Length)
            {
                destination[i + 1] = (float)(radius * sin);
            }
        }
    }

    private double NextUniform()
    {
        _state += 0x9E3779B97F4A7C15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
