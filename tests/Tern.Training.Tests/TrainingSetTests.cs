using Tern.Text;
using Xunit;

namespace Tern.Training.Tests;

public sealed class TrainingSetTests
{
    private static readonly Document[] Documents = [new("a", "", "1 2"), new("b", "", "3"), new("unused", "", "9 9 9"), new("c", "", "4 5 6")];

    [Fact]
    public void KeepsTheTokensOfQueriesAndOfNamedDocumentsOnly()
    {
        TrainingSet set = TinyModels.Set([new("7 8", "b", ["a"]), new("9", "c", [])], Documents);

        Assert.Equal(2, set.ExampleCount);
        Assert.Equal(3, set.DocumentCount);
        Assert.Equal([7, 8], set.QueryTokens(0).ToArray());
        Assert.Equal([3], set.DocumentTokens(set.Positive(0)).ToArray());
        Assert.Equal([1, 2], set.DocumentTokens(set.Negatives(0)[0]).ToArray());
        Assert.Equal([4, 5, 6], set.DocumentTokens(set.Positive(1)).ToArray());
        Assert.Equal(0, set.Negatives(1).Length);
        Assert.Equal(3.5, set.MeanPairTokens);
        Assert.False(set.HasTeacherScores);
    }

    [Fact]
    public void AMissingDocumentIsNamedWithItsExample()
    {
        InvalidDataException e = Assert.Throws<InvalidDataException>(() => TinyModels.Set([new("1", "a", []), new("2", "b", ["nowhere"])], Documents));

        Assert.Equal("made-up examples: example 2 names document 'nowhere', which the corpus does not have", e.Message);
    }

    [Fact]
    public void ADocumentIdTwiceIsAnError() =>
        Assert.Contains("'a' occurs twice", Assert.Throws<InvalidDataException>(() => TinyModels.Set([new("1", "a", [])], [.. Documents, new("a", "", "1")])).Message, StringComparison.Ordinal);

    [Fact]
    public void NoExamplesIsAnError() =>
        Assert.Contains("no training examples", Assert.Throws<InvalidDataException>(() => TinyModels.Set([], Documents)).Message, StringComparison.Ordinal);

    [Fact]
    public void ScoresMustFitTheNegatives() =>
        Assert.Contains("example 1: 2 negative scores for 1 negatives", Assert.Throws<InvalidDataException>(() => TinyModels.Set([new("1", "a", ["b"], 1f, [1f, 2f])], Documents)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(1f, 2f, true)]
    [InlineData(float.NaN, 2f, false)]
    [InlineData(1f, float.NaN, false)]
    [InlineData(1f, float.PositiveInfinity, false)]
    public void AnExampleHasScoresWhenAllOfThemAreNumbers(float positive, float negative, bool expected)
    {
        TrainingSet set = TinyModels.Set([new("1", "a", ["b"], positive, [negative])], Documents);

        Assert.Equal(expected, set.HasScores(0));
        Assert.Equal(expected, set.HasTeacherScores);
    }

    [Fact]
    public void ThePositivesOfAllExamplesWithOneQueryAreKnown()
    {
        TrainingSet set = TinyModels.Set([new("1", "a", []), new("2", "b", []), new("1", "c", [])], Documents);

        int[] documents = [set.Positive(0), set.Positive(1), set.Positive(2)];
        Assert.Equal([true, false, true], documents.Select(d => set.IsKnownPositive(0, d)));
        Assert.Equal([false, true, false], documents.Select(d => set.IsKnownPositive(1, d)));
        Assert.Equal([true, false, true], documents.Select(d => set.IsKnownPositive(2, d)));
    }

    [Fact]
    public void TheFingerprintSeesTokensCandidatesAndScores()
    {
        TrainingExample example = new("1", "a", ["b"], 1f, [2f]);
        TrainingExample[] variants =
        [
            example,
            example with { Query = "2" },
            example with { PositiveId = "c" },
            example with { NegativeIds = ["c"] },
            example with { PositiveScore = 1.5f },
            example with { NegativeScores = [2.5f] },
        ];

        Assert.Equal(TinyModels.Set([example], Documents).Fingerprint, TinyModels.Set([example], Documents).Fingerprint);
        Assert.Equal(variants.Length, variants.Select(v => TinyModels.Set([v], Documents).Fingerprint).Distinct().Count());
    }
}
