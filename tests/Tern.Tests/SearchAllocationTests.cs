using Tern.Model;
using Tern.Retrieval;
using Tern.TestKit;
using Xunit;

namespace Tern.Tests;

/// <summary>From a text to the hits in the caller's span: nothing is allocated, for texts never seen before as well.</summary>
public sealed class SearchAllocationTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Theory]
    [InlineData(IndexKind.Sparse)]
    [InlineData(IndexKind.Dense)]
    [InlineData(IndexKind.Bm25)]
    public void SearchingAllocatesNothing(IndexKind kind)
    {
        using Retriever retriever = Open(kind);
        var random = new Random(1);
        var hits = new Hit[10];
        char[] text = new char[80];
        int found = 0;
        for (int warm = 0; warm < 30; warm++)
        {
            Search();
        }

        Assert.Equal(0, Allocations.Fewest(Search));
        Assert.True(found > 0);

        void Search()
        {
            for (int repeat = 0; repeat < 20; repeat++)
            {
                "golden horses and a mouse ".CopyTo(text);
                for (int i = 26; i < text.Length; i++)
                {
                    text[i] = "abcdefghijklmnopqrstuvwxyzéÜ東 .,-'0123456789"[random.Next(44)];
                }

                found += retriever.Search(text.AsSpan(0, random.Next(26, text.Length)), hits);
            }
        }
    }

    [Theory]
    [InlineData(IndexKind.Sparse)]
    [InlineData(IndexKind.Dense)]
    [InlineData(IndexKind.Bm25)]
    public async Task AllWaysToSearchFindTheSame(IndexKind kind)
    {
        using Retriever retriever = Open(kind);
        var hits = new Hit[7];
        foreach (string query in (string[])[.. TinyModel.Colors.Select(c => $"the {c} horse, a {c} river"), "", "quietly hurried horses"])
        {
            IReadOnlyList<SearchResult> expected = retriever.Search(query, 7);
            int count = retriever.Search(query, hits);
            Assert.Equal(expected.Select(r => (r.Id, r.Score)), hits.Take(count).Select(h => (retriever.ExternalId(h.DocId), h.Score)));
            Assert.Equal(expected.Select(r => (r.Id, r.Score)), (await retriever.SearchAsync(query, 7)).Select(r => (r.Id, r.Score)));
        }
    }

    public void Dispose() => _directory.Dispose();

    private Retriever Open(IndexKind kind)
    {
        if (kind == IndexKind.Bm25)
        {
            IndexWriter.WriteBm25(_directory["i"], TinyModel.Documents);
        }
        else
        {
            using var model = RetrieverModel.Load(TinyModel.Write(_directory["m"], kind == IndexKind.Sparse ? RepresentationKind.Sparse : RepresentationKind.Dense));
            IndexWriter.WriteLearned(_directory["i"], model, _directory["m"], TinyModel.Documents);
        }

        return Retriever.Open(_directory["i"], new RetrieverOptions { Model = new ModelOptions { Threads = 2 } });
    }
}
