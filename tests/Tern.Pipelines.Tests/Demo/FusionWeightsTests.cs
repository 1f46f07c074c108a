using Tern.Pipelines.Demo;
using Tern.Retrieval;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

public class FusionWeightsTests
{
    private static readonly Measure Rr10 = Measure.Parse("RR@10");

    [Fact]
    public void TheGridHasAllSharesOnce()
    {
        double[][] grid = [.. FusionWeights.Grid(3, 4)];
        Assert.Equal(15, grid.Length);
        Assert.Equal(15, grid.Select(w => string.Join(' ', w)).Distinct().Count());
        Assert.All(grid, w => Assert.Equal(1, w.Sum(), 1e-12));
    }

    /// <summary>The quick search must see what fusing and evaluating by the book would.</summary>
    [Fact]
    public void TheBestWeightsReachWhatFusionAndEvaluationSay()
    {
        var random = new Random(11);
        (Run[] runs, Qrels qrels) = MadeUpRuns(random);
        (double[] weights, double rr10) = FusionWeights.Choose(runs, qrels, parts: 10);
        Assert.Equal(ByTheBook(runs, qrels, weights), rr10, 1e-12);
        TunedFusion tuned = FusionTuning.Choose(qrels, runs, Rr10, steps: 10);
        Assert.Equal(tuned.Value, rr10, 1e-12);
    }

    private static double ByTheBook(Run[] runs, Qrels qrels, double[] weights) =>
        TrecEval.Evaluate(qrels, Fusion.Weighted(runs, weights), [Rr10], new EvaluationOptions { CompleteTopics = true }).Summary(Rr10);

    /// <summary>Two runs that each know the relevant document for other topics, and one of noise; a topic that none of them finds.</summary>
    private static (Run[] Runs, Qrels Qrels) MadeUpRuns(Random random)
    {
        Run[] runs = [new("a"), new("b"), new("noise")];
        var qrels = new Qrels();
        for (int t = 0; t < 60; t++)
        {
            qrels.Add($"t{t}", $"d{t}", 1);
            for (int r = 0; r < runs.Length && t < 59; r++)
            {
                var seen = new HashSet<int> { t };
                bool knows = r == t % 2 || random.Next(3) == 0;
                if (knows)
                {
                    runs[r].Add($"t{t}", $"d{t}", random.NextSingle() * 10 + 3);
                }

                for (int i = 0; i < 25; i++)
                {
                    int document = random.Next(200);
                    if (seen.Add(document))
                    {
                        runs[r].Add($"t{t}", $"d{document}", random.NextSingle() * 10);
                    }
                }
            }
        }

        return (runs, qrels);
    }
}
