using Xunit;

namespace Tern.Model.Tests;

public sealed class RotaryTableTests
{
    private static readonly LlamaConfig OneBillion = new() { HiddenSize = 2048, IntermediateSize = 8192, LayerCount = 16, HeadCount = 32, KeyValueHeadCount = 8, HeadSize = 64, VocabularySize = 128256, RopeTheta = 500000, RopeScaling = new RopeScaling(32, 1, 4, 8192) };

    [Fact]
    public void FrequenciesOfTheGoldenCheckpointAgree()
    {
        double[] actual = RotaryTable.InverseFrequencies(LlamaConfig.Load(GoldenLlama.Directory));

        Assert.Equal(GoldenLlama.InverseFrequencies.Length, actual.Length);
        for (int i = 0; i < actual.Length; i++)
        {
            Assert.Equal(GoldenLlama.InverseFrequencies[i], actual[i], 1e-12);
        }
    }

    /// <summary>Llama-3.2-1B: short waves stay, long ones are stretched 32 times, those of 2048 to 8192 positions lie between.</summary>
    [Fact]
    public void ScalingHasThreeBands()
    {
        double[] plain = RotaryTable.InverseFrequencies(OneBillion with { RopeScaling = null });
        double[] scaled = RotaryTable.InverseFrequencies(OneBillion);

        int between = 0;
        for (int i = 0; i < plain.Length; i++)
        {
            Assert.Equal(Math.Pow(500000, -i / 32.0), plain[i], 1e-12);
            double wavelength = 2 * Math.PI / plain[i];
            if (wavelength < 2048)
            {
                Assert.Equal(plain[i], scaled[i]);
            }
            else if (wavelength > 8192)
            {
                Assert.Equal(plain[i] / 32, scaled[i]);
            }
            else
            {
                between++;
                Assert.InRange(scaled[i], plain[i] / 32, plain[i]);
            }
        }

        Assert.Equal(3, between);
    }
}
