using Xunit;

namespace Tern.Model.Tests;

public sealed class NormalSourceTests
{
    [Theory]
    [InlineData(0, 11)]
    [InlineData(1, 10)]
    [InlineData(4, 3)]
    [InlineData(7, 1)]
    [InlineData(10, 1)]
    public void PartOfTheStreamIsTheStream(int first, int count)
    {
        float[] whole = new float[11], part = new float[count];
        new NormalSource(3, "a weight").Fill(0.5f, whole);
        new NormalSource(3, "a weight").Fill(0.5f, part, first);
        Assert.Equal(whole.AsSpan(first, count).ToArray(), part);
    }

    [Fact]
    public void MomentsAreThoseOfANormalDistribution()
    {
        float[] values = new float[200_001];
        new NormalSource(1, "moments").Fill(2f, values);
        double mean = values.Average(v => (double)v), variance = values.Average(v => (v - mean) * (v - mean)), fourth = values.Average(v => Math.Pow(v - mean, 4));
        Assert.InRange(mean, -0.02, 0.02);
        Assert.InRange(variance, 3.95, 4.05);
        Assert.InRange(fourth / variance / variance, 2.9, 3.1);
    }

    [Fact]
    public void SeedAndNameChangeEveryNumber()
    {
        float[] one = new float[8], other = new float[8];
        new NormalSource(1, "a").Fill(1f, one);
        foreach (NormalSource source in new NormalSource[] { new(2, "a"), new(1, "b") })
        {
            source.Fill(1f, other);
            Assert.DoesNotContain(one.Zip(other), pair => pair.First == pair.Second);
        }
    }
}
