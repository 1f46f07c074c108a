using System.Text.Json;
using Tern.Retrieval;
using Tern.Tests;
using Tern.Text;
using Xunit;

namespace Tern.Cli.Tests;

/// <summary>mine → train a reranker → teach → rerank, on a made-up collection.</summary>
public sealed class MineAndTeachTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly string _data;
    private readonly string _qrels;

    public MineAndTeachTests()
    {
        _data = SmallCollection.Write(_directory["data"]);
        _qrels = Path.Combine(_data, "qrels", "train.tsv");
        Succeed("index", "build", "--corpus", _data, "--bm25", "--output", _directory["bm25"]);
    }

    [Fact]
    public void MinedNegativesAreTheHighestRankedThatAreNotRelevant()
    {
        CliResult mined = Succeed("mine", "--index", _directory["bm25"], "--queries", _data, "--qrels", _qrels, "--negatives", "5", "--depth", "20", "--output", _directory["mined.jsonl"]);
        TrainingExample[] examples = [.. TrainingExampleReader.Read(_directory["mined.jsonl"])];
        var qrels = Qrels.Read(_qrels);
        Assert.Equal(qrels.Topics.Count, examples.Length);
        Assert.Contains(FormattableString.Invariant($"{examples.Length} examples"), mined.Output, StringComparison.Ordinal);
        using var retriever = Retriever.Open(_directory["bm25"]);
        Dictionary<string, string> topics = QueryReader.Read(_data).ToDictionary(q => q.Text, q => q.Id);
        foreach (TrainingExample example in examples)
        {
            string[] found = [.. retriever.SearchAll([example.Query], 20)[0].Select(d => d.Id)];
            Assert.True(qrels[topics[example.Query]].ContainsKey(example.PositiveId));
            Assert.Equal(found.Where(d => !qrels[topics[example.Query]].ContainsKey(d)).Take(5), example.NegativeIds);
        }

        JsonElement manifest = JsonDocument.Parse(File.ReadAllText(_directory["mined.jsonl.manifest.json"])).RootElement;
        Assert.Equal(examples.Length, manifest.GetProperty("counts").GetProperty("examples").GetInt32());
        Assert.Equal(64, manifest.GetProperty("inputs")[0].GetProperty("sha256").GetString()!.Length);
    }

    [Fact]
    public void AStoppedMiningGoesOnAndAnotherOneIsRefused()
    {
        string[] arguments = ["mine", "--index", _directory["bm25"], "--queries", _data, "--qrels", _qrels, "--negatives", "5", "--depth", "20", "--output"];
        Succeed([.. arguments, _directory["whole.jsonl"]]);
        string whole = File.ReadAllText(_directory["whole.jsonl"]);

        // What a process leaves that ended after its first step, in the middle of writing the next: half a line too many.
        string target = _directory["part.jsonl"];
        Assert.Equal(ExitCode.Interrupted, Cli.Run(new StringWriter(), new CancellationToken(true), [.. arguments, target]).ExitCode);
        string[] lines = whole.Split('\n');
        string half = string.Join('\n', lines[..7]) + "\n";
        using (var partial = new Pipelines.Mining.ResumableLines(_directory["key.jsonl"], "x"))
        {
            partial.Append(lines[..7], 7, new Dictionary<string, long> { ["examples"] = 7 });
        }

        JsonElement state = JsonDocument.Parse(File.ReadAllText(_directory["key.jsonl.partial.json"])).RootElement;
        Assert.Equal(half.Length, state.GetProperty("byte_count").GetInt32());
        File.AppendAllText(_directory["key.jsonl.partial"], "{\"half");
        using (var again = new Pipelines.Mining.ResumableLines(_directory["key.jsonl"], "x"))
        {
            again.Append(lines[7..^1], lines.Length - 1, new Dictionary<string, long> { ["examples"] = lines.Length - 8 });
            Assert.Equal(lines.Length - 1, again.Progress.Counts["examples"]);
            again.Complete();
        }

        Assert.Equal(whole, File.ReadAllText(_directory["key.jsonl"]));

        using (var other = new Pipelines.Mining.ResumableLines(target, "other options"))
        {
            other.Append(["{}"], 1, new Dictionary<string, long>());
        }

        CliResult refused = Cli.Run([.. arguments, target]);
        Assert.Equal(ExitCode.BadInput, refused.ExitCode);
        Assert.Contains("left by a run with other inputs or options", refused.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void ARerankerIsTrainedTeachesAndReranks()
    {
        Succeed("mine", "--index", _directory["bm25"], "--queries", _data, "--qrels", _qrels, "--negatives", "4", "--output", _directory["mined.jsonl"]);
        CliResult training = Succeed("train", "--train", _directory["mined.jsonl"], "--corpus", _data, "--new", "--type", "reranker", "--negatives", "3", "--steps", "30", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--json", "--output", _directory["reranker"]);
        double[] losses = [.. training.Lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("loss").GetDouble())];
        Assert.True(losses[^5..].Average() < losses[..5].Average(), "the loss of a reranker falls");
        Assert.Contains("golden texts agree", Succeed("model", "selftest", _directory["reranker"]).Output, StringComparison.Ordinal);

        Succeed("teach", "--train", _directory["mined.jsonl"], "--corpus", _data, "--teacher", _directory["reranker"], "--output", _directory["taught.jsonl"]);
        TrainingExample[] taught = [.. TrainingExampleReader.Read(_directory["taught.jsonl"])];
        Assert.All(taught, e => Assert.Equal(e.NegativeIds.Count, e.NegativeScores!.Count));

        string test = Path.Combine(_data, "qrels", "test.tsv");
        Succeed("search", "--index", _directory["bm25"], "--queries", _data, "--qrels", test, "--run", _directory["bm25.trec"], "--k", "20");
        Succeed("rerank", "--run", _directory["bm25.trec"], "--queries", _data, "--corpus", _data, "--model", _directory["reranker"], "--k", "5", "--output", _directory["reranked.trec"]);
        var before = Run.Read(_directory["bm25.trec"]);
        var after = Run.Read(_directory["reranked.trec"]);
        Assert.Equal(before.Topics, after.Topics);
        Assert.All(before.Topics, t => Assert.Equal(before.Ranking(t, TieOrder.Trec9).Take(5).Order(StringComparer.Ordinal), after[t].Select(d => d.Id).Order(StringComparer.Ordinal)));

        // Mining with that teacher drops what it scores as high as the positive.
        Succeed("mine", "--index", _directory["bm25"], "--queries", _data, "--qrels", _qrels, "--corpus", _data, "--teacher", _directory["reranker"], "--margin", "0.5", "--negatives", "4", "--output", _directory["filtered.jsonl"]);
        Assert.All(TrainingExampleReader.Read(_directory["filtered.jsonl"]), e => Assert.All(e.NegativeScores!, s => Assert.True(s <= e.PositiveScore - 0.5)));

        CliResult refused = Cli.Run("index", "--corpus", _data, "--model", _directory["reranker"], "--output", _directory["no"]);
        Assert.Equal(ExitCode.Usage, refused.ExitCode);
        Assert.Contains("tern rerank", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sparse")]
    [InlineData("dense")]
    public void ARetrieverTeachesItsOwnScoresARunItsAndPartsMakeTheWhole(string type)
    {
        Succeed("train", "--data", _data, "--new", "--type", type, "--steps", "2", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--output", _directory["model"]);
        Succeed("mine", "--index", _directory["bm25"], "--queries", _data, "--qrels", _qrels, "--negatives", "4", "--output", _directory["mined.jsonl"]);
        Succeed("teach", "--train", _directory["mined.jsonl"], "--corpus", _data, "--teacher", _directory["model"], "--output", _directory["taught.jsonl"]);
        Succeed("index", "--corpus", _data, "--model", _directory["model"], "--impacts", "float32", "--output", _directory["index"]);
        Succeed("search", "--index", _directory["index"], "--queries", _data, "--qrels", _qrels, "--run", _directory["run.trec"], "--k", "1000");
        Succeed("teach", "--train", _directory["mined.jsonl"], "--run", _directory["run.trec"], "--queries", _data, "--output", _directory["from-run.jsonl"]);
        Dictionary<string, TrainingExample> taught = TrainingExampleReader.Read(_directory["taught.jsonl"]).ToDictionary(e => e.Query);
        TrainingExample[] fromRun = [.. TrainingExampleReader.Read(_directory["from-run.jsonl"])];

        // A sparse run lacks what shares no term with its query.
        Assert.InRange(fromRun.Length, type == "sparse" ? 1 : taught.Count, taught.Count);
        foreach (TrainingExample b in fromRun)
        {
            TrainingExample a = taught[b.Query];
            Assert.Equal(a.PositiveScore!.Value, b.PositiveScore!.Value, 1e-3f);
            foreach ((string id, float score) in b.NegativeIds.Zip(b.NegativeScores!))
            {
                Assert.Equal(a.NegativeScores![a.NegativeIds.ToList().IndexOf(id)], score, 1e-3f);
            }
        }

        string extension = type == "sparse" ? "jsonl" : "npy";
        string[] encode = ["encode", "--model", _directory["model"], "--side", "document", "--input", _data, "--output", _directory[$"v.{extension}"]];
        for (int part = 0; part < 3; part++)
        {
            Succeed([.. encode, "--shard", FormattableString.Invariant($"{part}/3")]);
        }

        Succeed(encode);
        Succeed("data", "merge", _directory[$"v.0-of-3.{extension}"], _directory[$"v.1-of-3.{extension}"], _directory[$"v.2-of-3.{extension}"], "--output", _directory[$"merged.{extension}"]);
        Assert.Equal(File.ReadAllBytes(_directory[$"v.{extension}"]), File.ReadAllBytes(_directory[$"merged.{extension}"]));
        if (type == "dense")
        {
            Assert.Equal(File.ReadAllText(_directory["v.ids.txt"]), File.ReadAllText(_directory["merged.ids.txt"]));
        }
    }

    [Theory]
    [InlineData("3/3", "must be i/n")]
    [InlineData("1", "must be i/n")]
    [InlineData("auto", "JOB_COMPLETION_INDEX")]
    public void AShardThatIsNoneIsRefused(string shard, string message) =>
        Assert.Contains(message, Assert.Throws<UsageException>(() => Shard.Parse(shard, _ => null)).Message);

    public void Dispose() => _directory.Dispose();

    private static CliResult Succeed(params string[] args)
    {
        CliResult result = Cli.Run(args);
        Assert.True(result.ExitCode == 0, $"tern {string.Join(' ', args)}: {result.Error}");
        return result;
    }
}
