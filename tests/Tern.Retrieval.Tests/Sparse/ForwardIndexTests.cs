using Xunit;

namespace Tern.Retrieval.Tests.Sparse;

/// <summary>Documents' vectors in the fewest bits: neighbouring ranks, and impacts that are all one.</summary>
public class ForwardIndexTests
{
    [Theory]
    [InlineData(ImpactPrecision.Byte)]
    [InlineData(ImpactPrecision.Float32)]
    public void GroupsWithoutBitsAreReadAndSearchedUnderAFilter(ImpactPrecision precision)
    {
        const int Terms = 40, Documents = 300;
        using var directory = new TemporaryDirectory();
        // All documents but the first hold the same terms, so that their ranks follow each other and gaps take no bits, and one least
        // weight each, an impact of one; the first makes the scale.
        SparseVector low = new([.. Enumerable.Range(0, Terms)], [.. Enumerable.Repeat(1f, Terms)]);
        SparseVector high = new([.. Enumerable.Range(0, Terms)], [.. Enumerable.Range(0, Terms).Select(term => term == 20 ? 255f : 1f)]);
        (string Id, SparseVector Vector)[] documents = [.. Enumerable.Range(0, Documents).Select(i => ($"d{i}", i == 0 ? high : low))];
        var builder = new SparseIndexBuilder(directory.Path, new SparseIndexOptions { VocabularySize = Terms, Precision = precision });
        Array.ForEach(documents, document => builder.Add(document.Id, document.Vector));
        builder.Complete();
        using SparseIndex index = SparseIndex.Open(directory.Path);
        var filter = new DocumentFilter(Documents);
        for (int i = 0; i < Documents; i++)
        {
            Assert.Equal(documents[i].Vector.Terms.ToArray(), index.Vector(i).Terms.ToArray());
            Assert.Equal(documents[i].Vector.Weights.ToArray(), index.Vector(i).Weights.ToArray());
            if (i % 3 == 1)
            {
                filter.Add(i);
            }
        }

        SparseVector query = new([3, 15, 16, 20, 39], [1f, 1f, 1f, 1f, 1f]);
        foreach (DocumentFilter? admitted in (DocumentFilter?[])[null, filter])
        {
            (string Id, float Score)[] expected = [.. NaiveSearch.TopK(documents.Where((_, i) => admitted?.Contains(i) ?? true).Select(d => (d.Id, NaiveSearch.FloatDot(query, d.Vector))), 120)];
            foreach (SearchAlgorithm algorithm in SearchAlgorithms.All)
            {
                Hit[] hits = index.Search(query, 120, new SparseSearchOptions { Algorithm = algorithm, Filter = admitted });
                Assert.Equal(expected.Select(hit => hit.Id), hits.Select(hit => index.ExternalId(hit.DocId)));
                Assert.All(hits.Zip(expected), pair => Assert.Equal(pair.Second.Score, pair.First.Score, 1e-4f));
                Explanation explanation = index.Explain(hits[0].DocId, query);
                Assert.Equal(hits[0].Score, explanation.Score, 1e-4f);
                Assert.Equal(5, explanation.Terms.Count);
            }
        }
    }
}
