using Tern.Pipelines.Study;
using Xunit;

namespace Tern.Pipelines.Tests.Study;

/// <summary>Made-up records whose findings are known.</summary>
public sealed class StudyAnalysisTests
{
    private const int Queries = 120;
    private static readonly (string Name, long Parameters)[] Sizes = [("s", 100_000), ("m", 400_000), ("l", 1_600_000)];

    /// <summary>nDCG@10 by size (0 to 2), type and objective, before noise.</summary>
    private static readonly Func<int, string, string, double> AsThePaper = (size, type, objective) =>
        (type == "sparse" ? 0.5 : 0.4) + (objective == "KD" ? 0 : 0.1 * size) + (objective == "CL+KD" ? 0.05 : 0);

    [Fact]
    public void TheLawIsThatOfTheMeansAndItsIntervalHoldsIt()
    {
        StudyAnalysis analysis = new(Plan(), Records(AsThePaper));
        ScalingFit fit = analysis.Fits.Single(f => f is { Type: "sparse", Objective: "CL" });
        double[] errors = [.. Sizes.Select(s => 1 - analysis.Records.Where(r => r.Size == s.Name && r is { Type: "sparse", Objective: "CL" }).Average(r => r.Measures[0].Ndcg10))];
        PowerLaw expected = PowerLaw.Fit([.. Sizes.Select(s => (double)s.Parameters)], errors);
        Assert.Equal(expected.Exponent, fit.Law.Exponent, 9);
        Assert.InRange(fit.Law.Exponent, fit.ExponentLow, fit.ExponentHigh);
        Assert.True(fit.ExponentHigh - fit.ExponentLow is > 0 and < 0.1);
        Assert.Equal((3, 2), (fit.SizeCount, fit.SeedCount));
    }

    [Fact]
    public void FindingsLikeThePapersAreAffirmed()
    {
        Assert.All(StudyFindings.Of(Plan(), new StudyAnalysis(Plan(), Records(AsThePaper))), f => Assert.True(f.Agrees, f.Answer));
    }

    [Fact]
    public void OppositeFindingsAreDenied()
    {
        StudyAnalysis analysis = new(Plan(), Records((size, type, objective) => (type == "dense" ? 0.5 : 0.4) + (objective == "KD" ? 0.1 * size : 0) - (objective == "CL+KD" ? 0.05 : 0)));
        Assert.All(StudyFindings.Of(Plan(), analysis), f => Assert.False(f.Agrees, f.Answer));
    }

    [Fact]
    public void WithoutDifferencesNothingIsDecided()
    {
        Assert.All(StudyFindings.Of(Plan(), new StudyAnalysis(Plan(), Records((_, _, _) => 0.5))), f => Assert.Null(f.Agrees));
        Assert.All(StudyFindings.Of(Plan(), new StudyAnalysis(Plan(), [])), f => Assert.Null(f.Agrees));
    }

    [Fact]
    public void AllComparisonsAreOneFamily()
    {
        StudyAnalysis analysis = new(Plan(), Records(AsThePaper));
        Assert.Equal((3 * 3) + (3 * 2 * 3), analysis.Comparisons.Count);
        Assert.All(analysis.Comparisons, c => Assert.True(c.AdjustedP >= c.Figures.PValue));
        Assert.Contains(analysis.Comparisons, c => c.AdjustedP > c.Figures.PValue);
    }

