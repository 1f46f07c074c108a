using CsCheck;
using Xunit;

namespace Tern.Retrieval.Tests;

public class TopKQueueTests
{
    [Fact]
    public void KeepsTheBestByScoreThenRankInAnyOrderOfPushes() =>
        Gen.Select(Gen.Int[0, 40], Gen.Int[0, 300], Gen.Int[1, 6], Gen.Int).Sample((k, n, distinct, seed) =>
        {
            var random = new Random(seed);
            var pairs = Enumerable.Range(0, n).Select(rank => (Score: random.Next(distinct) - 2f, Rank: rank)).ToArray();
            random.Shuffle(pairs);
            var queue = new TopKQueue();
            queue.Reset(k);
            foreach ((float score, int rank) in pairs)
            {
                queue.Push(score, rank);
            }

            var scores = new float[k];
            var ranks = new int[k];
            int count = queue.Drain(scores, ranks);
            var expected = pairs.OrderByDescending(p => p.Score).ThenByDescending(p => p.Rank).Take(k).ToArray();
            Assert.Equal(expected, scores.Take(count).Zip(ranks));
        });

    [Fact]
    public void ReportsAThresholdThatNothingBelowCanPass()
    {
        var queue = new TopKQueue();
        queue.Reset(2);
        Assert.False(queue.HasThreshold);
        for (int rank = 0; rank < 100; rank++)
        {
            queue.Push(rank, rank);
        }

        Assert.True(queue.HasThreshold);
        Assert.False(queue.WouldEnter(queue.ThresholdScore - 1, 1000));
        Assert.True(queue.WouldEnter(queue.ThresholdScore, 1000));
    }

    [Fact]
    public void TreatsBothZerosAsOneScoreAndOrdersNegativeScores()
    {
        var queue = new TopKQueue();
        queue.Reset(4);
        queue.Push(-0f, 1);
        queue.Push(0f, 0);
        queue.Push(-5f, 3);
        queue.Push(-1f, 2);
        var ranks = new int[4];
        queue.Drain(new float[4], ranks);
        Assert.Equal([1, 0, 2, 3], ranks);
    }

    [Fact]
    public void RefusesNaN()
    {
        var queue = new TopKQueue();
        queue.Reset(3);
        Assert.Throws<ArgumentException>(() => queue.Push(float.NaN, 0));
    }
}
