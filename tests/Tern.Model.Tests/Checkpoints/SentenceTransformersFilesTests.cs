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
    [InlineData("modules.json", "splade_pooling.SpladePooling", "x.Router", "only the transformer, SpladePooling, Pooling")]
    [InlineData("modules.json", "splade_pooling.SpladePooling", "x.Normalize", "only the transformer, SpladePooling, Pooling")]
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

    [Theory]
    [InlineData(DensePooling.Mean, true)]
    [InlineData(DensePooling.MeanSqrtLength, false)]
    [InlineData(DensePooling.WeightedMean, false)]
    [InlineData(DensePooling.LastToken, true)]
    [InlineData(DensePooling.FirstToken, false)]
    public void ADensePoolingReadsBack(DensePooling pooling, bool normalize)
    {
        using var directory = new TemporaryDirectory();
        WriteDense(directory, pooling, normalize);
        RetrieverContract read = SentenceTransformersFiles.Read(directory.Path);
        Assert.Equal((RepresentationKind.Dense, pooling, normalize, true, 96), (read.Kind, read.Pooling, read.NormalizeVectors, read.Causal, read.MaxDocumentTokens));

        // Newer files have one word in place of the switches, and a config may say that a model sees both ways.
        string word = pooling switch { DensePooling.FirstToken => "cls", DensePooling.Mean => "mean", DensePooling.MeanSqrtLength => "mean_sqrt_len_tokens", DensePooling.WeightedMean => "weightedmean", _ => "lasttoken" };
        File.WriteAllText(Path.Combine(directory.Path, "1_Pooling", "config.json"), $"{{\"embedding_dimension\": 64, \"pooling_mode\": \"{word}\", \"include_prompt\": true}}");
        File.WriteAllText(Path.Combine(directory.Path, "config.json"), "{\"is_causal\": false}");
        RetrieverContract newer = SentenceTransformersFiles.Read(directory.Path);
        Assert.Equal((pooling, false), (newer.Pooling, newer.Causal));
    }

    [Theory]
    [InlineData("1_Pooling/config.json", "\"pooling_mode_mean_tokens\": true", "\"pooling_mode_mean_tokens\": false", "0 of the pooling_mode_ switches")]
    [InlineData("1_Pooling/config.json", "\"pooling_mode_cls_token\": false", "\"pooling_mode_cls_token\": true", "2 of the pooling_mode_ switches")]
    [InlineData("1_Pooling/config.json", "\"pooling_mode_max_tokens\": false", "\"pooling_mode_max_tokens\": true", "pooling_mode_max_tokens is true")]
    [InlineData("1_Pooling/config.json", "\"include_prompt\": true", "\"include_prompt\": false", "include_prompt")]
    [InlineData("1_Pooling/config.json", "\"include_prompt\": true", "\"pooling_mode\": \"max\"", "pooling_mode is \"max\"")]
    [InlineData("config_sentence_transformers.json", "\"dot\"", "\"euclidean\"", "similarity_fn_name")]
    public void ADensePoolingThatIsNotComputedIsRefusedByName(string file, string from, string to, string expected)
    {
        using var directory = new TemporaryDirectory();
        WriteDense(directory, DensePooling.Mean, normalize: false);
        string path = Path.Combine(directory.Path, file), text = File.ReadAllText(path);
        Assert.Contains(from, text, StringComparison.Ordinal);
        File.WriteAllText(path, text.Replace(from, to, StringComparison.Ordinal));
        Assert.Contains(expected, Assert.Throws<InvalidDataException>(() => SentenceTransformersFiles.Read(directory.Path)).Message, StringComparison.Ordinal);
    }

    /// <summary>Cosines, which are the default, are dot products of vectors of length 1; what stands around a text is the tokenizer's.</summary>
    [Fact]
    public void CosinesAndTheTokenizersTemplateAreHonoured()
    {
        using var directory = new TemporaryDirectory();
        WriteDense(directory, DensePooling.LastToken, normalize: false);
        string prompts = Path.Combine(directory.Path, "config_sentence_transformers.json");
        File.WriteAllText(prompts, File.ReadAllText(prompts).Replace("\"dot\"", "\"cosine\"", StringComparison.Ordinal));
        File.WriteAllText(Path.Combine(directory.Path, "tokenizer.json"), """{"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A"}}, {"SpecialToken": {"id": "</s>"}}]}]}}""");
        RetrieverContract read = SentenceTransformersFiles.Read(directory.Path);
        Assert.Equal((true, false, true), (read.NormalizeVectors, read.AddBos, read.AddEos));
        File.WriteAllText(Path.Combine(directory.Path, "tokenizer.json"), """{"post_processor": null}""");
        Assert.Equal((false, false), (SentenceTransformersFiles.Read(directory.Path).AddBos, SentenceTransformersFiles.Read(directory.Path).AddEos));
        File.Delete(prompts);
        Assert.True(SentenceTransformersFiles.Read(directory.Path).NormalizeVectors);
    }

    private static void WriteDense(TemporaryDirectory directory, DensePooling pooling, bool normalize)
    {
        SentenceTransformersFiles.Write(directory.Path, new RetrieverContract { Kind = RepresentationKind.Dense, Causal = true, Pooling = pooling, NormalizeVectors = normalize, MaxQueryTokens = 96, MaxDocumentTokens = 96 }, Config);
        File.WriteAllText(Path.Combine(directory.Path, "config.json"), "{}");
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
            new RetrieverContract { Kind = RepresentationKind.Dense, Pooling = DensePooling.Mean },
        })
        {
            Assert.Throws<InvalidDataException>(() => SentenceTransformersFiles.Write(directory.Path, contract, Config));
            Assert.False(SentenceTransformersFiles.Exist(directory.Path));
        }
    }
}
