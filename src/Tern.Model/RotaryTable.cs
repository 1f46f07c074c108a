using Tern.Compute;

namespace Tern.Model;

/// <summary>
/// Cosines and sines of the rotary angles, [positions, D]: D/2 cosines, then D/2 sines. Computed in double precision;
/// grown to the next power of two when a longer sequence comes. Owns its memory.
/// </summary>
internal sealed class RotaryTable(IBackend backend, LlamaConfig config) : IDisposable
{
    private readonly TensorMemory _memory = backend.Allocate(DType.Float32);
    private readonly double[] _inverseFrequencies = InverseFrequencies(config);
    private int _positionCount;

    /// <summary>θ^(−2i/D), stretched by the llama3 scaling where there is one.</summary>
    public static double[] InverseFrequencies(LlamaConfig config)
    {
        double[] frequencies = new double[config.HeadSize / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double frequency = Math.Pow(config.RopeTheta, -2.0 * i / config.HeadSize);
            frequencies[i] = config.RopeScaling is { } scaling ? Scale(frequency, scaling) : frequency;
        }

        return frequencies;
    }

    /// <summary>A table of at least that many positions.</summary>
    public Tensor Get(int positionCount)
    {
        if (positionCount > _positionCount)
        {
            int grown = Math.Max(64, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)positionCount));
            int half = _inverseFrequencies.Length;
            float[] table = new float[checked(grown * 2 * half)];
            for (int position = 0; position < grown; position++)
            {
                for (int i = 0; i < half; i++)
                {
                    (double sin, double cos) = Math.SinCos(position * _inverseFrequencies[i]);
                    table[(position * 2 * half) + i] = (float)cos;
                    table[(position * 2 * half) + half + i] = (float)sin;
                }
            }

            backend.Upload<float>(table, _memory.Shape(grown, 2 * half));
            _positionCount = grown;
        }

        return _memory.Shape(_positionCount, 2 * _inverseFrequencies.Length);
    }

    public void Dispose() => _memory.Dispose();

    private static double Scale(double frequency, RopeScaling scaling)
    {
        double wavelength = 2 * Math.PI / frequency;
        if (wavelength < (double)scaling.OriginalMaxPositionCount / scaling.HighFrequencyFactor)
        {
            return frequency;
        }

        if (wavelength > (double)scaling.OriginalMaxPositionCount / scaling.LowFrequencyFactor)
        {
            return frequency / scaling.Factor;
        }

        double smooth = ((scaling.OriginalMaxPositionCount / wavelength) - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return ((1 - smooth) * frequency / scaling.Factor) + (smooth * frequency);
    }
}
