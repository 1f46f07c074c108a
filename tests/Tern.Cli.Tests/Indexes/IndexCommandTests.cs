using System.Text.Json;
using Tern.Retrieval;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests.Indexes;

/// <summary>The life of an index on the command line.</summary>
public sealed class IndexCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void DocumentsAreAddedReplacedFilteredAndDeleted()
    {
        string model = Train("sparse");
        string first = Corpus("first.jsonl", ("a", "the golden horse", "{\"lang\":\"en\",\"year\":2019}"), ("b", "the red horse", "{\"lang\":\"de\",\"year\":2021}"));
        string more = Corpus("more.jsonl", ("b", "the blue horse", "{\"lang\":\"en\",\"year\":2022}"), ("c", "the white horse", "{\"lang\":\"en\",\"year\":2023}"));
        string index = _directory["index"];
        Succeed("index", "build", "--corpus", first, "--model", model, "--field", "lang", "--field", "year:number", "--largest-weight", "50", "--output", index);
        Assert.Equal(["a", "b"], Ids(index, "horse"));
        Assert.Contains("2 documents added or replaced, 3 in all, commit 1", Succeed("index", "add", "--index", index, "--corpus", more).Output, StringComparison.Ordinal);
        Assert.Equal(["a", "b", "c"], Ids(index, "horse"));
        Assert.Equal(["c"], Ids(index, "horse", "--filter", "year > 2022 or lang = de"));
        Assert.Contains("the blue horse", Succeed("search", "--index", index, "--filter", "year = 2022", "horse").Output, StringComparison.Ordinal);
        Assert.Contains("1 documents deleted, 1 were not there, commit 2", Succeed("index", "delete", "--index", index, "a", "z").Output, StringComparison.Ordinal);
        Assert.Equal(["b", "c"], Ids(index, "horse"));
        JsonElement stats = Json(Succeed("index", "stats", "--index", index, "--json"));
        Assert.Equal(2, stats.GetProperty("documents").GetInt32());
        Assert.Equal(["lang:string", "year:number"], stats.GetProperty("fields").EnumerateArray().Select(e => e.GetString()));
        Assert.Contains("in 1 segment,", Succeed("index", "compact", "--index", index).Output, StringComparison.Ordinal);
        Assert.Equal(["b", "c"], Ids(index, "horse"));
        Assert.Contains(": whole", Succeed("index", "verify", "--index", index).Output, StringComparison.Ordinal);
        Assert.Contains("segment", Succeed("index", "stats", "--index", index).Output, StringComparison.Ordinal);

        // As if all had been built at once.
        string all = Corpus("all.jsonl", ("b", "the blue horse", "{\"lang\":\"en\",\"year\":2022}"), ("c", "the white horse", "{\"lang\":\"en\",\"year\":2023}"));
        Succeed("index", "build", "--corpus", all, "--model", model, "--field", "lang", "--field", "year:number", "--largest-weight", "50", "--output", _directory["all"]);
        Assert.Equal(Succeed("search", "--index", _directory["all"], "--json", "horse").Output, Succeed("search", "--index", index, "--json", "horse").Output);

        Fails(ExitCode.Usage, "filter, column 8: 'old' is no number", "search", "--index", index, "--filter", "year > old", "horse");
        Fails(ExitCode.BadInput, "field 'year' holds 'soon'", "index", "add", "--index", index, "--corpus", Corpus("bad.jsonl", ("d", "x", "{\"year\":\"soon\"}")));
        Fails(ExitCode.Usage, "--field a:int", "index", "build", "--corpus", first, "--model", model, "--field", "a:int", "--output", _directory["x"]);
        Fails(ExitCode.Usage, "either --corpus", "index", "add", "--index", index);
        Fails(ExitCode.Usage, "either ids", "index", "delete", "--index", index);
        using (SegmentedIndexWriter.Open(index))
        {
            Fails(ExitCode.Failure, "another writer is at work", "index", "delete", "--index", index, "b");
        }
    }

    [Fact]
    public void SearchesOfAQualitySayWhatWasMeasured()
    {
        string model = Train("sparse");
        string first = Corpus("first.jsonl", ("a", "the golden horse", "{}"), ("b", "the red horse", "{}"));
        string index = _directory["index"];
        Succeed("index", "build", "--corpus", first, "--model", model, "--output", index);
        Fails(ExitCode.BadInput, "tern index calibrate", "search", "--index", index, "--quality", "0.9", "horse");
        Fails(ExitCode.Usage, "--quality 1.5", "search", "--index", index, "--quality", "1.5", "horse");
        Assert.Contains("measured with 2 of the index's own documents", Succeed("index", "calibrate", "--index", index).Output, StringComparison.Ordinal);
        JsonElement hits = Json(Succeed("search", "--index", index, "--quality", "0.9", "--json", "horse"));
        // Two documents need no approximation.
        Assert.True(hits.GetProperty("exact").GetBoolean());
        Assert.Equal((1.0, false), (hits.GetProperty("recall").GetDouble(), hits.GetProperty("recall_stale").GetBoolean()));
        Assert.False(Json(Succeed("search", "--index", index, "--json", "horse")).TryGetProperty("recall", out _));

        File.WriteAllText(_directory["queries.tsv"], "1\thorse\n2\tgolden\n");
        JsonElement calibration = Json(Succeed("index", "calibrate", "--index", index, "--queries", _directory["queries.tsv"], "--k", "3,7", "--json"));
        Assert.Equal(("queries", 2), (calibration.GetProperty("source").GetString(), calibration.GetProperty("queries").GetInt32()));
        Assert.Equal([3, 7], calibration.GetProperty("searches").EnumerateArray().Select(s => s.GetProperty("k").GetInt32()).Distinct());
        Succeed("index", "delete", "--index", index, "a");
        Assert.Contains("the index has changed since", Succeed("search", "--index", index, "--quality", "0.9", "horse").Output, StringComparison.Ordinal);
        Fails(ExitCode.Usage, "leave one out", "index", "calibrate", "--index", index, "--queries", "q.tsv", "--query-vectors", "v.csr");
        Succeed("index", "build", "--corpus", first, "--bm25", "--output", _directory["bm25"]);
        Fails(ExitCode.Usage, "always searched exactly", "index", "calibrate", "--index", _directory["bm25"]);
        Fails(ExitCode.Usage, "always searched exactly", "search", "--index", _directory["bm25"], "--quality", "0.9", "horse");
    }

    [Fact]
    public void DenseIndexesAreUpdatedTooAndBm25OnesFilteredOnly()
    {
        string model = Train("dense");
        string first = Corpus("first.jsonl", ("a", "the golden horse", "{\"year\":2019}"), ("b", "the red horse", "{\"year\":2021}"));
        string more = Corpus("more.jsonl", ("c", "the white horse", "{\"year\":2023}"));
        Succeed("index", "build", "--corpus", first, "--model", model, "--field", "year:number", "--output", _directory["dense"]);
        Succeed("index", "add", "--index", _directory["dense"], "--corpus", more);
        Succeed("index", "delete", "--index", _directory["dense"], "a");
        Assert.Equal(["b", "c"], Ids(_directory["dense"], "golden"));
        Assert.Equal(["c"], Ids(_directory["dense"], "golden", "--filter", "year > 2021"));
        Succeed("index", "build", "--corpus", first, "--bm25", "--field", "year:number", "--output", _directory["bm25"]);
        Assert.Equal(["a"], Ids(_directory["bm25"], "golden horse", "--filter", "not year > 2019"));
        Fails(ExitCode.BadInput, "a BM25 index cannot be updated", "index", "add", "--index", _directory["bm25"], "--corpus", more);
        Fails(ExitCode.BadInput, "a BM25 index cannot be updated", "index", "delete", "--index", _directory["bm25"], "a");
    }

    [Fact]
    public void VectorsAreAddedShardsMergedDamageIsNamed()
    {
        File.WriteAllText(_directory["1.jsonl"], "{\"id\":\"a\",\"vector\":{\"1\":0.5,\"7\":2.25}}\n{\"id\":\"b\",\"vector\":{\"3\":1}}\n");
        File.WriteAllText(_directory["2.jsonl"], "{\"id\":\"c\",\"vector\":{\"1\":1,\"3\":2.25}}\n");
        Succeed("import", "jsonl", "--input", _directory["1.jsonl"], "--index", _directory["one"], "--dimension", "9");
        Succeed("import", "jsonl", "--input", _directory["2.jsonl"], "--index", _directory["two"], "--dimension", "9");
        Assert.Contains("3 documents of 2 indexes", Succeed("index", "merge", "--output", _directory["merged"], _directory["one"], _directory["two"]).Output, StringComparison.Ordinal);
        Succeed("index", "add", "--index", _directory["one"], "--vectors", _directory["2.jsonl"]);
        foreach (string index in new[] { "merged", "one" })
        {
            Succeed("export", "jsonl", "--input", _directory[index], "--output", _directory[index + ".jsonl"]);
        }

        Assert.Equal(File.ReadAllText(_directory["merged.jsonl"]), File.ReadAllText(_directory["one.jsonl"]));
        Fails(ExitCode.BadInput, "document 'c' is in", "index", "merge", "--output", _directory["again"], _directory["one"], _directory["two"]);
        Assert.False(Directory.Exists(_directory["again"]));
        CliResult fuzz = Succeed("index", "fuzz", "--index", _directory["one"], "--count", "150", "--json");
        Assert.Equal(150, Json(fuzz).GetProperty("refused").GetInt32() + Json(fuzz).GetProperty("unchanged").GetInt32() + Json(fuzz).GetProperty("changed").GetInt32());
        Assert.InRange(Json(fuzz).GetProperty("rewritten").GetInt32(), 50, 100);

        string log = Directory.GetFiles(_directory["one"], "segment.tern", SearchOption.AllDirectories).First();
        byte[] bytes = File.ReadAllBytes(log);
        bytes[1030] ^= 4;
        File.WriteAllBytes(log, bytes);
        CliResult verify = Cli.Run("index", "verify", "--index", _directory["one"]);
        Assert.Equal(ExitCode.BadInput, verify.ExitCode);
        Assert.StartsWith($"{log}: section '", verify.Lines[0], StringComparison.Ordinal);
        Assert.Contains("1 damaged places", verify.Lines[1], StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private static CliResult Succeed(params string[] args)
    {
        CliResult result = Cli.Run(args);
        Assert.True(result.ExitCode == ExitCode.Ok, $"tern {string.Join(' ', args)}: {result.Error}{result.Output}");
        return result;
    }

    private static void Fails(int code, string problem, params string[] args)
    {
        CliResult result = Cli.Run(args);
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(problem, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    private static JsonElement Json(CliResult result) => JsonDocument.Parse(result.Output).RootElement;

    private static string[] Ids(string index, string query, params string[] more) =>
        [.. Json(Succeed(["search", "--index", index, "--json", .. more, query])).GetProperty("hits").EnumerateArray().Select(hit => hit.GetProperty("id").GetString()!).Order(StringComparer.Ordinal)];

    private string Corpus(string name, params (string Id, string Text, string Metadata)[] documents)
    {
        File.WriteAllLines(_directory[name], documents.Select(d => $"{{\"_id\":\"{d.Id}\",\"title\":\"\",\"text\":\"{d.Text}\",\"metadata\":{d.Metadata}}}"));
        return _directory[name];
    }

    private string Train(string type)
    {
        string data = SmallCollection.Write(_directory["data"]);
        Succeed("train", "--data", data, "--new", "--type", type, "--steps", "2", "--batch_size", "8", "--hidden_size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--lowercase", "--output_dir", _directory["model"]);
        return _directory["model"];
    }
}
