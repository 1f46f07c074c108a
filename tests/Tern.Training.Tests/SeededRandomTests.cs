using Xunit;

namespace Tern.Training.Tests;

public sealed class SeededRandomTests
{
    /// <summary>The values were computed apart, so that no change of this code or of .NET reorders anyone's training data.</summary>
    [Fact]
    public void TheNumbersOfASeedNeverChange()
    {
        SeededRandom random = new(7, 2, 3);

        Assert.Equal(0xe21d0a42d2165003, random.Next());
        Assert.Equal(0xb9c750b2fa578647, random.Next());
        Assert.Equal(0xb20e6a29eae5e098, random.Next());
    }

    [Fact]
    public void EveryNumberBelowTheBoundIsEquallyLikely()
    {
        const int draws = 70_000;
        int[] counts = new int[7];
        SeededRandom random = new(1, 0, 0);
        for (int i = 0; i < draws; i++)
        {
            counts[random.Below(7)]++;
        }

        // Five standard deviations of a binomial count.
        double limit = 5 * Math.Sqrt(draws / 7.0 * (6.0 / 7.0));
        Assert.All(counts, c => Assert.True(Math.Abs(c - (draws / 7.0)) <= limit, $"{c} of {draws}"));
    }

    [Fact]
    public void KeysGiveDifferentSequences()
    {
        HashSet<ulong> first = [];
        for (ulong key = 0; key < 50; key++)
        {
            first.Add(new SeededRandom(key, 1, 2).Next());
            first.Add(new SeededRandom(1, key + 100, 2).Next());
            first.Add(new SeededRandom(1, 2, key + 200).Next());
        }

        Assert.Equal(150, first.Count);
    }
}
