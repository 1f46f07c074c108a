using System.Globalization;
using System.Text;
using System.Text.Json;
using Tern.Pipelines.Study;
using Tern.Pipelines.Tests.Demo;
using Tern.Training;
using Xunit;

namespace Tern.Pipelines.Tests.Study;

public sealed class StudyRunnerTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("tern-study-").FullName;

    public StudyRunnerTests()
    {
        MadeUpCollection.Write(Path.Combine(_root, "data"), documents: 120);
        var random = new Random(4);
        var lines = new StringBuilder();
        for (int i = 0; i < 120; i++)
        {
            if (i % 10 < 8)
            {
                string negatives = string.Join(", ", Enumerable.Range(1, 3).Select(n => string.Create(CultureInfo.InvariantCulture, $"[\"d{(i + (7 * n)) % 120}\", {random.NextDouble():0.000}]")));
                lines.AppendLine(CultureInfo.InvariantCulture, $"{{\"qid\": \"q{i}\", \"pos\": [[\"d{i}\", {2 + random.NextDouble():0.000}]], \"neg\": [{negatives}]}}");
            }
        }

        File.WriteAllText(Path.Combine(_root, "teacher.jsonl"), lines.ToString());
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void EveryCellSpendsTheBudgetAndLeavesARecord()
    {
        StudyRunner runner = Runner(WritePlan());
        List<CellPlan> plans = [.. runner.PlanCells()];
        StudyOutcome outcome = runner.Run(new Silent(), CancellationToken.None);
        Assert.Equal((8, 0, 0), (outcome.Finished, outcome.Reused, outcome.Failed.Count));
        IReadOnlyList<CellRecord> records = runner.Records();
        Assert.Equal(runner.Cells.Select(c => c.Name), records.Select(r => r.Cell));
        foreach ((CellRecord record, CellPlan plan) in records.Zip(plans))
        {
            Assert.Equal(plan.StepCount, record.StepCount);
            Assert.True(Math.Abs(plan.Flops - record.BudgetFlops) <= 0.501 * plan.FlopsPerStep, $"{plan.Flops} of {record.BudgetFlops}");
            Assert.InRange(record.TrainingFlops / plan.Flops, 0.9, 1.1); // A few steps only, so that lengths do not average out.
            CellMeasures measures = Assert.Single(record.Measures);
            Assert.InRange(measures.R1000, measures.Rr10, 1);
            Assert.True(File.Exists(runner.Paths.Run(runner.Cells.Single(c => c.Name == record.Cell), "data")));
        }

        StudyOutcome again = Runner(WritePlan()).Run(new Silent(), CancellationToken.None);
        Assert.Equal((0, 8), (again.Finished, again.Reused));
    }

    [Fact]
    public void AStoppedCellGoesOnToEqualNumbers()
    {
        string plan = WritePlan();
        StudyRunner whole = Runner(plan, "whole", "a-sparse-KD-s1");
        whole.Run(new Silent(), CancellationToken.None);
        CellRecord expected = Assert.Single(whole.Records());

        using CancellationTokenSource stop = new();
        StudyRunner stopped = Runner(plan, "stopped", "a-sparse-KD-s1");
        Assert.ThrowsAny<OperationCanceledException>(() => stopped.Run(new Silent { AfterStep = step => { if (step == expected.StepCount / 2) { stop.Cancel(); } } }, stop.Token));
        Assert.Empty(stopped.Records());
        Assert.Equal(1, Runner(plan, "stopped", "a-sparse-KD-s1").Run(new Silent(), CancellationToken.None).Finished);
        CellRecord actual = Assert.Single(Runner(plan, "stopped").Records());
        Assert.Equal(expected.TrainingFlops, actual.TrainingFlops);
        Assert.Equal(expected.FinalLoss, actual.FinalLoss);
        Assert.Equal(expected.Measures[0].Ndcg10PerQuery, actual.Measures[0].Ndcg10PerQuery);
    }

    [Fact]
    public void TasksOfAnArrayJobShareAStudy()
    {
        string plan = WritePlan();
        string[] all = [.. Runner(plan).Cells.Select(c => c.Name)];
        string[][] parts = [.. Enumerable.Range(1, 3).Select(i => Runner(plan, "out", $"{i}/3").Cells.Select(c => c.Name).ToArray())];
        Assert.Equal(all.Order(), parts.SelectMany(p => p).Order());
        Assert.Contains("no cell 'x'", Assert.Throws<ArgumentException>(() => Runner(plan, "out", "x")).Message, StringComparison.Ordinal);

        StudyRunner runner = Runner(plan, "out", all[0]);
        Directory.CreateDirectory(runner.Paths.Cell(runner.Cells[0]));
        using FileStream held = new(runner.Paths.Lock(runner.Cells[0]), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        Assert.Equal([all[0]], runner.Run(new Silent(), CancellationToken.None).InWorkElsewhere);
    }

    [Fact]
    public void AFailedCellDoesNotStopTheOthers()
    {
        StudyRunner runner = Runner(WritePlan(), "out", "a-dense-CL-s1", "a-dense-KD-s1");
        Directory.CreateDirectory(runner.Paths.Cell(runner.Cells[0]));
        File.WriteAllText(runner.Paths.Model(runner.Cells[0]), "in the way");
        StudyOutcome outcome = runner.Run(new Silent(), CancellationToken.None);
        Assert.Equal(["a-dense-CL-s1"], outcome.Failed);
        Assert.Equal(1, outcome.Finished);
        Assert.True(File.Exists(runner.Paths.Failure(runner.Cells[0])));
    }

    [Theory]
    [InlineData("\"budget_flops\": 1e8", "\"budget_flops\": -1", "budget_flops")]
    [InlineData("\"nce\"", "\"nec\"", "no objective 'nec'")]
    [InlineData("\"head_count\": 2", "\"head_count\": 3", "size 'a'")]
    [InlineData("\"seeds\"", "\"sedes\"", "sedes")]
    [InlineData("\"name\": \"CL\"", "\"name\": \"../CL\"", "objectives")]
    public void AMistakeInThePlanIsNamed(string from, string to, string named)
    {
        string plan = WritePlan();
        File.WriteAllText(plan, File.ReadAllText(plan).Replace(from, to, StringComparison.Ordinal));
        InvalidDataException error = Assert.Throws<InvalidDataException>(() => StudyPlan.Read(plan));
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.StartsWith(plan, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WrongPositivesAndNoiseAreDrawnFromTheSeed()
    {
        StudyPlan plan = StudyPlan.Read(WritePlan());
        Dictionary<string, string> queries = Enumerable.Range(0, 120).ToDictionary(i => $"q{i}", i => $"text {i}", StringComparer.Ordinal);
        var plain = StudyExamples.Create(plan, queries, 1).Examples;
        plan.WrongPositiveShare = 0.5;
        plan.TeacherNoise = 0.1;
        var first = StudyExamples.Create(plan, queries, 1).Examples;
        int wrong = plain.Zip(first, (a, b) => a.PositiveId != b.PositiveId).Count(differs => differs);
        Assert.InRange(wrong, 30, 66); // Of 96.
        Assert.Equal(JsonSerializer.Serialize(first), JsonSerializer.Serialize(StudyExamples.Create(plan, queries, 1).Examples));
        Assert.NotEqual(JsonSerializer.Serialize(first), JsonSerializer.Serialize(StudyExamples.Create(plan, queries, 2).Examples));
    }

    private StudyRunner Runner(string plan, string output = "out", params string[] cells) => new(new StudyOptions(plan, Path.Combine(_root, output), cells, 2));

    private string WritePlan()
    {
        string path = Path.Combine(_root, "plan.json");
        File.WriteAllText(path, $$"""
            {
              "name": "made up", "train": { "name": "data", "directory": "data" }, "teacher": "teacher.jsonl",
              "evaluate": [{ "name": "data", "directory": "data" }],
              "sizes": [
                { "name": "a", "hidden_size": 16, "layer_count": 1, "head_count": 2, "key_value_head_count": 1, "intermediate_size": 32 },
                { "name": "b", "hidden_size": 32, "layer_count": 1, "head_count": 2, "key_value_head_count": 1, "intermediate_size": 64 }
              ],
              "objectives": [
                { "name": "CL", "loss": "nce", "batch_size": 8, "negative_count": 2, "learning_rate": 1e-3 },
                { "name": "KD", "loss": "margin_mse", "batch_size": 8, "negative_count": 1, "learning_rate": 1e-3 }
              ],
              "seeds": [1], "vocabulary_size": 400, "budget_flops": 1e8, "query_flops_weight": 0.001, "document_flops_weight": 0.001
            }
            """);
        return path;
    }

    private sealed class Silent : IStudyObserver
    {
        public Action<int>? AfterStep { get; init; }

        public void CellStarted(StudyCell cell, int number, int count)
        {
        }

        public void Working(StudyCell cell, string what)
        {
        }

        public void Trained(StudyCell cell, TrainingProgress progress) => AfterStep?.Invoke(progress.Current.Step);

        public void CellFinished(StudyCell cell, CellRecord record, bool reused)
        {
        }

        public void CellLeft(StudyCell cell, string why)
        {
        }
    }
}
