using System.Text.Json.Nodes;
using Xunit;

namespace Tern.Model.Tests;

public sealed class LlamaConfigTests
{
    private const string Minimal = """
        {"model_type": "llama", "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 3, "num_attention_heads": 8, "vocab_size": 300}
        """;

    [Fact]
    public void AbsentKeysHaveTheLibrarysDefaults()
    {
        LlamaConfig config = Read(Minimal);

        Assert.Equal(new LlamaConfig { HiddenSize = 64, IntermediateSize = 160, LayerCount = 3, HeadCount = 8, KeyValueHeadCount = 8, HeadSize = 8, VocabularySize = 300, RmsNormEpsilon = 1e-6f }, config);
    }

    [Fact]
    public void OlderAndNewerShapesOfRopeScalingAgree()
    {
        const string Scaling = """ "rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192 """;

        LlamaConfig older = Read(With("rope_scaling", $"{{{Scaling}}}", "rope_theta", "500000.0"));
        LlamaConfig newer = Read(With("rope_parameters", $"{{{Scaling}, \"rope_theta\": 500000.0}}"));
        LlamaConfig oldest = Read(With("rope_scaling", $"{{{Scaling.Replace("rope_type", "type", StringComparison.Ordinal)}}}", "rope_theta", "500000.0"));

        Assert.Equal(new RopeScaling(32, 1, 4, 8192), older.RopeScaling);
        Assert.Equal(500000f, older.RopeTheta);
        Assert.Equal(older, newer);
        Assert.Equal(older, oldest);
    }

    [Fact]
    public void DefaultRopeParametersMeanNoScaling()
    {
        LlamaConfig config = Read(With("rope_parameters", """{"rope_type": "default", "rope_theta": 500000.0}"""));

        Assert.Null(config.RopeScaling);
        Assert.Equal(500000f, config.RopeTheta);
    }

    [Fact]
    public void OfSeveralEndTokensTheFirstCounts() => Assert.Equal(128001, Read(With("eos_token_id", "[128001, 128008]")).EosTokenId);

    [Theory]
    [InlineData("model_type", "\"mistral\"")]
    [InlineData("hidden_act", "\"gelu\"")]
    [InlineData("attention_bias", "true")]
    [InlineData("mlp_bias", "true")]
    [InlineData("rope_scaling", """{"rope_type": "yarn", "factor": 2.0}""", "rope_scaling.rope_type")]
    [InlineData("rope_scaling", """{"type": "linear", "factor": 2.0}""", "rope_scaling.type")]
    [InlineData("rope_scaling", """{"factor": 2.0}""", "rope_scaling.factor")]
    [InlineData("rope_scaling", """{"rope_type": "llama3", "factor": 2.0}""", "rope_scaling.low_freq_factor")]
    [InlineData("rope_parameters", """{"rope_type": "dynamic"}""", "rope_parameters.rope_type")]
    [InlineData("num_key_value_heads", "3")]
    [InlineData("head_dim", "7")]
    [InlineData("hidden_size", "null")]
    [InlineData("hidden_size", "1.5")]
    [InlineData("num_attention_heads", "0")]
    [InlineData("vocab_size", "-1")]
    [InlineData("num_hidden_layers", "5000")]
    [InlineData("num_hidden_layers", "2147483647")]
    [InlineData("head_dim", "16000000")]
    [InlineData("rope_theta", "\"big\"")]
    public void WhatCannotBeComputedIsRefusedByFileAndKey(string key, string json, string? named = null)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("config.json"), With(key, json));

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => LlamaConfig.Load(directory.Path));

        Assert.Contains(directory.File("config.json"), e.Message, StringComparison.Ordinal);
        Assert.Contains(named ?? key, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatIsNotJsonIsRefusedByFileAndLine()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("config.json"), "{\n\"hidden_size\": 64\n\"vocab_size\": 3}");

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => LlamaConfig.Load(directory.Path));

        Assert.Contains("config.json:3:", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingFileIsNamed()
    {
        using var directory = new TemporaryDirectory();

        FileNotFoundException e = Assert.Throws<FileNotFoundException>(() => LlamaConfig.Load(directory.File("absent")));

        Assert.Contains(directory.File("absent"), e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void SavedConfigReadsBackEqual(bool full)
    {
        using var directory = new TemporaryDirectory();
        var config = new LlamaConfig { HiddenSize = 64, IntermediateSize = 96, LayerCount = 2, HeadCount = 4, KeyValueHeadCount = 2, HeadSize = 24, VocabularySize = 99 };
        if (full)
        {
            config = config with { RmsNormEpsilon = 3e-6f, RopeTheta = 500000, RopeScaling = new RopeScaling(32, 1, 4, 8192), TieWordEmbeddings = true, MaxPositionCount = 17, BosTokenId = 5, EosTokenId = 6 };
        }

        config.Save(directory.Path);

        Assert.Equal(config, LlamaConfig.Load(directory.Path));
        Assert.Equal(["config.json"], Directory.GetFiles(directory.Path).Select(Path.GetFileName));
    }

    private static string With(params string[] keysAndValues)
    {
        JsonObject json = JsonNode.Parse(Minimal)!.AsObject();
        for (int i = 0; i < keysAndValues.Length; i += 2)
        {
            json[keysAndValues[i]] = JsonNode.Parse(keysAndValues[i + 1]);
        }

        return json.ToJsonString();
    }

    private static LlamaConfig Read(string json)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("config.json"), json);
        return LlamaConfig.Load(directory.Path);
    }
}
