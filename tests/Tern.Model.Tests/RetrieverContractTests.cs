using Xunit;

namespace Tern.Model.Tests;

public sealed class RetrieverContractTests
{
    private static readonly LlamaConfig OneBillion = new() { HiddenSize = 2048, IntermediateSize = 8192, LayerCount = 16, HeadCount = 32, KeyValueHeadCount = 8, HeadSize = 64, VocabularySize = 128256 };

    [Fact]
    public void LionIsThePapersContract()
    {
        RetrieverContract sparse = RetrieverContract.Lion(RepresentationKind.Sparse, OneBillion);

        Assert.Equal(0.14865089f, sparse.LogitScale, 1e-7f);
        Assert.True(sparse.AddBos);
        Assert.False(sparse.AddEos || sparse.Causal || sparse.HasTermBias);
        Assert.Equal((64, 192), (sparse.MaxQueryTokens, sparse.MaxDocumentTokens));
        Assert.Equal(("", ""), (sparse.QueryPrefix, sparse.DocumentPrefix));
        Assert.Equal(RepresentationKind.Dense, RetrieverContract.Lion(RepresentationKind.Dense, OneBillion).Kind);
    }

    [Fact]
    public void SavedContractReadsBackEqual()
    {
        using var directory = new TemporaryDirectory();
        var contract = new RetrieverContract
        {
            Kind = RepresentationKind.Dense, AddBos = false, AddEos = true, QueryPrefix = "query: ", DocumentPrefix = "é ", MaxQueryTokens = 5, MaxDocumentTokens = 6, DocumentTemplate = "{text}",
            Causal = true, LogitScale = 0.1f, HasTermBias = true, QueryTopTerms = 7, DocumentTopTerms = 8, Fingerprint = "ab", Golden = [new("t", true, [1, 2], [], [0.1f, -1e-7f])],
        };

        contract.Save(directory.Path);
        RetrieverContract read = RetrieverContract.Load(directory.Path);

        Assert.Contains("\"kind\": \"dense\"", File.ReadAllText(directory.File("retriever.json")), StringComparison.Ordinal);
        Assert.Equal(contract with { Golden = read.Golden }, read);
        GoldenVector golden = Assert.Single(read.Golden);
        Assert.Equal(("t", true), (golden.Text, golden.IsQuery));
        Assert.Equal([1, 2], golden.TokenIds);
        Assert.Equal([0.1f, -1e-7f], golden.Values);
    }

    [Fact]
    public void OnlyTheKindIsRequired()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("retriever.json"), """{"kind": "sparse"}""");

        RetrieverContract read = RetrieverContract.Load(directory.Path);

        Assert.Equal(new RetrieverContract { Kind = RepresentationKind.Sparse } with { Golden = read.Golden }, read);
        Assert.Empty(read.Golden);
    }

    [Theory]
    [InlineData("""{"kind": "sparse", "temperature": 2}""", "temperature")]
    [InlineData("""{"logit_scale": 1}""", "kind")]
    [InlineData("""{"kind": "both"}""", "kind")]
    [InlineData("""{"kind": "sparse", "logit_scale": 0}""", "logit_scale")]
    [InlineData("""{"kind": "sparse", "max_query_tokens": 0}""", "max_query_tokens")]
    [InlineData("""{"kind": "sparse", "query_prefix": null}""", "query_prefix")]
    [InlineData("""{"kind": "sparse", "kind": "dense"}""", "kind")]
    [InlineData("""{"kind": "sparse" """, "LineNumber: 0")]
    [InlineData("[]", "Object")]
    public void BadContractsAreRefusedByFileAndKey(string json, string named)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.File("retriever.json"), json);

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => RetrieverContract.Load(directory.Path));

        Assert.Contains("retriever.json", e.Message, StringComparison.Ordinal);
        Assert.Contains(named, e.Message, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void AMissingContractSaysHowToMakeOne()
    {
        using var directory = new TemporaryDirectory();

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => RetrieverContract.Load(directory.Path));

        Assert.Contains(directory.File("retriever.json"), e.Message, StringComparison.Ordinal);
        Assert.Contains("\"kind\": \"sparse\"", e.Message, StringComparison.Ordinal);
    }
}
