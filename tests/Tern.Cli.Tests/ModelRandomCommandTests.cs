using System.Text.Json;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Retrieval;
using Tern.Tests;
using Tern.Text;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class ModelRandomCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Target => _directory["models/random"];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void DirectoryIsAWholeModel()
    {
        Succeed("--like", "tiny", Target);
        using JsonDocument info = JsonDocument.Parse(Cli.Run("model", "info", Target, "--json").Output);
        Assert.Equal("sparse", info.RootElement.GetProperty("kind").GetString());
        Assert.Equal(LlamaShapes.All["tiny"].HiddenSize, info.RootElement.GetProperty("hidden_size").GetInt32());
        Assert.Equal(512, info.RootElement.GetProperty("vocabulary_size").GetInt32());

        using RetrieverModel model = RetrieverModel.Load(Target);
        SparseVector[] vectors = [.. model.EncodeSparse(["a text", "another text"], RetrievalSide.Document)];
        Assert.All(vectors, v => Assert.InRange(v.Count, 1, 512));
        Assert.NotEqual(vectors[0].Weights.ToArray(), vectors[1].Weights.ToArray());
        List<int> tokens = [];
        model.Tokenizer.Encode("né", new TokenizationOptions(true, true, "", 0), tokens);
        Assert.Equal([model.Tokenizer.BosId!.Value, 'n', 0xC3, 0xA9, model.Tokenizer.EosId!.Value], tokens);
    }

    [Fact]
    public void OptionsReachTheModel()
    {
        string source = TinyModel.Write(_directory["source"], RepresentationKind.Sparse);
        Succeed("--like", "tiny", "--tokenizer", source, "--vocabulary", "400", "--kind", "dense", "--dtype", "f32", "--max-document-tokens", "300", Target);
        using RetrieverModel model = RetrieverModel.Load(Target);
        Assert.Equal(RepresentationKind.Dense, model.Contract.Kind);
        Assert.Equal(400, model.Config.VocabularySize);
        Assert.Equal(340, model.Tokenizer.VocabularySize);
        Assert.Equal(model.Tokenizer.BosId, model.Config.BosTokenId);
        Assert.Equal(300, model.Contract.MaxDocumentTokens);
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Target, Checkpoint.FileName));
        Assert.All(file.Entries.Values, e => Assert.Equal("F32", e.DType));
    }

    [Fact]
    public void SeedDecidesTheFingerprint()
    {
        string[] fingerprints = [.. new[] { "1", "1", "2" }.Select((seed, i) =>
        {
            string path = _directory[$"model-{i}"];
            Succeed("--like", "tiny", "--seed", seed, path);
            return RetrieverContract.Load(path).Fingerprint;
        })];
        Assert.Equal(fingerprints[0], fingerprints[1]);
        Assert.NotEqual(fingerprints[0], fingerprints[2]);
    }

    // What makes a large model open at once; damage is for the self-test to find.
    [Fact]
    public void OpeningReadsNoWeights()
    {
        Succeed("--like", "tiny", Target);
        string fingerprint;
        using (RetrieverModel model = RetrieverModel.Load(Target))
        {
            fingerprint = model.Fingerprint;
        }

        using (FileStream weights = File.OpenWrite(Path.Combine(Target, Checkpoint.FileName)))
        {
            weights.Position = weights.Length - 1000;
            weights.Write(new byte[1000]);
        }

        using RetrieverModel changed = RetrieverModel.Load(Target);
        Assert.Equal(fingerprint, changed.Fingerprint);
    }

    [Fact]
    public void WhatIsThereStays()
    {
        string model = TinyModel.Write(_directory["source"], RepresentationKind.Sparse);
        byte[] weights = File.ReadAllBytes(Path.Combine(model, Checkpoint.FileName));
        Fails(ExitCode.Usage, "not empty", "--like", "tiny", model);
        Assert.Equal(weights, File.ReadAllBytes(Path.Combine(model, Checkpoint.FileName)));
    }

    [Fact]
    public void WrongArgumentsLeaveNothing()
    {
        string source = TinyModel.Write(_directory["source"], RepresentationKind.Sparse);
        Fails(ExitCode.Usage, "340", "--like", "tiny", "--tokenizer", source, "--vocabulary", "300", Target);
        Fails(ExitCode.BadInput, "tokenizer.json", "--like", "tiny", "--tokenizer", _directory.Path, Target);
        Fails(ExitCode.Usage, "llama-3.2-1b", "--like", "llama-9", Target);
        Assert.False(Directory.Exists(Target) || Directory.Exists(Target + ".partial"));
    }

    [Fact]
    public void InterruptedLeavesNothing()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        CliResult result = Cli.Run(new StringWriter(), cancellation.Token, "model", "random", "--like", "tiny", Target);
        Assert.Equal(ExitCode.Interrupted, result.ExitCode);
        Assert.False(Directory.Exists(Target) || Directory.Exists(Target + ".partial"));
    }

    private static void Succeed(params string[] args)
    {
        CliResult result = Cli.Run(["model", "random", .. args]);
        Assert.True(result.ExitCode == ExitCode.Ok, result.Error);
        Assert.Contains("GB of random weights", Assert.Single(result.Lines), StringComparison.Ordinal);
    }

    private static void Fails(int code, string message, params string[] args)
    {
        CliResult result = Cli.Run(["model", "random", .. args]);
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }
}
