using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class RandomizationTestTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void AgreesWithTheCountOfAllSignPatterns(int seed)
    {
        var random = new Random(seed);
        double[] first = [.. Enumerable.Range(0, 12).Select(_ => Math.Round(random.NextDouble(), 1))];
        double[] second = [.. Enumerable.Range(0, 12).Select(_ => Math.Round(0.7 * random.NextDouble(), 1))];
        double[] differences = [.. first.Zip(second, (a, b) => a - b)];
        int asFar = Enumerable.Range(0, 1 << 12).Count(pattern => Math.Abs(differences.Select((d, i) => (pattern >> i & 1) == 0 ? d : -d).Sum()) >= Math.Abs(differences.Sum()) - 1e-9);
        double exact = asFar / 4096.0;
        double error = 4 * Math.Sqrt(exact * (1 - exact) / 100_000) + 2e-5;
        Assert.Equal(exact, RandomizationTest.Paired(first, second).PValue, error);
    }

    [Fact]
    public void CountsWinsLossesAndTiesAndIsTwoSided()
    {
        double[] a = [1, 0.5, 0.25, 0.5], b = [0.5, 0.5, 0.5, 0.25];
        PairedComparison ab = RandomizationTest.Paired(a, b), ba = RandomizationTest.Paired(b, a);
        Assert.Equal((2, 1, 1), (ab.Wins, ab.Losses, ab.Ties));
        Assert.Equal(0.125, ab.MeanDifference, 12);
        Assert.Equal(ab.PValue, ba.PValue);
        Assert.Equal(-ab.MeanDifference, ba.MeanDifference, 12);
    }

    [Fact]
    public void EqualSystemsHaveAPValueOfOne()
    {
        double[] values = [0.1, 0.7, 0.3];
        PairedComparison comparison = RandomizationTest.Paired(values, values);
        Assert.Equal((1.0, 0.0, 0.0, 0.0, 3), (comparison.PValue, comparison.MeanDifference, comparison.IntervalLow, comparison.IntervalHigh, comparison.Ties));
    }

    [Fact]
    public void AnAlwaysBetterSystemReachesTheLeastPValue()
    {
        double[] worse = [.. Enumerable.Range(0, 200).Select(i => i / 1000.0)];
        double[] better = [.. worse.Select(v => v + 0.1)];
        PairedComparison comparison = RandomizationTest.Paired(better, worse, permutations: 999);
        Assert.Equal(0.001, comparison.PValue, 12);
        Assert.Equal(0.1, comparison.IntervalLow, 9);
        Assert.Equal(0.1, comparison.IntervalHigh, 9);
    }

    [Fact]
    public void IsDeterministicForASeed()
    {
        var random = new Random(9);
        double[] a = [.. Enumerable.Range(0, 70).Select(_ => random.NextDouble())], b = [.. Enumerable.Range(0, 70).Select(_ => random.NextDouble())];
        Assert.Equal(RandomizationTest.Paired(a, b, seed: 5), RandomizationTest.Paired(a, b, seed: 5));
        Assert.NotEqual(RandomizationTest.Paired(a, b, seed: 5).PValue, RandomizationTest.Paired(a, b, seed: 6).PValue);
    }

    [Fact]
    public void TheBootstrapIntervalHasTheWidthOfTheNormalOne()
    {
        var random = new Random(3);
        double[] values = [.. Enumerable.Range(0, 2000).Select(_ => random.NextDouble())];
        (double low, double high) = RandomizationTest.BootstrapInterval(values);
        double halfWidth = 1.96 * Math.Sqrt(1.0 / 12 / 2000);
        Assert.Equal(values.Average() - halfWidth, low, 0.1 * halfWidth);
        Assert.Equal(values.Average() + halfWidth, high, 0.1 * halfWidth);
    }

    [Fact]
    public void RefusesUnpairedValuesAndTopics()
    {
        Assert.Throws<ArgumentException>(() => RandomizationTest.Paired([1.0], [1.0, 2.0]));
        Assert.Throws<ArgumentException>(() => RandomizationTest.Paired([], []));
        Assert.Throws<ArgumentException>(() => RandomizationTest.Paired([double.NaN], [1.0]));
        var qrels = new Qrels();
        qrels.Add("1", "a", 1);
        qrels.Add("2", "a", 1);
        Run one = new(), two = new();
        one.Add("1", "a", 1f);
        two.Add("2", "a", 1f);
        Measure measure = Measure.Parse("RR");
        Assert.Throws<ArgumentException>(() => RandomizationTest.Paired(TrecEval.Evaluate(qrels, one, [measure]), TrecEval.Evaluate(qrels, two, [measure]), measure));
    }
}