    /// <summary>Sparse keeps 0.9 and dense 0.6 of its quality, and half of either is left of what noise touches.</summary>
    [Fact]
    public void WhatErrorsLeaveOfTheQualityIsFoundAgain()
    {
        StudyPlan plan = Plan(new StudyRobustness { Sizes = ["m"], Seeds = [2], WrongPositiveShares = [0.1, 0.3], TeacherNoises = [1] });
        StudyAnalysis analysis = new(plan, Records(AsThePaper, plan, cell => cell.Errors.WrongPositiveShare > 0 ? (cell.Type == "sparse" ? 0.9 : 0.6) : cell.Errors.TeacherNoise > 0 ? 0.5 : 1));
        Assert.Equal((2 * 3 * 2) + (2 * 2), analysis.Robustness.Count); // CL has no teacher.
        Assert.All(analysis.Robustness, p =>
        {
            Assert.Equal(p.Errors == "teacher noise" ? 0.5 : p.Type == "sparse" ? 0.9 : 0.6, p.Kept, 0.02);
            Assert.InRange(p.Kept, p.Low, p.High);
            Assert.True(p.High - p.Low is > 0 and < 0.1);
        });
        Finding finding = StudyFindings.Of(plan, analysis)[^1];
        Assert.True(finding.Agrees, finding.Answer);
        Assert.Contains("wrong positives: +0.3", finding.Answer, StringComparison.Ordinal);
        Assert.Equal(new StudyAnalysis(Plan(), Records(AsThePaper)).Comparisons, analysis.Comparisons); // Which are of clean cells only.
        Assert.Equal(1 + analysis.Robustness.Count, StudyTables.Robustness(analysis).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Contains(StudyCharts.Of(plan, analysis), c => c is { Name: "c-m-wrong", XIsLogarithmic: false, Series.Count: 6 });
    }

    /// <summary>Colours and legends do not change when a cell fails.</summary>
    [Fact]
    public void SeriesStandInThePlansOrderWhateverIsMissing()
    {
        List<CellRecord> records = Records(AsThePaper);
        records.RemoveAll(r => r is { Objective: "CL", Type: "sparse" } or { Objective: "CL", Size: "s" });
        records.Reverse();
        StudyChart chart = StudyCharts.Of(Plan(), new StudyAnalysis(Plan(), records))[0];
        Assert.Equal([("sparse KD", 1), ("sparse CL+KD", 2), ("dense CL", 0), ("dense KD", 1), ("dense CL+KD", 2)], chart.Series.Select(s => (s.Name, s.ObjectiveNumber)));
        Assert.All(chart.Series, s => Assert.Equal(s.X.Order(), s.X));
    }

    [Fact]
    public void TablesAndPageHoldEveryCell()
    {
        StudyAnalysis analysis = new(Plan(), Records(AsThePaper));
        string[] lines = StudyTables.Results(Plan(), analysis.Records).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("size,type,objective,seed,", lines[0], StringComparison.Ordinal);
        Assert.Equal(1 + (3 * 2 * 3 * 2), lines.Length);
        Assert.All(lines, l => Assert.Equal(lines[0].Split(',').Length, l.Split(',').Length));
        string page = StudyReport.Render(Plan(), analysis, [.. StudyCharts.Of(Plan(), analysis).Select(c => (c, "<svg></svg>"))], "tern study <plan>");
        Assert.All(analysis.Records, r => Assert.Contains(r.Cell, page, StringComparison.Ordinal));
        Assert.Contains("tern study &lt;plan&gt;", page, StringComparison.Ordinal);
        Assert.DoesNotContain("NaN", page, StringComparison.Ordinal);
    }

    private static StudyPlan Plan(StudyRobustness? robustness = null) => new()
    {
        Name = "made up",
        Train = new StudyCollection { Name = "c", Directory = "c" },
        Teacher = "t",
        Evaluate = [new StudyCollection { Name = "c", Directory = "c" }],
        Sizes = [.. Sizes.Select((s, i) => new StudySize { Name = s.Name, HiddenSize = 32 << i, LayerCount = 1, HeadCount = 2, KeyValueHeadCount = 1, IntermediateSize = 64 })],
        Objectives = [Objective("CL", "nce"), Objective("KD", "margin_mse"), Objective("CL+KD", "nce_kldiv")],
        Seeds = [1, 2],
        BudgetFlops = 1e9,
        Robustness = robustness,
    };

    private static StudyObjective Objective(string name, string loss) => new() { Name = name, Loss = loss, BatchSize = 4, NegativeCount = 1, LearningRate = 1e-3f };

    private static List<CellRecord> Records(Func<int, string, string, double> quality, StudyPlan? plan = null, Func<StudyCell, double>? kept = null)
    {
        var random = new Random(7);
        double[] difficulty = [.. Enumerable.Range(0, Queries).Select(_ => 0.2 * (random.NextDouble() - 0.5))];
        List<CellRecord> records = [];
        foreach (StudyCell cell in (plan ?? Plan()).Cells())
        {
            int size = Array.FindIndex(Sizes, s => s.Name == cell.Size.Name);
            double[] values = [.. difficulty.Select(d => Math.Clamp((kept?.Invoke(cell) ?? 1) * (quality(size, cell.Type, cell.Objective.Name) + d + (0.02 * (random.NextDouble() - 0.5))), 0, 1))];
            records.Add(new CellRecord
            {
                Cell = cell.Name, Size = cell.Size.Name, Type = cell.Type, Objective = cell.Objective.Name, Seed = cell.Seed, WrongPositiveShare = cell.Errors.WrongPositiveShare, TeacherNoise = cell.Errors.TeacherNoise, Plan = "", Data = "", NonEmbeddingParameters = Sizes[size].Parameters,
                BudgetFlops = 1e9, TrainingFlops = 1e9, StepCount = 10, BatchSize = 4, FinalLoss = 1, TrainingSeconds = 1, Tern = "", Machine = "",
                Measures = [new CellMeasures { Collection = "c", Data = "", Rr10 = values.Average(), Ndcg10 = values.Average(), R1000 = 1, QueryNonZeros = 10, DocumentNonZeros = 20, MicrosecondsPerQuery = 5, ReciprocalRanks = values, Ndcg10PerQuery = values }],
            });
        }

        return records;
    }
}
