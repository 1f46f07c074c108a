using CsCheck;
using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

public class TiePerturbationTests
{
    [Fact]
    public void RoundsAndTakesAMillionthOffForEachTie() =>
        Assert.Equal([3f, 2.5f, 2.499999f, 2.499998f, 1.2346f], TiePerturbation.Apply([3, 2.5, 2.5, 2.50001, 1.23456789]));

    [Fact]
    public void ScoresAlwaysFall() =>
        Gen.Double[-1e7, 1e7].Array[0, 300].Select(Gen.Int[1, 1000], (scores, grain) => scores.Select(score => Math.Floor(score / 1e7 * grain)).OrderDescending().ToArray()).Sample(scores =>
        {
            float[] perturbed = TiePerturbation.Apply(scores);
            Assert.All(perturbed.Zip(perturbed.Skip(1)), pair => Assert.True(pair.Second < pair.First));
        });

    [Fact]
    public void AnyRuleForTiesSeesThePerturbedOrder()
    {
        using var directory = new TemporaryDirectory();
        var run = new Run();
        var random = new Random(3);
        for (int i = 0; i < 400; i++)
        {
            run.Add("q", $"d{i * 37 % 400}", 20 + random.Next(3));
        }

        IReadOnlyList<string> order = run.Ranking("q", TieOrder.IdAscending);
        Assert.NotEqual(order, run.Ranking("q", TieOrder.Trec9));
        run.Write(directory.File("run"), order: TieOrder.IdAscending, perturbTies: true);
        Run read = Run.Read(directory.File("run"));
        Assert.All(Enum.GetValues<TieOrder>(), ties => Assert.Equal(order, read.Ranking("q", ties)));
    }
}
