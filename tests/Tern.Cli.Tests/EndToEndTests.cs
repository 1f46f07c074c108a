using System.Text.Json;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class EndToEndTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Theory]
    [InlineData("sparse")]
    [InlineData("dense")]
    public void FromACollectionToAMeasuredRun(string type)
    {
        string data = SmallCollection.Write(_directory["data"]);
        Succeed("data", "check", data);
        CliResult training = Succeed("train", "--data", data, "--new", "--type", type, "--steps", "12", "--batch_size", "8", "--hidden_size", "32", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--lowercase", "--logging_steps", "6", "--output_dir", _directory["model"]);
        Assert.Equal(4, training.Lines.Count);
        Assert.StartsWith("memory plan: ", training.Lines[0], StringComparison.Ordinal);
        Assert.StartsWith("step 12/12  loss ", training.Lines[2], StringComparison.Ordinal);
        Assert.Contains("4 golden texts agree", Succeed("model", "selftest", _directory["model"]).Output, StringComparison.Ordinal);
        Assert.Contains($"\"kind\":\"{type}\"", Succeed("model", "info", _directory["model"], "--json").Output, StringComparison.Ordinal);

        Succeed("index", "--corpus", data, "--model", _directory["model"], "--output", _directory["index"]);
        Succeed("index", "build", "--corpus", data, "--bm25", "--output", _directory["bm25"]);
        Succeed("index", "build", "--corpus", data, "--model", _directory["model"], "--layout", "raw", "--reorder", "--output", _directory["other"]);
        Assert.Equal(
            Succeed("search", "--index", _directory["index"], "--json", "golden horse").Output,
            Succeed("search", "--index", _directory["other"], "--algorithm", "exhaustive", "--json", "golden horse").Output);
        foreach (string index in new[] { "index", "bm25" })
        {
            Succeed("search", "--index", _directory[index], "--queries", data, "--qrels", Path.Combine(data, "qrels", "test.tsv"), "--run", _directory[index + ".trec"], "--k", "20");
        }

        string qrels = Path.Combine(data, "qrels", "test.tsv");
        CliResult bm25 = Succeed("eval", "-c", qrels, _directory["bm25.trec"], "RR@10", "num_q");
        Assert.Equal([$"{"RR@10",-22}\tall\t1.0000", $"{"num_q",-22}\tall\t12"], bm25.Lines);
        double learned = Json(Succeed("eval", qrels, _directory["index.trec"], "RR@10", "--json")).GetProperty("measures").GetProperty("RR@10").GetDouble();
        Assert.InRange(learned, 0.5, 1); // chance is below 0.1: the start is lexical
        JsonElement compared = Json(Succeed("compare", qrels, _directory["bm25.trec"], _directory["index.trec"], "--json")).GetProperty("measures")[1];
        Assert.Equal(learned, compared.GetProperty("b").GetDouble(), 12);
        Assert.Equal(1, compared.GetProperty("a").GetDouble());

        JsonElement hit = Json(Succeed("search", "--index", _directory["index"], "--k", "3", "--json", "where is the golden horse")).GetProperty("hits")[0];
        Assert.Equal(1, hit.GetProperty("rank").GetInt32());
        Assert.Equal(type == "sparse", hit.GetProperty("terms").GetArrayLength() > 0);
        Assert.Contains("golden horse", Succeed("search", "--index", _directory["bm25"], "golden", "horse").Output, StringComparison.Ordinal);
        Assert.Contains("score", Succeed("explain", "--index", _directory["index"], "--query", "golden horse", "--doc", "golden-horse").Output, StringComparison.Ordinal);

        string vectors = _directory[type == "sparse" ? "v.jsonl" : "v.npy"];
        Succeed("encode", "--model", _directory["model"], "--side", "query", "--input", data, "--output", vectors);
        Assert.Equal(type == "sparse" ? TinyModel.Documents.Count : 128 + (TinyModel.Documents.Count * 32 * 4), type == "sparse" ? File.ReadLines(vectors).Count() : new FileInfo(vectors).Length);
    }

    [Fact]
    public void AnInterruptedRunResumesWithEqualLosses()
    {
        string data = SmallCollection.Write(_directory["data"]);
        string[] Arguments(string output) => ["train", "--data", data, "--new", "--type", "sparse", "--steps", "8", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--json", "--threads", "1", "--output", _directory[output]];
        CliResult whole = Succeed(Arguments("whole"));

        using var cancellation = new CancellationTokenSource();
        using var writer = new CancellingWriter(3, cancellation);
        CliResult first = Cli.Run(writer, cancellation.Token, Arguments("parts"));
        Assert.Equal(ExitCode.Interrupted, first.ExitCode);
        Assert.Equal(3, first.Lines.Count);
        Assert.Contains("stopped after step 3 of 8", first.Error, StringComparison.Ordinal);
        Assert.Contains($"tern train --output {_directory["parts"]} --resume", first.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(_directory["parts"], "model.safetensors")));

        CliResult second = Succeed("train", "--output", _directory["parts"], "--resume");
        Assert.Equal(Losses(whole), Losses(first).Concat(Losses(second)));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_directory["whole"], "model.safetensors")), File.ReadAllBytes(Path.Combine(_directory["parts"], "model.safetensors")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(_directory["whole"], "tokenizer.json")), File.ReadAllBytes(Path.Combine(_directory["parts"], "tokenizer.json")));
    }

    [Fact]
    public void TrainingGoesOnFromAModelWithTeacherScores()
    {
        string data = SmallCollection.Write(_directory["data"]);
        TinyModel.Write(_directory["start"], Model.RepresentationKind.Sparse);
        File.WriteAllLines(_directory["train.jsonl"], TinyModel.Documents.Take(16).Select((d, i) =>
            $"{{\"question\":\"{d.Title}\",\"pos_pid\":\"{d.Id}\",\"neg_pids\":[\"{TinyModel.Documents[i + 1].Id}\",\"{TinyModel.Documents[i + 9].Id}\"],\"pos_score\":5.0,\"neg_scores\":[1.0,0.5]}}"));
        foreach (string loss in new[] { "kd", "margin_mse", "nce_kldiv" })
        {
            CliResult result = Succeed("train", "--model_name_or_path", _directory["start"], "--train_path", _directory["train.jsonl"], "--corpus_path", data, "--loss_type", loss, "--max_steps", "2", "--per_device_train_batch_size", "4", "--train_group_size", "3", "--output", _directory[loss], "--json");
            Assert.Equal(2, result.Lines.Count);
            Assert.True(Json(result, 1).GetProperty("loss").GetDouble() > 0);
        }
    }

    [Fact]
    public void ARunWithATokenizerOfAnotherNameResumes()
    {
        string data = SmallCollection.Write(_directory["data"]);
        Succeed("data", "tokenizer", "--input", data, "--vocabulary-size", "340", "--splitting", "words", "--output", _directory["words.json"]);
        string[] arguments = ["train", "--data", data, "--new", "--type", "sparse", "--tokenizer", _directory["words.json"], "--steps", "4", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--json", "--output", _directory["model"]];
        using var cancellation = new CancellationTokenSource();
        using var writer = new CancellingWriter(2, cancellation);
        Assert.Equal(ExitCode.Interrupted, Cli.Run(writer, cancellation.Token, arguments).ExitCode);
        Succeed("train", "--output", _directory["model"], "--resume");
        Assert.Equal(File.ReadAllBytes(_directory["words.json"]), File.ReadAllBytes(Path.Combine(_directory["model"], "tokenizer.json")));
    }

    [Fact]
    public void AModelBeforeItsFirstStepGoesThroughMntpIntoARetriever()
    {
        string data = SmallCollection.Write(_directory["data"]);
        Succeed("train", "--data", data, "--new", "--type", "sparse", "--steps", "0", "--query-length", "20", "--document-length", "30", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340", "--output", _directory["start"]);
        Assert.Contains("4 golden texts agree", Succeed("model", "selftest", _directory["start"]).Output, StringComparison.Ordinal);
        Succeed("mntp", "--model", _directory["start"], "--data", data, "--all-weights", "--mask-token", "eos", "--block-length", "16", "--batch", "4", "--steps", "2", "--output", _directory["mntp"]);
        Succeed("train", "--data", data, "--model", _directory["mntp"], "--type", "sparse", "--steps", "2", "--batch", "8", "--output", _directory["model"]);
        JsonElement contract = JsonDocument.Parse(File.ReadAllText(Path.Combine(_directory["model"], "retriever.json"))).RootElement;
        Assert.Equal(20, contract.GetProperty("max_query_tokens").GetInt32());
        Assert.True(contract.GetProperty("has_term_bias").GetBoolean());
    }

    public void Dispose() => _directory.Dispose();

    private static CliResult Succeed(params string[] args)
    {
        CliResult result = Cli.Run(args);
        Assert.Equal("", result.Error);
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        return result;
    }

    private static JsonElement Json(CliResult result, int line = 0) => JsonDocument.Parse(result.Lines[line]).RootElement;

    private static IEnumerable<double> Losses(CliResult result) => result.Lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("loss").GetDouble());
}
