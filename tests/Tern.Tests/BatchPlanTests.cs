using Xunit;

namespace Tern.Tests;

public class BatchPlanTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(10, 3)]
    [InlineData(64, 64)]
    [InlineData(100000, 7)]
    public void EveryTextIsInOneBatchWithinTheBounds(int maxTokens, int maxTexts)
    {
        var random = new Random(5);
        int[] lengths = [.. Enumerable.Range(0, 200).Select(_ => random.Next(0, 40))];
        int[][] batches = [.. BatchPlan.ByLength(lengths, maxTokens, maxTexts)];
        Assert.Equal(Enumerable.Range(0, lengths.Length), batches.SelectMany(b => b).Order());
        Assert.All(batches, batch =>
        {
            Assert.InRange(batch.Length, 1, maxTexts);
            Assert.True(batch.Length == 1 || batch.Sum(i => lengths[i]) <= maxTokens);
        });
        Assert.Equal(lengths.OrderDescending(), batches.SelectMany(b => b).Select(i => lengths[i]));
    }

    [Fact]
    public void NothingMakesNoBatch()
    {
        Assert.Empty(BatchPlan.ByLength([], 10, 10));
    }
}
