using Xunit;

namespace Tern.Retrieval.Tests;

public class SparseVectorTests
{
    [Fact]
    public void FromDenseKeepsPositiveEntriesAscending()
    {
        var vector = SparseVector.FromDense([0f, 2f, -1f, 0.5f]);
        Assert.Equal([1, 3], vector.Terms.ToArray());
        Assert.Equal([2f, 0.5f], vector.Weights.ToArray());
    }

    [Fact]
    public void FromDenseTopKeepsTheHeaviestAndOnATieTheSmallerId()
    {
        var vector = SparseVector.FromDense([1f, 3f, 1f, 2f, 1f], top: 3);
        Assert.Equal([0, 1, 3], vector.Terms.ToArray());
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void FromDenseRefusesWhatIsNotFinite(float value) => Assert.Throws<ArgumentException>(() => SparseVector.FromDense([1f, value]));

    [Fact]
    public void DotSumsSharedTerms()
    {
        var a = new SparseVector([1, 4, 9], [1f, 2f, 3f]);
        var b = new SparseVector([0, 4, 9, 12], [5f, 0.5f, 2f, 7f]);
        Assert.Equal(7f, a.Dot(b));
        Assert.Equal(2f, a[4]);
        Assert.Equal(0f, a[5]);
    }

    [Fact]
    public void FromPairsAddsEqualTerms()
    {
        var vector = SparseVector.FromPairs([(7, 1f), (2, 3f), (7, 0.5f)]);
        Assert.Equal([2, 7], vector.Terms.ToArray());
        Assert.Equal([3f, 1.5f], vector.Weights.ToArray());
    }

    [Theory]
    [InlineData(new[] { 2, 1 }, new[] { 1f, 1f })]
    [InlineData(new[] { 1, 1 }, new[] { 1f, 1f })]
    [InlineData(new[] { -1, 1 }, new[] { 1f, 1f })]
    [InlineData(new[] { 1, 2 }, new[] { 1f, 0f })]
    [InlineData(new[] { 1, 2 }, new[] { 1f, float.NaN })]
    [InlineData(new[] { 1, 2 }, new[] { 1f })]
    public void RefusesWhatIsNotASparseVector(int[] terms, float[] weights) => Assert.Throws<ArgumentException>(() => new SparseVector(terms, weights));
}
