using Tern.Compute;
using Tern.Model;
using Tern.Pipelines.Demo;
using Tern.Retrieval;
using Tern.Text;
using Xunit;

namespace Tern.Pipelines.Tests.Demo;

public sealed class LexicalPathTests(DemoRun run) : IClassFixture<DemoRun>
{
    /// <summary>Maxima of single tokens' vectors against the network itself with its blocks bypassed.</summary>
    [Fact]
    public void ItGivesTheBitsOfTheNetworkWithItsBlocksBypassed()
    {
        var paths = new DemoPaths(Path.Combine(run.Root, "first"));
        Tokenizer tokenizer = Tokenizer.Load(paths.Tokenizer);
        string[] texts = [.. CorpusReader.Read(run.Data).Take(20).Select(d => d.Text), ""];
        using IBackend backend = Backends.Create("cpu");
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, paths.Model("sparse"));
        IReadOnlyList<SparseVector> lexical = new LexicalPath(network, tokenizer).Encode(texts, RetrievalSide.Document);

        using var model = new RetrieverModel(RetrieverNetwork.Load(backend, paths.Model("sparse")), tokenizer);
        IReadOnlyList<SparseVector> full = model.EncodeSparse(texts, RetrievalSide.Document);
        using RetrieverNetwork bypassed = RetrieverNetwork.Load(backend, paths.Model("sparse"));
        bypassed.BypassBlocks = true;
        using var oracle = new RetrieverModel(bypassed, tokenizer);
        IReadOnlyList<SparseVector> expected = oracle.EncodeSparse(texts, RetrievalSide.Document);
        for (int i = 0; i < texts.Length; i++)
        {
            Assert.Equal(expected[i].Terms.ToArray(), lexical[i].Terms.ToArray());
            Assert.Equal(expected[i].Weights.ToArray(), lexical[i].Weights.ToArray());
        }

        Assert.True(expected[0].Count > 0);
        Assert.NotEqual(full[0].Weights.ToArray(), lexical[0].Weights.ToArray());
    }
}
