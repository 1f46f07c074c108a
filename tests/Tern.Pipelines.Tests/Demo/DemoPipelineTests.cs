using System.Text.Json.Nodes;
using Tern.Pipelines.Demo;
using Tern.Pipelines.Tests.Demo.Report;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

/// <summary>The whole demo, once, on a made-up collection with a model that is barely one.</summary>
public sealed class DemoRun : IDisposable
{
    private static readonly ModelRecipe TinyModel = new()
    {
        HiddenSize = 16,
        LayerCount = 1,
        HeadCount = 2,
        KeyValueHeadCount = 1,
        IntermediateSize = 32,
        BatchSize = 16,
        LearningRate = 1e-3f,
        Steps = 5,
    };

    public static readonly DemoRecipe TinyRecipe = new()
    {
        VocabularySize = 400,
        Sparse = TinyModel,
        Dense = TinyModel,
        MaxQueryTokens = 24,
        MaxDocumentTokens = 40,
        HardNegativeCount = 1,
        TermBias = 0f,
        RandomizationRounds = 200,
    };

    public DemoRun()
    {
        Root = Directory.CreateTempSubdirectory("tern-demo-").FullName;
        MadeUpCollection.Write(Data);
        Report = DemoPipeline.Run(Options("first"), Observer);
    }

    public string Root { get; }

    public string Data => Path.Combine(Root, "data");

    internal RecordingObserver Observer { get; } = new();

    public DemoReport Report { get; }

    public DemoOptions Options(string output) => new()
    {
        OutputDirectory = Path.Combine(Root, output),
        DataDirectory = Data,
        SparseSteps = 6,
        DenseSteps = 4,
        Recipe = TinyRecipe,
    };

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

public sealed class DemoPipelineTests(DemoRun run) : IClassFixture<DemoRun>
{
    [Fact]
    public void ResultsHaveTheAgreedKeys()
    {
        JsonNode results = JsonNode.Parse(File.ReadAllText(Path.Combine(run.Root, "first", "results.json")))!;
        foreach (string system in new[] { "bm25", "dense", "sparse", "hybrid" })
        {
            foreach (string key in new[] { "rr10", "ndcg10", "r100" })
            {
                Assert.InRange(results[system]![key]!.GetValue<double>(), 0, 1);
            }

            Assert.True(results[system]!["index_mb"]!.GetValue<double>() > 0);
            Assert.True(results[system]!["us_per_query"]!.GetValue<double>() > 0);
        }

        Assert.InRange(results["sparse"]!["against_bm25"]!["p"]!.GetValue<double>(), 0, 1);
        Assert.InRange(results["ablation"]!["sparse_full_against_it"]!["p"]!.GetValue<double>(), 0, 1);
        Assert.Equal(20, results["collection"]!["test_queries"]!.GetValue<int>());
        Assert.Equal(200, results["collection"]!["documents"]!.GetValue<int>());
        Assert.Equal(400, results["recipe"]!["vocabulary_size"]!.GetValue<int>());
        foreach (string stage in new[] { "collection", "tokenizer", "bm25", "train_sparse", "train_dense", "index_sparse", "search_dense", "hybrid", "evaluation" })
        {
            Assert.True(results["seconds"]![stage]!.GetValue<double>() >= 0);
        }

        Assert.Contains("--steps-sparse 6 --steps-dense 4", results["command"]!.GetValue<string>());
    }

    [Fact]
    public void Bm25FindsHalfOfEveryQuery() => Assert.InRange(run.Report.Results.Bm25.R100, 0.9, 1);

    [Fact]
    public void TheFilesAreWhereTheReadmeSays()
    {
        var paths = new DemoPaths(Path.Combine(run.Root, "first"));
        foreach (string path in new[] { paths.Report, paths.Results, Path.Combine(paths.Model("sparse"), "retriever.json"), Path.Combine(paths.Model("sparse"), "tokenizer.json"), paths.Index("sparse"), paths.Index("dense"), paths.Run("hybrid", "test") })
        {
            Assert.True(Path.Exists(path), path);
        }

        Assert.False(Directory.Exists(paths.Index("sparse-bypassed")));
        Assert.Empty(Directory.GetFiles(paths.Root, "*.tmp", SearchOption.AllDirectories));
    }

    [Fact]
    public void TheReportRefersToNothingOutsideItself() =>
        Assert.Empty(HtmlReportTests.ExternalReferences(File.ReadAllText(Path.Combine(run.Root, "first", "report.html"))));

    [Fact]
    public void EveryTestQueryHasAnOutcomeAndThreeAreExplained()
    {
        Assert.Equal(20, run.Report.Outcomes.Count);
        Assert.Equal(run.Report.Results.Sparse.Rr10, run.Report.Outcomes.Average(o => o.Sparse), 1e-5);
        Assert.Equal(3, run.Report.Examples.Count);
        Assert.All(run.Report.Examples, example =>
        {
            Assert.Equal(example.Score, example.Matches.Sum(m => m.Contribution), 1e-3 * example.Score);
            Assert.All(example.Fired, span => Assert.InRange(span.Start + span.Length, 1, example.Text.Length));
        });
    }

