using Tern.Compute;
using Xunit;

namespace Tern.Training.Tests;

public sealed class CollapseCheckTests
{
    [Theory]
    [InlineData(double.NaN, 1.0)]
    [InlineData(double.PositiveInfinity, 1.0)]
    [InlineData(1.0, double.NaN)]
    public void ALossOrGradientThatIsNoNumber(double loss, double norm)
    {
        TrainingCollapsedException e = Assert.Throws<TrainingCollapsedException>(() => CollapseCheck.Loss(17, loss, norm));

        Assert.Equal(17, e.Step);
        Assert.Contains("at step 17: the loss is", e.Message, StringComparison.Ordinal);
        Assert.Contains("lower the learning rate", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DocumentsThatAllLookAlike()
    {
        TrainingCollapsedException e = Assert.Throws<TrainingCollapsedException>(() => CollapseCheck.Vectors(3, [1, 0, 1, 1, 1, 1.02f, 1.01f, 1], 2, 1));

        Assert.Contains("at step 3: all documents look alike, their mean cosine is 0.999", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AllZeroVectors()
    {
        Assert.Contains("every query vector", Assert.Throws<TrainingCollapsedException>(() => CollapseCheck.Vectors(3, [0, 0, 1, 0, 0, 1], 2, 1)).Message, StringComparison.Ordinal);
        Assert.Contains("every document vector", Assert.Throws<TrainingCollapsedException>(() => CollapseCheck.Vectors(3, [0, 1, 0, 0, 0, 0], 2, 1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HealthyVectorsPass()
    {
        CollapseCheck.Vectors(3, [1, 0, 1, 0.2f, 0, 1], 2, 1);
        CollapseCheck.Positions(3, [1, 1, 1, 1], [0, 1, 2, 2], [0, 2, 4]);
        CollapseCheck.Loss(3, 1.0, 1e6);
    }

    [Theory]
    [InlineData(0, 3, "the first position")]
    [InlineData(2, 5, "the last position")]
    public void OnePositionThatWinsEveryMaximum(int firstTextsRow, int secondTextsRow, string expected)
    {
        int[] starts = [0, 3, 6];
        TrainingCollapsedException e = Assert.Throws<TrainingCollapsedException>(() => CollapseCheck.Positions(
            3, [1, 2, 3, 0, 1, 2], [firstTextsRow, firstTextsRow, firstTextsRow, secondTextsRow, secondTextsRow, secondTextsRow], starts));

        Assert.Contains(expected + " of each text wins 100.0 % of all maxima", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void TextsOfOneTokenAndSilentEntriesDoNotCountAsWon()
    {
        CollapseCheck.Positions(3, [1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 2]);
        CollapseCheck.Positions(3, [0, 0, 0, 1], [0, 0, 0, 1], [0, 3]);
    }

    [Fact]
    public void TheMeanCosineIsThatOfThePairs()
    {
        // Pairs: 1 with 2 has cos 45°, 1 with 3 cos 90°, 2 with 3 cos 45°; the zero vector is left out.
        double expected = ((2 * Math.Sqrt(0.5)) + 0) / 3;

        Assert.Equal(expected, CollapseCheck.MeanPairwiseCosine([1, 0, 2, 2, 0, 0, 0, 5], 2), 10);
        Assert.Equal(0.0, CollapseCheck.MeanPairwiseCosine([1, 0], 2));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(64)]
    [InlineData(1003)]
    public void NonZerosAreCounted(int length)
    {
        float[] values = new float[length];
        for (int i = 0; i < length; i++)
        {
            values[i] = i % 3 == 0 ? 0f : i % 3 == 1 ? -0f : 1e-30f;
        }

        Assert.Equal(values.Count(v => v != 0f), NonZeros.Count(values));
    }
}
