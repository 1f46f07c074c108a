using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class SelfMatchesTests
{
    [Theory]
    [InlineData(4, 4, 0, true)]
    [InlineData(4, 2, 0, true)]
    [InlineData(4, 1, 0, false)] // equal ids by chance
    [InlineData(4, 0, 0, false)]
    [InlineData(4, 4, 1, false)] // a topic that is judged relevant to itself is looked for
    public void TopicsAreDocumentsWhereMostFindThemselves(int topics, int findThemselves, int relevantToThemselves, bool expected)
    {
        var qrels = new Qrels();
        var run = new Run();
        for (int t = 0; t < topics; t++)
        {
            qrels.Add($"{t}", "other", 1);
            qrels.Add($"{t}", $"{t}", t < relevantToThemselves ? 1 : 0);
            run.Add($"{t}", t < findThemselves ? $"{t}" : "d", 1f);
        }

        Assert.Equal(expected, SelfMatches.TopicsAreDocuments(qrels, run));
        Assert.Equal(findThemselves, run.CountIdenticalIds());
    }
}
