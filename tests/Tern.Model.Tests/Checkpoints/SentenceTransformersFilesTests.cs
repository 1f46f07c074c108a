using Tern.Model.Checkpoints;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class SentenceTransformersFilesTests
{
    private static readonly LlamaConfig Config = LlamaShapes.All["tiny"];

    [Fact]
    public void WhatIsWrittenReadsBack()
    {
        using var directory = new TemporaryDirectory();
        RetrieverContract contract = RetrieverContract.Laconic() with { MaxQueryTokens = 128, MaxDocumentTokens = 128 };
        SentenceTransformersFiles.Write(directory.Path, contract, Config);
        Assert.True(SentenceTransformersFiles.Exist(directory.Path));
        Assert.Equal(["1_SpladePooling/config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json"], Directory.EnumerateFiles(directory.Path, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(directory.Path, f).Replace('\\', '/')).Order(StringComparer.Ordinal));
        RetrieverContract read = SentenceTransformersFiles.Read(directory.Path);
        Assert.Equal((RepresentationKind.Sparse, "query: ", "passage: ", 128, 128), (read.Kind, read.QueryPrefix, read.DocumentPrefix, read.MaxQueryTokens, read.MaxDocumentTokens));
    }

    [Theory]
    [InlineData("modules.json", "splade_pooling.SpladePooling", "pooling.Pooling", "mean or last token")]
    [InlineData("modules.json", "splade_pooling.SpladePooling", "x.Router", "only the transformer and SpladePooling")]
    [InlineData("1_SpladePooling/config.json", "\"max\"", "\"sum\"", "pooling_strategy")]
    [InlineData("1_SpladePooling/config.json", "\"relu\"", "\"log1p_relu\"", "activation_function")]
    [InlineData("config_sentence_transformers.json", "\"dot\"", "\"cosine\"", "similarity_fn_name")]
    [InlineData("modules.json", "1_SpladePooling", "../elsewhere", "name of a directory")]
    [InlineData("modules.json", "[", "{", "modules.json")]
    public void WhatCannotBeComputedIsRefusedByName(string file, string from, string to, string expected)
    {
        using var directory = new TemporaryDirectory();
        SentenceTransformersFiles.Write(directory.Path, RetrieverContract.Laconic(), Config);
        string path = Path.Combine(directory.Path, file), text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => SentenceTransformersFiles.Read(directory.Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AContractThatTheFilesCannotSayIsNotWritten()
    {
        using var directory = new TemporaryDirectory();
        foreach (RetrieverContract contract in new[]
        {
            RetrieverContract.Lion(RepresentationKind.Dense, Config),
            RetrieverContract.Lion(RepresentationKind.Sparse, Config),
            RetrieverContract.Laconic() with { HasTermBias = true },
        })
        {
            Assert.Throws<InvalidDataException>(() => SentenceTransformersFiles.Write(directory.Path, contract, Config));
            Assert.False(SentenceTransformersFiles.Exist(directory.Path));
        }
    }
}
