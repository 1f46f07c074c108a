using Tern.Pipelines.Demo;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

public class NetworkFactoryTests
{
    [Fact]
    public void FrequentTermsStartLightAndRareOnesHeavyWithinTheBounds()
    {
        var recipe = new DemoRecipe { IdfFloor = 0.2f, IdfCeiling = 1.9f };
        float[] scales = NetworkFactory.EmbeddingScales([1000, 100, 10, 1, 0], 1000, recipe);
        // idf is ln(1001/df): 0.001, 2.30, 4.61, 6.91; their mean over the terms that occur is 3.455.
        double mean = (Math.Log(1.001) + Math.Log(10.01) + Math.Log(100.1) + Math.Log(1001)) / 4;
        Assert.Equal(0.2f, scales[0]);
        Assert.Equal(Math.Log(10.01) / mean, scales[1], 1e-5);
        Assert.Equal(Math.Log(100.1) / mean, scales[2], 1e-5);
        Assert.Equal(1.9f, scales[3]);
        Assert.Equal(1.9f, scales[4]);
    }
}
