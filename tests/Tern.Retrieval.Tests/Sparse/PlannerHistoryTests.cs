using Xunit;

namespace Tern.Retrieval.Tests.Sparse;

public class PlannerHistoryTests
{
    [Fact]
    public void PrunesWhereItPaysAndTriesItNowAndThenWhereItDoesNot()
    {
        var history = new PlannerHistory();
        int kind = PlannerHistory.Kind(10, isFiltered: false);
        Assert.True(history.ShouldPrune(kind));
        for (int i = 0; i < 100; i++)
        {
            history.Record(kind, pruned: 3e5, exhaustive: 2e5);
        }

        Assert.Equal(10, Enumerable.Range(0, 640).Count(_ => history.ShouldPrune(kind)));
        Assert.True(history.ShouldPrune(PlannerHistory.Kind(100, isFiltered: false)), "what was learnt for one k says nothing of another");
        for (int i = 0; i < 100; i++)
        {
            history.Record(kind, pruned: 1e5, exhaustive: 2e5);
        }

        Assert.All(Enumerable.Range(0, 100), _ => Assert.True(history.ShouldPrune(kind)));
    }
}
