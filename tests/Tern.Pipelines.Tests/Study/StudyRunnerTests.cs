using System.Globalization;
using System.Text;
using System.Text.Json;
using Tern.Pipelines.Study;
using Tern.Pipelines.Tests.Demo;
using Tern.Text;
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

    /// <summary>Another factor is another cell, that of the size alone; half the factor is half the rate of all objectives.</summary>
    [Fact]
    public void ASizesLearningRatesAreMultipliedByItsFactor()
    {
        string[] cells = ["a-sparse-CL-s1", "b-sparse-CL-s1"];
        Runner(WritePlan(), "out", cells).Run(new Silent(), CancellationToken.None);
        string plan = WritePlan();
        string text = File.ReadAllText(plan);
        File.WriteAllText(plan, text.Replace("\"name\": \"b\",", "\"name\": \"b\", \"learning_rate_factor\": 0.5,", StringComparison.Ordinal));
        Assert.Equal("a-sparse-CL-s1", Assert.Single(Runner(plan, "out", cells).Records()).Cell);
        List<int> trained = [];
        Runner(plan, "out", cells).Run(new Silent { AfterStep = trained.Add }, CancellationToken.None);
        Assert.NotEmpty(trained);
        double withFactor = Runner(plan, "out", cells).Records().Single(r => r.Size == "b").FinalLoss;

        File.WriteAllText(plan, text.Replace("1e-3", "5e-4", StringComparison.Ordinal));
        Runner(plan, "half", "b-sparse-CL-s1").Run(new Silent(), CancellationToken.None);
        Assert.Equal(withFactor, Assert.Single(Runner(plan, "half", "b-sparse-CL-s1").Records()).FinalLoss);
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
    [InlineData("\"head_count\": 2", "\"head_count\": 2, \"learning_rate_factor\": 0", "learning_rate_factor")]
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
        var plain = Examples(StudyErrors.None, 1);
        var few = Examples(new StudyErrors(0.2, 0), 1);
        var many = Examples(new StudyErrors(0.5, 0), 1);
        Assert.InRange(Wrong(many).Count, 30, 66); // Of 96.
        Assert.InRange(Wrong(few).Count, 8, 32);
        Assert.Subset(Wrong(many), Wrong(few));
        Assert.Equal(JsonSerializer.Serialize(many), JsonSerializer.Serialize(Examples(new StudyErrors(0.5, 0), 1)));
        Assert.NotEqual(JsonSerializer.Serialize(many), JsonSerializer.Serialize(Examples(new StudyErrors(0.5, 0), 2)));
        Assert.All(plain.Zip(many), pair => Assert.Equal(Scores(pair.First), Scores(pair.Second))); // Scores stay with their documents.

        var noisy = Examples(new StudyErrors(0, 0.1), 1);
        Assert.Equal(plain.Select(e => e.PositiveId), noisy.Select(e => e.PositiveId));
        double[] noise = [.. plain.Zip(noisy).SelectMany(pair => Scores(pair.First).Zip(Scores(pair.Second), (a, b) => (double)(b.Score - a.Score)))];
        double[] scores = [.. plain.SelectMany(Scores).Select(s => (double)s.Score)];
        Assert.Equal(0.1, Deviation(noise) / Deviation(scores), 0.02);

        IReadOnlyList<TrainingExample> Examples(StudyErrors errors, int seed) => StudyExamples.Create(plan, queries, errors, seed).Examples;
        HashSet<int> Wrong(IReadOnlyList<TrainingExample> examples) => [.. Enumerable.Range(0, plain.Count).Where(i => plain[i].PositiveId != examples[i].PositiveId)];
        static List<(string Id, float Score)> Scores(TrainingExample e) => [.. e.NegativeIds.Zip(e.NegativeScores!).Append((e.PositiveId, e.PositiveScore!.Value)).OrderBy(s => s.Item1, StringComparer.Ordinal)];
        static double Deviation(double[] values) => Math.Sqrt(values.Average(v => (v - values.Average()) * (v - values.Average())));
    }

    /// <summary>Each size, type and objective of the sweep at each level that touches it, after the clean cells.</summary>
    [Fact]
    public void ASweepOverErrorsAddsItsCells()
    {
        string plan = WritePlan(extra: ", \"robustness\": { \"sizes\": [\"a\"], \"wrong_positive_shares\": [0.1, 0.3], \"teacher_noises\": [0.5] }");
        StudyRunner runner = Runner(plan, "out", "a-sparse-KD-s1", "a-sparse-KD-s1-noise0.5", "a-sparse-KD-s1-wrong0.3");
        Assert.Equal(8 + (2 * 2 * 2) + 2, runner.Plan.Cells().Count);
        Assert.Equal(3, runner.Run(new Silent(), CancellationToken.None).Finished);
        CellRecord[] records = [.. runner.Records()];
        Assert.Equal([0, 0.3, 0], records.Select(r => r.WrongPositiveShare));
        Assert.Equal([0, 0, 0.5], records.Select(r => r.TeacherNoise));
        Assert.Equal(3, records.Select(r => r.FinalLoss).Distinct().Count());
        Assert.Equal(2, new StudyAnalysis(runner.Plan, records).Robustness.Count);
        Assert.Contains("robustness.sizes", Assert.Throws<InvalidDataException>(() => StudyPlan.Read(WritePlan(extra: ", \"robustness\": { \"sizes\": [\"c\"] }"))).Message, StringComparison.Ordinal);
    }

    /// <summary>What another version of the program left is kept until it is asked to go; the records of the others stay as they are.</summary>
    [Fact]
    public void ACheckpointOfAnotherVersionIsKeptUntilARestart()
    {
        string plan = WritePlan();
        const string Cell = "a-dense-CL-s1";
        using CancellationTokenSource stop = new();
        StudyRunner stopped = Runner(plan, "out", Cell);
        Assert.ThrowsAny<OperationCanceledException>(() => stopped.Run(new Silent { AfterStep = step => { if (step == 3) { stop.Cancel(); } } }, stop.Token));
        string[] states = Directory.GetFiles(stopped.Paths.Checkpoints(stopped.Cells[0]), "trainer_state.json", SearchOption.AllDirectories);
        Array.ForEach(states, state => File.WriteAllText(state, File.ReadAllText(state).Replace("\"BatchSize\"", "\"SizeOfBatch\"", StringComparison.Ordinal)));

        var observer = new Silent();
        Assert.Equal([Cell], Runner(plan, "out", Cell).Run(observer, CancellationToken.None).Failed);
        Assert.Contains("BatchSize", observer.Left, StringComparison.Ordinal);
        Assert.EndsWith($"--restart {Cell} trains the cell anew", observer.Left, StringComparison.Ordinal);
        Assert.All(states, state => Assert.True(File.Exists(state)));

        StudyRunner restarted = new(new StudyOptions(plan, Path.Combine(_root, "out"), [Cell], 2) { Restart = [Cell] });
        Assert.Equal(1, restarted.Run(new Silent(), CancellationToken.None).Finished);
        Assert.Single(restarted.Records());
    }

    /// <summary>A collection that is added later is measured with the models that are there.</summary>
    [Fact]
    public void AnAddedCollectionCostsNoTraining()
    {
        MadeUpCollection.Write(Path.Combine(_root, "other"), documents: 50);
        StudyRunner first = Runner(WritePlan(), "out", "a-sparse-KD-s1");
        first.Run(new Silent(), CancellationToken.None);
        string plan = WritePlan();
        File.WriteAllText(plan, File.ReadAllText(plan).Replace("\"evaluate\": [", "\"evaluate\": [{ \"name\": \"other\", \"directory\": \"other\" }, ", StringComparison.Ordinal));
        StudyRunner again = Runner(plan, "out", "a-sparse-KD-s1");
        Assert.Equal(1, again.Run(new Silent { AfterStep = _ => Assert.Fail("trains again") }, CancellationToken.None).Finished);
        Assert.Equal(["data", "other"], Assert.Single(again.Records()).Measures.Select(m => m.Collection).Order());
        Assert.True(File.Exists(again.Paths.Qrels("other")));
    }

    private StudyRunner Runner(string plan, string output = "out", params string[] cells) => new(new StudyOptions(plan, Path.Combine(_root, output), cells, 2));

    private string WritePlan(string extra = "")
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
              "seeds": [1], "vocabulary_size": 400, "budget_flops": 1e8, "query_flops_weight": 0.001, "document_flops_weight": 0.001{{extra}}
            }
            """);
        return path;
    }

    private sealed class Silent : IStudyObserver
    {
        public Action<int>? AfterStep { get; init; }

        public string Left { get; private set; } = "";

        public void CellStarted(StudyCell cell, int number, int count)
        {
        }

        public void Working(StudyCell cell, string what)
        {
        }

        public void Resumed(StudyCell cell, int step, int stepCount)
        {
        }

        public void Trained(StudyCell cell, TrainingProgress progress) => AfterStep?.Invoke(progress.Current.Step);

        public void CellFinished(StudyCell cell, CellRecord record, bool reused)
        {
        }

        public void CellLeft(StudyCell cell, string why) => Left = why;
    }
}
