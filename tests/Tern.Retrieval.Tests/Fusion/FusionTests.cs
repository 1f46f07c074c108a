using Xunit;

namespace Tern.Retrieval.Tests.Fusions;

public class FusionTests
{
    private static readonly ScoredDocument[] First = [new("a", 10f), new("b", 6f), new("c", 2f)];
    private static readonly ScoredDocument[] Second = [new("c", 0.9f), new("d", 0.1f)];

    [Fact]
    public void ReciprocalRanksAddUp() =>
        Check([("c", (1.0 / 63) + (1.0 / 61)), ("a", 1.0 / 61), ("d", 1.0 / 62), ("b", 1.0 / 62)], Fusion.ReciprocalRank([First, Second]));

    [Fact]
    public void MinMaxGivesZeroToTheAbsentAndOneToASingleDocument()
    {
        // First: a 1, b 0.5, c 0; second: c 1, d 0.
        Check([("a", 0.6), ("c", 0.4), ("b", 0.3), ("d", 0)], Fusion.Weighted([First, Second], [0.6, 0.4]));
        Check([("x", 1)], Fusion.Weighted([[new("x", 5f)], []], [1, 1]));
        Check([("y", 1), ("x", 1)], Fusion.Weighted([[new("x", 5f), new("y", 5f)]], [1]));
    }

    [Fact]
    public void ZScoreGivesTheLeastToTheAbsent()
    {
        // First: mean 6, deviation √(32/3), so z = ±√1.5 and 0; second: z = ±1.
        double z = Math.Sqrt(1.5);
        Check([("a", z - 1), ("c", -z + 1), ("b", -1), ("d", -z - 1)], Fusion.Weighted([First, Second], [1, 1], ScoreNormalization.ZScore), 1e-6);
        Check([("y", 0), ("x", 0)], Fusion.Weighted([[new("x", 5f), new("y", 5f)]], [1], ScoreNormalization.ZScore));
    }

    [Fact]
    public void RunsAreFusedTopicByTopicToADepth()
    {
        Run first = new(), second = new();
        first.Add("1", "a", 2f);
        first.Add("1", "b", 1f);
        second.Add("1", "b", 9f);
        second.Add("2", "z", 1f);
        Run fused = Fusion.ReciprocalRank([first, second]);
        Assert.Equal(["1", "2"], fused.Topics);
        Assert.Equal(["b", "a"], fused["1"].Select(d => d.Id));
        Assert.Equal(["z"], fused["2"].Select(d => d.Id));
        Assert.Equal(["b"], Fusion.ReciprocalRank([first, second], depth: 1)["1"].Select(d => d.Id));
    }

    [Fact]
    public void RefusesWeightsThatDoNotFit()
    {
        Assert.Throws<ArgumentException>(() => Fusion.Weighted([First, Second], [1]));
        Assert.Throws<ArgumentException>(() => Fusion.Weighted([First], [-1]));
        Assert.Throws<ArgumentException>(() => Fusion.Weighted([First], [double.NaN]));
    }

    [Fact]
    public void TuningFindsTheRunThatIsRightAndPrefersEvenWeightsOnATie()
    {
        var qrels = new Qrels();
        Run right = new(), wrong = new();
        for (int topic = 0; topic < 5; topic++)
        {
            qrels.Add($"{topic}", "yes", 1);
            right.Add($"{topic}", "yes", 1f);
            right.Add($"{topic}", "zzz", 0f);
            wrong.Add($"{topic}", "zzz", 1f);
            wrong.Add($"{topic}", "yes", 0f);
        }

        TunedFusion tuned = FusionTuning.Choose(qrels, [wrong, right], Measure.Parse("RR@10"));
        Assert.Equal(1.0, tuned.Value);
        Assert.Equal([0.4, 0.6], tuned.Weights);
        Assert.Equal([0.5, 0.5], FusionTuning.Choose(qrels, [right, right], Measure.Parse("RR@10")).Weights);
    }

    private static void Check((string Id, double Score)[] expected, IReadOnlyList<ScoredDocument> actual, double tolerance = 1e-7)
    {
        Assert.Equal(expected.Select(d => d.Id), actual.Select(d => d.Id));
        Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First.Score, pair.Second.Score, tolerance));
    }
}
