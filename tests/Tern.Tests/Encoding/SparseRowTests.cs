using Tern.Retrieval;
using Xunit;

namespace Tern.Tests.Encoding;

public sealed class SparseRowTests
{
    /// <summary>Few different weights, so that ties decide.</summary>
    [Fact]
    public void KeepsWhatTheVectorKeeps()
    {
        var random = new Random(1);
        var heaviest = new TopKQueue();
        for (int round = 0; round < 200; round++)
        {
            float[] row = [.. Enumerable.Range(0, random.Next(1, 60)).Select(_ => (float)Math.Max(0, random.Next(-4, 5)))];
            int top = random.Next(0, 12);
            int room = random.Next(1, 70);
            int[] terms = new int[room];
            float[] weights = new float[room];
            int count = SparseRow.Select(row, top, heaviest, terms, weights);
            SparseVector expected = SparseVector.FromDense(row, top == 0 ? room : Math.Min(top, room));
            Assert.Equal(expected.Terms.ToArray(), terms[..count]);
            Assert.Equal(expected.Weights.ToArray(), weights[..count]);
        }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void WhatIsNoNumberIsRefused(float value) =>
        Assert.Throws<ArgumentException>(() => SparseRow.Select([1f, value], 0, new TopKQueue(), new int[2], new float[2]));
}
