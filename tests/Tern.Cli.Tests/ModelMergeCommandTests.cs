using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.TestKit;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class ModelMergeCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private string Base => _directory["base"];

    private string Adapter => _directory["adapter"];

    private string Target => _directory["merged"];

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void AMergedModelEncodesOtherwiseThanItsBase()
    {
        Prepare();
        Assert.Equal(0, Cli.Run("model", "merge", "--adapter", Adapter, "--contract", "laconic", Target).ExitCode);
        using RetrieverModel before = RetrieverModel.Load(Base), after = RetrieverModel.Load(Target);
        Assert.Equal("query: ", after.Contract.QueryPrefix);
        Assert.False(after.Contract.AddBos);
        Assert.NotEqual(before.EncodeSparse(["a text"], RetrievalSide.Document)[0].Weights.ToArray(), after.EncodeSparse(["a text"], RetrievalSide.Document)[0].Weights.ToArray());
        Assert.Equal(2, Cli.Run("model", "merge", "--adapter", Adapter, Target).ExitCode); // is there already
    }

    [Fact]
    public void WhatIsMissingIsSaidAndNothingIsLeft()
    {
        Prepare();
        File.Delete(Path.Combine(Base, RetrieverContract.FileName));
        CliResult without = Cli.Run("model", "merge", "--adapter", Adapter, Target);
        Assert.Equal(2, without.ExitCode);
        Assert.Contains("--contract", without.Error, StringComparison.Ordinal);

        File.WriteAllText(Path.Combine(Adapter, LoraAdapter.TorchName), "PK but no zip");
        CliResult damaged = Cli.Run("model", "merge", "--adapter", Adapter, "--contract", "lion-sparse", Target);
        Assert.Equal(3, damaged.ExitCode);
        Assert.Contains(LoraAdapter.TorchName, damaged.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Target));
    }

    private void Prepare()
    {
        Assert.Equal(0, Cli.Run("model", "random", "--like", "tiny", "--dtype", "f32", Base).ExitCode);
        Directory.CreateDirectory(Adapter);
        File.WriteAllText(Path.Combine(Adapter, AdapterConfig.FileName), """{"peft_type": "LORA", "base_model_name_or_path": "../base", "r": 2, "lora_alpha": 4}""");
        LlamaConfig config = LlamaShapes.All["tiny"];
        new TorchFileWriter()
            .Add("base_model.model.model.layers.0.self_attn.v_proj.lora_A.weight", TestValues.Normal(2 * config.HiddenSize, 1), [2, config.HiddenSize])
            .Add("base_model.model.model.layers.0.self_attn.v_proj.lora_B.weight", TestValues.Normal(2 * config.KeyValueHeadCount * config.HeadSize, 2), [config.KeyValueHeadCount * config.HeadSize, 2])
            .Save(Path.Combine(Adapter, LoraAdapter.TorchName));
    }
}
