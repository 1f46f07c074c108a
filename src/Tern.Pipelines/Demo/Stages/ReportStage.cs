using System.Runtime.InteropServices;
using Tern.Model;
using Tern.Pipelines.Demo.Report;
using Tern.Retrieval;

namespace Tern.Pipelines.Demo.Stages;

internal sealed record ReportFigures(string Report, string Results);

/// <summary>Puts the figures of all stages together and writes results.json and report.html.</summary>
internal sealed class ReportStage() : DemoStage(StageNames.Report, "Write the report")
{
    public override IReadOnlyList<string> After => [StageNames.Evaluation, StageNames.Explain];

    /// <summary>Version of the page; another one writes it again.</summary>
    public override string Inputs(DemoContext context) => typeof(ReportStage).Assembly.ManifestModule.ModuleVersionId.ToString();

    public override IReadOnlyList<string> Outputs(DemoContext context) => [context.Paths.Results, context.Paths.Report];

    public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
    {
        DemoReport report = Assemble(context);
        ResultsFile.Save(context.Paths.Results, report.Results);
        ResultsFile.SaveText(context.Paths.Report, HtmlReport.Render(report));
        return new StageOutcome(context.Paths.Report, new ReportFigures(context.Paths.Report, context.Paths.Results));
    }

    public static DemoReport Assemble(DemoContext context)
    {
        EvaluationFigures evaluation = context.Figures<EvaluationFigures>(StageNames.Evaluation);
        BudgetFigures budget = context.Figures<BudgetFigures>(StageNames.Budget);
        SearchFigures bm25 = context.Figures<SearchFigures>(StageNames.Bm25);
        SearchFigures dense = context.Figures<SearchFigures>(StageNames.SearchDense);
        SearchFigures sparse = context.Figures<SearchFigures>(StageNames.SearchSparse);
        HybridFigures hybrid = context.Figures<HybridFigures>(StageNames.Hybrid);
        SystemFigures System(string name, SearchFigures search) => new(
            evaluation.Systems[name].Rr10, evaluation.Systems[name].Ndcg10, evaluation.Systems[name].R100,
            search.IndexMb, search.UsPerQuery, search.EncodeUsPerQuery, evaluation.AgainstBm25.GetValueOrDefault(name));
        SystemFigures Bypassed(RepresentationKind kind) =>
            System(AblationStage.System(kind), context.Figures<SearchFigures>(kind == RepresentationKind.Sparse ? StageNames.AblationSparse : StageNames.AblationDense));

        var results = new DemoResults
        {
            Bm25 = System("bm25", bm25),
            Dense = System("dense", dense),
            Sparse = System("sparse", sparse),
            Hybrid = System("hybrid", hybrid.Search(bm25, dense, sparse)),
            Ablation = new AblationFigures(
                Bypassed(RepresentationKind.Sparse), evaluation.FullAgainstBypassed["sparse"],
                Bypassed(RepresentationKind.Dense), evaluation.FullAgainstBypassed["dense"]),
            HybridWeights = hybrid.Weights,
            Collection = context.Figures<CollectionFigures>(StageNames.Collection),
            SparseTraining = Training(context, StageNames.TrainSparse, sparse.QueryNonZeros, context.Figures<IndexFigures>(StageNames.IndexSparse).NonZeros),
            DenseTraining = Training(context, StageNames.TrainDense, 0, 0),
            Seconds = context.Seconds,
            Machine = Machine(context.Threads),
            Dotnet = $"{RuntimeInformation.FrameworkDescription}, {RuntimeInformation.RuntimeIdentifier}",
            Recipe = context.Recipe,
            Command = Command(context, budget),
        };
        return new DemoReport
        {
            Results = results,
            SparseCurve = ResultsFile.Load<List<CurvePoint>>(context.Paths.Curve("sparse")),
            DenseCurve = ResultsFile.Load<List<CurvePoint>>(context.Paths.Curve("dense")),
            Outcomes = Outcomes(context, evaluation),
            Examples = ResultsFile.Load<List<ExplainedQuery>>(context.Paths.Examples),
        };
    }

    private static TrainingFigures Training(DemoContext context, string stage, double queryNonZeros, double documentNonZeros)
    {
        TrainingStageFigures figures = context.Figures<TrainingStageFigures>(stage);
        return new TrainingFigures(figures.Steps, figures.BatchSize, figures.ParameterCount, Math.Round(figures.FinalLoss, 4), Math.Round(figures.TokensPerSecond), queryNonZeros, documentNonZeros, figures.ModelFingerprint);
    }

    private static List<QueryOutcome> Outcomes(DemoContext context, EvaluationFigures evaluation)
    {
        Dictionary<string, JudgedQuery> queries = context.Collection.Test.ToDictionary(q => q.Id, StringComparer.Ordinal);
        Run bm25 = context.Run("bm25", "test"), sparse = context.Run("sparse", "test");
        string First(Run run, string topic) => run[topic] is [var best, ..] ? context.Collection.Name(best.Id) : "nothing";
        var outcomes = new List<QueryOutcome>();
        for (int i = 0; i < evaluation.Topics.Count; i++)
        {
            string topic = evaluation.Topics[i];
            if (!queries.TryGetValue(topic, out JudgedQuery? query))
            {
                continue;
            }

            double Rr(string system) => evaluation.Systems[system].ReciprocalRanks[i];
            outcomes.Add(new QueryOutcome(topic, query.Text, Rr("bm25"), Rr("dense"), Rr("sparse"), Rr("hybrid"), context.Collection.Name(query.Relevant[0]), First(bm25, topic), First(sparse, topic)));
        }

        return outcomes;
    }

    private static string Command(DemoContext context, BudgetFigures budget)
    {
        string data = context.Options.DataDirectory is { } directory ? $" --data {directory}" : "";
        return FormattableString.Invariant($"artifacts/bin/tern demo --fresh{data} --output {context.Paths.Root} --steps-sparse {budget.SparseSteps} --steps-dense {budget.DenseSteps} --seed {context.Recipe.Seed}");
    }

    private static string Machine(int threads)
    {
        string processor = "unknown processor";
        if (File.Exists("/proc/cpuinfo"))
        {
            processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? processor;
        }
        else if (Environment.GetEnvironmentVariable("PROCESSOR_IDENTIFIER") is { Length: > 0 } identifier)
        {
            processor = identifier;
        }

        return $"{processor}, {Environment.ProcessorCount} logical processors, {threads} used; {RuntimeInformation.OSDescription}";
    }
}
