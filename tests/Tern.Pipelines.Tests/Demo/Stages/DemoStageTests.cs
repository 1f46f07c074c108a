using Tern.Pipelines.Demo;
using Tern.Pipelines.Demo.Stages;
using Xunit;

namespace Tern.Pipelines.Tests.Demo.Stages;

/// <summary>The rules by which stages are run again or not, on stages that only write a file.</summary>
public sealed class DemoStageTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("tern-stages-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void ASecondRunDoesNothing()
    {
        Assert.Equal(["a", "b", "c"], Run(One("a", "1"), One("b", "1", "a"), One("c", "1")).Ran);
        RecordingObserver second = Run(One("a", "1"), One("b", "1", "a"), One("c", "1"));
        Assert.Empty(second.Ran);
        Assert.Equal(["a", "b", "c"], second.Reused);
    }

    [Fact]
    public void OtherInputsRunAStageAndThoseAfterIt()
    {
        Run(One("a", "1"), One("b", "1", "a"), One("c", "1"));
        RecordingObserver second = Run(One("a", "2"), One("b", "1", "a"), One("c", "1"));
        Assert.Equal(["a", "b"], second.Ran);
        Assert.Equal(["c"], second.Reused);
    }

    [Fact]
    public void AMissingOutputIsMadeAgain()
    {
        Run(One("a", "1"), One("b", "1", "a"));
        File.Delete(Path.Combine(_root, "b.out"));
        Assert.Equal(["b"], Run(One("a", "1"), One("b", "1", "a")).Ran);
    }

    [Fact]
    public void AStageThatFailedIsRunAgain()
    {
        Assert.Throws<InvalidOperationException>(() => Run(One("a", "1"), new FileStage("b", "1", [], fails: true)));
        RecordingObserver second = Run(One("a", "1"), One("b", "1"));
        Assert.Equal(["b"], second.Ran);
    }

    [Fact]
    public void TheTimeOfAnInterruptedAttemptCounts()
    {
        string path = Path.Combine(_root, "a.interrupted.json");
        var first = new StageTime(path, "same inputs");
        Assert.Throws<OperationCanceledException>(() => first.Measure<int>(() => throw new OperationCanceledException()));
        ResultsFile.Save(path, ResultsFile.Load<StageTime.Attempt>(path) with { Seconds = 100 });
        var second = new StageTime(path, "same inputs");
        Assert.Equal(7, second.Measure(() => 7));
        Assert.InRange(second.Seconds, 100, 150);
        var changed = new StageTime(path, "other inputs");
        changed.Measure(() => 7);
        Assert.InRange(changed.Seconds, 0, 50);
        second.Forget();
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void FiguresOfAReusedStageAreTheSame()
    {
        Run(One("a", "1"));
        var context = new DemoContext(new DemoOptions { OutputDirectory = _root }, new RecordingObserver());
        DemoPipeline.RunStages([One("a", "1")], context, CancellationToken.None);
        Assert.Equal(new IndexFigures(7.5, 1, 0), context.Figures<IndexFigures>("a"));
    }

    private static FileStage One(string name, string inputs, params string[] after) => new(name, inputs, after);

    private RecordingObserver Run(params DemoStage[] stages)
    {
        var observer = new RecordingObserver();
        DemoPipeline.RunStages(stages, new DemoContext(new DemoOptions { OutputDirectory = _root }, observer), CancellationToken.None);
        return observer;
    }

    private sealed class FileStage(string name, string inputs, IReadOnlyList<string> after, bool fails = false) : DemoStage(name, "writes a file")
    {
        public override IReadOnlyList<string> After => after;

        public override string Inputs(DemoContext context) => inputs;

        public override IReadOnlyList<string> Outputs(DemoContext context) => [Path.Combine(context.Paths.Root, Name + ".out")];

        public override StageOutcome Run(DemoContext context, CancellationToken cancellation)
        {
            File.WriteAllText(Outputs(context)[0], inputs);
            return fails ? throw new InvalidOperationException("asked to fail") : new StageOutcome("wrote", new IndexFigures(7.5, inputs.Length, 0));
        }
    }
}
