using System.IO.Hashing;
using System.Text;

namespace Tern.Model;

/// <summary>
/// A stream of normally distributed numbers that a seed and a name determine: SplitMix64 and Box–Muller. A number
/// depends on its place in the stream only, so that parts of it can be drawn anywhere, in any order.
/// </summary>
internal readonly struct NormalSource(int seed, string name)
{
    private const ulong Increment = 0x9E3779B97F4A7C15;

    private readonly ulong _start = Hash(name, seed);

    /// <summary>64 bits of a name.</summary>
    public static ulong Hash(string name, int seed = 0) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name), seed);

    /// <summary>The numbers from place <paramref name="first"/> on, with mean 0.</summary>
    public void Fill(float standardDeviation, Span<float> destination, long first = 0)
    {
        // Two uniform numbers make two normal ones, the even place by cosine and the odd one by sine.
        for (int i = first % 2 == 0 ? 0 : -1; i < destination.Length; i += 2)
        {
            ulong state = _start + ((ulong)(first + i) * Increment);

            // 1 - u is in (0, 1], so that the logarithm is finite.
            double radius = standardDeviation * Math.Sqrt(-2 * Math.Log(1 - Uniform(state + Increment)));
            (double sin, double cos) = Math.SinCos(2 * Math.PI * Uniform(state + unchecked(2 * Increment)));
            if (i >= 0)
            {
                destination[i] = (float)(radius * cos);
            }

            if (i + 1 < destination.Length)
            {
                destination[i + 1] = (float)(radius * sin);
            }
        }
    }

    /// <summary>Numbers from the start, spread evenly over ±<paramref name="bound"/>.</summary>
    public void FillUniform(float bound, Span<float> destination)
    {
        for (int i = 0; i < destination.Length; i++)
        {
            destination[i] = (float)(bound * ((2 * Uniform(_start + ((ulong)(i + 1) * Increment))) - 1));
        }
    }

    private static double Uniform(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return ((z ^ (z >> 31)) >> 11) * (1.0 / (1UL << 53));
    }
}
