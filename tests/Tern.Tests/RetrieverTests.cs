using Tern.Model;
using Tern.Retrieval;
using Xunit;

namespace Tern.Tests;

public sealed class RetrieverTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void SparseSearchRanksByInnerProduct()
    {
        using var model = RetrieverModel.Load(TinyModel.Write(_directory["m"], RepresentationKind.Sparse));
        IndexWriter.WriteLearned(_directory["i"], model, _directory["m"], TinyModel.Documents, new IndexWriterOptions { Precision = ImpactPrecision.Float32 });
        using var retriever = Retriever.Open(_directory["i"]);
        SparseVector query = model.EncodeSparse(["a golden horse"], RetrievalSide.Query)[0];
        IReadOnlyList<SparseVector> documents = model.EncodeSparse([.. TinyModel.Documents.Select(model.Contract.Compose)], RetrievalSide.Document);
        IReadOnlyList<SearchResult> hits = retriever.Search("a golden horse", 5);
        Assert.Equal(
            TinyModel.Documents.Select((d, i) => (d.Id, Score: (double)documents[i].Dot(query))).OrderByDescending(d => d.Score).Take(5).Select(d => d.Id),
            hits.Select(h => h.Id));
        Assert.All(hits, hit =>
        {
            Assert.InRange(hit.Terms.Sum(t => (double)t.Contribution), hit.Score * (1 - 1e-5), hit.Score * (1 + 1e-5));
            Assert.Equal(hit.Terms.Select(t => t.Contribution).OrderDescending(), hit.Terms.Select(t => t.Contribution));
        });
    }

    [Fact]
    public void DenseSearchRanksByInnerProduct()
    {
        using var model = RetrieverModel.Load(TinyModel.Write(_directory["m"], RepresentationKind.Dense));
        IndexWriter.WriteLearned(_directory["i"], model, _directory["m"], TinyModel.Documents);
        using var retriever = Retriever.Open(_directory["i"]);
        float[] query = model.EncodeDense(["a golden horse"], RetrievalSide.Query)[0];
        float[][] documents = model.EncodeDense([.. TinyModel.Documents.Select(model.Contract.Compose)], RetrievalSide.Document);
        double[] scores = [.. documents.Select(d => d.Zip(query, (a, b) => (double)a * b).Sum())];
        IReadOnlyList<SearchResult> hits = retriever.Search("a golden horse", 5);
        Assert.Equal(TinyModel.Documents.Select((d, i) => (d.Id, scores[i])).OrderByDescending(d => d.Item2).Take(5).Select(d => d.Id), hits.Select(h => h.Id));
        Assert.All(hits, hit => Assert.Empty(hit.Terms));
        Assert.Equal(hits[0].Score, retriever.Explain("a golden horse", hits[0].Id).Result.Score, 1e-5f);
    }

    [Fact]
    public void Bm25FindsTheDocumentWithTheWords()
    {
        IndexDescription description = IndexWriter.WriteBm25(_directory["i"], TinyModel.Documents);
        Assert.Equal(new IndexDescription(IndexKind.Bm25, TinyModel.Documents.Count, "", ""), description);
        using var retriever = Retriever.Open(_directory["i"]);
        SearchResult first = retriever.Search("Golden horses", 3)[0];
        Assert.Equal("golden-horse", first.Id);
        Assert.Equal(["golden", "hors"], first.Terms.Select(t => t.Text).Order());
        Assert.Equal("golden horse", first.Document!.Name);
        Assert.Null(retriever.Model);
    }

    [Theory]
    [InlineData(IndexKind.Sparse)]
    [InlineData(IndexKind.Dense)]
    [InlineData(IndexKind.Bm25)]
    public void ManyQueriesGiveWhatSingleOnesGive(IndexKind kind)
    {
        using Retriever retriever = Build(kind);
        string[] queries = [.. TinyModel.Colors.Select(c => $"the {c} mouse"), "", "river"];
        IReadOnlyList<IReadOnlyList<ScoredDocument>> all = retriever.SearchAll(queries, 7);
        for (int i = 0; i < queries.Length; i++)
        {
            Assert.Equal(retriever.Search(queries[i], 7).Select(h => new ScoredDocument(h.Id, h.Score)), all[i]);
        }
    }

    [Fact]
    public void ExplanationsPointIntoTheDocumentAndTellExpansions()
    {
        using Retriever retriever = Build(IndexKind.Sparse);
        QueryExplanation explanation = retriever.Explain("golden horse", "blue-cat");
        string text = explanation.Result.Document!.Text;
        Assert.Equal("blue cat The blue cat waits near the river, asleep.", text);
        Assert.NotEmpty(explanation.Result.Terms);
        Assert.Equal(explanation.Result.Terms.Count, explanation.Spans.Count);
        Assert.All(explanation.Spans, span => Assert.InRange(span!.Value.Start + span.Value.Length, 0, text.Length));
        RetrieverModel model = retriever.Model!;
        List<int> own = [];
        model.Tokenizer.Encode("golden horse", model.Contract.TokenizationFor(RetrievalSide.Query), own);
        string[] ownTexts = [.. own.Select(model.Tokenizer.TokenText)];
        Assert.All(explanation.QueryTerms, term => Assert.Equal(!ownTexts.Contains(term.Text), term.IsExpansion));
        Assert.Contains(explanation.QueryTerms, term => term.IsExpansion);
        Assert.Contains(explanation.QueryTerms, term => !term.IsExpansion);
        Assert.Contains("no document 'pink-cat'", Assert.Throws<ArgumentException>(() => retriever.Explain("x", "pink-cat")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnIndexOfAnotherModelIsRefused()
    {
        Build(IndexKind.Sparse).Dispose();
        TinyModel.Write(_directory["m"], RepresentationKind.Sparse, seed: 2);
        string message = Assert.Throws<InvalidDataException>(() => Retriever.Open(_directory["i"])).Message;
        Assert.Contains("built with another model", message, StringComparison.Ordinal);
        using var other = RetrieverModel.Load(_directory["m"]);
        Assert.Throws<InvalidDataException>(() => Retriever.Open(_directory["i"], other));
    }

    [Fact]
    public void AMovedModelIsFoundWhereOneSays()
    {
        Build(IndexKind.Sparse).Dispose();
        Directory.Move(_directory["m"], _directory["moved"]);
        Assert.Contains("--model", Assert.Throws<DirectoryNotFoundException>(() => Retriever.Open(_directory["i"])).Message, StringComparison.Ordinal);
        using var retriever = Retriever.Open(_directory["i"], new RetrieverOptions { ModelDirectory = _directory["moved"] });
        Assert.NotEmpty(retriever.Search("horse"));
    }

    [Fact]
    public void ModelAndIndexMoveTogether()
    {
        Directory.CreateDirectory(_directory["work"]);
        string model = TinyModel.Write(Path.Combine(_directory["work"], "m"), RepresentationKind.Sparse);
        using (var loaded = RetrieverModel.Load(model))
        {
            IndexWriter.WriteLearned(Path.Combine(_directory["work"], "i"), loaded, model, TinyModel.Documents);
        }

        Directory.Move(_directory["work"], _directory["elsewhere"]);
        using var retriever = Retriever.Open(Path.Combine(_directory["elsewhere"], "i"));
        Assert.NotEmpty(retriever.Search("horse"));
    }

    [Fact]
    public void AFailingCorpusLeavesNoIndex()
    {
        Assert.Throws<InvalidDataException>(() => IndexWriter.WriteBm25(_directory["i"], TinyModel.Documents.Select((d, i) => i < 20 ? d : throw new InvalidDataException("line 21"))));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void LessThanOneHitIsRefused()
    {
        using Retriever retriever = Build(IndexKind.Bm25);
        Assert.Throws<ArgumentOutOfRangeException>(() => retriever.Search("x", 0));
    }

    public void Dispose() => _directory.Dispose();

    private Retriever Build(IndexKind kind)
    {
        if (kind == IndexKind.Bm25)
        {
            IndexWriter.WriteBm25(_directory["i"], TinyModel.Documents);
        }
        else
        {
            TinyModel.Write(_directory["m"], kind == IndexKind.Sparse ? RepresentationKind.Sparse : RepresentationKind.Dense);
            using var model = RetrieverModel.Load(_directory["m"]);
            IndexWriter.WriteLearned(_directory["i"], model, _directory["m"], TinyModel.Documents);
        }

        return Retriever.Open(_directory["i"]);
    }
}