    [Fact]
    public void TheCurvesHaveEveryStep()
    {
        Assert.Equal([1, 2, 3, 4, 5, 6], run.Report.SparseCurve.Select(p => p.Step));
        Assert.Equal([1, 2, 3, 4], run.Report.DenseCurve.Select(p => p.Step));
        Assert.All(run.Report.SparseCurve, p => Assert.True(p.DocumentNonZeros > 0 && double.IsFinite(p.Loss)));
        Assert.Equal(6 + 4, run.Observer.TrainingReports);
    }

    [Fact]
    public void ASecondRunDoesNothingAndReportsTheSame()
    {
        var observer = new RecordingObserver();
        DemoReport again = DemoPipeline.Run(run.Options("first"), observer);
        Assert.Empty(observer.Ran);
        Assert.Equal(run.Observer.Ran, observer.Reused);
        Assert.Equal(Quality(run.Report), Quality(again));
    }

    [Fact]
    public void TheSameSeedGivesTheSameNumbersElsewhereAndOnOneThread()
    {
        DemoReport again = DemoPipeline.Run(run.Options("elsewhere") with { Threads = 1 }, new RecordingObserver());
        Assert.Equal(Quality(run.Report), Quality(again));
        Assert.Equal(run.Report.Results.SparseTraining.ModelFingerprint, again.Results.SparseTraining.ModelFingerprint);
    }

    [Fact]
    public void AnInterruptedTrainingGoesOnToTheSameNumbers()
    {
        using var source = new CancellationTokenSource();
        var observer = new RecordingObserver
        {
            OnTraining = (_, progress) =>
            {
                if (progress.Current.Step == 3)
                {
                    source.Cancel();
                }
            },
        };
        Assert.ThrowsAny<OperationCanceledException>(() => DemoPipeline.Run(run.Options("interrupted"), observer, source.Token));
        Assert.DoesNotContain("train_sparse", observer.Ran);
        var second = new RecordingObserver();
        DemoReport report = DemoPipeline.Run(run.Options("interrupted"), second);
        Assert.Equal(3 + 4, second.TrainingReports);
        Assert.Equal(Quality(run.Report), Quality(report));
        Assert.Equal(run.Report.SparseCurve, report.SparseCurve);
    }

    [Fact]
    public void AnotherLearningRateTrainsItsModelAgainAndKeepsTheRest()
    {
        DemoOptions options = run.Options("changed");
        DemoPipeline.Run(options, new RecordingObserver());
        var observer = new RecordingObserver();
        DemoPipeline.Run(options with { Recipe = options.Recipe with { Sparse = options.Recipe.Sparse with { LearningRate = 3e-3f } } }, observer);
        Assert.Contains("tokenizer", observer.Reused);
        Assert.Contains("bm25", observer.Reused);
        Assert.Contains("train_sparse", observer.Ran);
        Assert.Contains("train_dense", observer.Reused);
        Assert.Contains("search_dense", observer.Reused);
        Assert.Contains("report", observer.Ran);
    }

    [Fact]
    public void AFreshRunDoesEverythingAgainAndLeavesOtherFilesAlone()
    {
        DemoOptions options = run.Options("fresh") with { Fresh = true };
        string foreign = Path.Combine(options.OutputDirectory, "models", "mine.txt");
        Directory.CreateDirectory(Path.GetDirectoryName(foreign)!);
        File.WriteAllText(foreign, "not the demo's");
        var first = new RecordingObserver();
        DemoPipeline.Run(options, first);
        Assert.True(File.Exists(foreign));
        var second = new RecordingObserver();
        DemoPipeline.Run(options, second);
        Assert.Empty(second.Reused);
        Assert.Equal(first.Ran, second.Ran);
    }

    [Fact]
    public void TimeBecomesSteps()
    {
        DemoOptions options = run.Options("timed") with { Minutes = 0.05, SparseSteps = null, DenseSteps = 3 };
        DemoReport report = DemoPipeline.Run(options, new RecordingObserver());
        Assert.True(report.Results.SparseTraining.Steps >= TimeDivision.LeastSteps);
        Assert.Equal(3, report.Results.DenseTraining.Steps);
    }

    [Fact]
    public void ACollectionWithoutTrainJudgementsIsRefused()
    {
        string data = Path.Combine(run.Root, "no-train");
        MadeUpCollection.Write(data);
        File.Delete(Path.Combine(data, "qrels", "train.tsv"));
        FileNotFoundException error = Assert.Throws<FileNotFoundException>(() => DemoPipeline.Run(run.Options("refused") with { DataDirectory = data }, new RecordingObserver()));
        Assert.Contains(Path.Combine("qrels", "train.tsv"), error.Message);
    }

    /// <summary>Everything in the results that does not depend on how long things took.</summary>
    private static string Quality(DemoReport report)
    {
        DemoResults r = report.Results;
        return string.Join('\n', new[] { r.Bm25, r.Dense, r.Sparse, r.Hybrid, r.Ablation.SparseWithoutBlocks }.Select(s => FormattableString.Invariant($"{s.Rr10} {s.Ndcg10} {s.R100} {s.AgainstBm25}")))
            + string.Join(' ', r.HybridWeights) + r.Ablation.SparseFullAgainstIt;
    }
}
