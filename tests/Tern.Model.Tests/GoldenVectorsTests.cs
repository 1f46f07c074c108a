using Tern.Compute;
using Xunit;

namespace Tern.Model.Tests;

public sealed class GoldenVectorsTests
{
    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void AModelReproducesItsOwnVectors(RepresentationKind kind)
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        Save(backend, kind, directory.Path, trainable: false);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, directory.Path);

        SelfTestResult result = network.SelfTest();

        Assert.Equal(2, result.VectorCount);
        Assert.Equal(0, result.MaximalDeviation);
        Assert.Equal(["a query", "a document"], network.Contract.Golden.Select(g => g.Text));
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void ChangedWeightsAreRefused(RepresentationKind kind)
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        Save(backend, kind, directory.Path, trainable: false);
        byte[] bytes = File.ReadAllBytes(directory.File("model.safetensors"));
        bytes[^(96 * 4 + 2 + (5 * 4))] ^= 0x40; // the exponent of one weight of the final norm
        File.WriteAllBytes(directory.File("model.safetensors"), bytes);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, directory.Path);

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => network.SelfTest());

        Assert.Contains("a query", e.Message, StringComparison.Ordinal);
        Assert.NotEqual(network.Contract.Fingerprint, network.Weights.Fingerprint());
    }

    [Fact]
    public void ChangedSettingsAreRefused()
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        Save(backend, RepresentationKind.Sparse, directory.Path, trainable: false);
        foreach (Func<RetrieverContract, RetrieverContract> change in new Func<RetrieverContract, RetrieverContract>[] { c => c with { LogitScale = c.LogitScale * 1.01f }, c => c with { Causal = true } })
        {
            using var changed = new TemporaryDirectory();
            changed.CopyFrom(directory.Path);
            change(RetrieverContract.Load(changed.Path)).Save(changed.Path);
            using RetrieverNetwork network = RetrieverNetwork.Load(backend, changed.Path);

            Assert.Throws<InvalidDataException>(() => network.SelfTest());
        }
    }

    [Fact]
    public void ATermThatWasNotStoredIsNoticed()
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        Save(backend, RepresentationKind.Sparse, directory.Path, trainable: false);
        RetrieverContract contract = RetrieverContract.Load(directory.Path);
        GoldenVector golden = contract.Golden[0];
        (contract with { Golden = [golden with { Terms = [.. golden.Terms.Skip(1)], Values = [.. golden.Values.Skip(1)] }] }).Save(directory.Path);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, directory.Path);

        Assert.Throws<InvalidDataException>(() => network.SelfTest());
    }

    [Fact]
    public void SavingATrainedModelRenewsItsVectors()
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        Save(backend, RepresentationKind.Sparse, directory.Path, trainable: true);
        using (RetrieverNetwork network = RetrieverNetwork.Load(backend, directory.Path, trainable: true))
        {
            backend.Fill(0.5f, network.Weights.FinalNorm.Value);
            Assert.Throws<InvalidDataException>(() => network.SelfTest());
            network.Save(directory.Path);
        }

        using RetrieverNetwork saved = RetrieverNetwork.Load(backend, directory.Path);
        Assert.Equal(2, saved.SelfTest().VectorCount);
    }

    [Fact]
    public void AModelWithoutGoldenVectorsSaysSo()
    {
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, GoldenLlama.Directory);

        Assert.Equal(new SelfTestResult(0, 0), network.SelfTest());
    }

    private static void Save(IBackend backend, RepresentationKind kind, string directory, bool trainable)
    {
        RetrieverContract contract = RetrieverContract.Load(GoldenLlama.Directory) with { Kind = kind };
        using var network = new RetrieverNetwork(backend, LlamaWeights.Load(backend, GoldenLlama.Directory, trainable), contract);
        network.AddGolden("a query", true, [1, 5, 9]);
        network.AddGolden("a document", false, GoldenLlama.Tokens[..7]);
        network.Save(directory);
    }
}
