using System.Text;
using Xunit;

namespace Tern.Retrieval.Tests.Segments;

/// <summary>
/// The oracle of an updatable index: the documents of every commit in plain dictionaries, changed at random by a seed, and a
/// scan over them.
/// </summary>
internal sealed class ChangedDocuments(IndexSettings settings, int seed, int idCount = 30)
{
    private readonly Random _random = new(seed);
    private readonly List<Dictionary<string, IndexDocument>> _commits = [[]];

    /// <summary>By number of the commit.</summary>
    public IReadOnlyList<IReadOnlyDictionary<string, IndexDocument>> Commits => _commits;

    public static IndexSettings Sparse(ImpactPrecision precision = ImpactPrecision.Byte) => new()
    {
        Kind = VectorKind.Sparse,
        Dimension = 24,
        Precision = precision,
        Fingerprint = "model",
        HasPayload = true,
        Fields = [new FieldDefinition("year", FieldKind.Number), new FieldDefinition("lang", FieldKind.String)],
        LargestWeight = 4,
    };

    public static IndexSettings Dense(DenseScan scan = DenseScan.Int8) => new() { Kind = VectorKind.Dense, Dimension = 6, Scan = scan, HasPayload = true };

    /// <summary>A few upserts and deletes, in the oracle's next commit and in the writer; the writer still has to commit.</summary>
    public void Change(SegmentedIndexWriter writer, int count)
    {
        var documents = new Dictionary<string, IndexDocument>(_commits[^1]);
        for (int i = 0; i < count; i++)
        {
            string id = $"d{_random.Next(idCount)}";
            if (_random.Next(4) == 0)
            {
                Assert.Equal(documents.Remove(id), writer.Delete(id));
            }
            else
            {
                documents[id] = Document(id);
                writer.Upsert(documents[id]);
            }
        }

        // So that every commit changes something.
        documents["last"] = Document("last");
        writer.Upsert(documents["last"]);
        _commits.Add(documents);
    }

    public IndexDocument Document(string id)
    {
        var document = new IndexDocument(id);
        if (settings.HasPayload)
        {
            document = document with { Payload = Encoding.UTF8.GetBytes($"{id} {_random.Next(1000)}") };
        }

        if (settings.Fields.Count > 0)
        {
            var fields = new Dictionary<string, FieldValue> { ["year"] = FieldValue.Of(2000.0 + _random.Next(30)) };
            if (_random.Next(3) > 0)
            {
                fields["lang"] = FieldValue.Of(((string[])["en", "de", "fr"])[_random.Next(3)]);
            }

            document = document with { Fields = fields };
        }

        // Few weights, so that scores are often equal and ids decide.
        return settings.Kind == VectorKind.Sparse
            ? document with { Sparse = RandomVectors.Vector(_random, settings.Dimension, 8, distinctWeights: 4) }
            : document with { Dense = Enumerable.Range(0, settings.Dimension).Select(_ => (float)_random.Next(-3, 4)).ToArray() };
    }

    /// <summary>Every document, its payload and fields, and the answers to some queries are those of the oracle's commit.</summary>
    public void RequireEqual(SegmentedIndex index, long commit)
    {
        IReadOnlyDictionary<string, IndexDocument> expected = _commits[(int)commit];
        Assert.Equal(expected.Count, index.DocumentCount);
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), index.Documents().Select(index.ExternalId).Order(StringComparer.Ordinal));
        foreach (IndexDocument document in expected.Values)
        {
            Assert.True(index.TryFind(document.Id, out int docId));
            Assert.True(document.Payload.Span.SequenceEqual(index.Payload(docId)), $"payload of {document.Id}");
            IndexDocument stored = index.Document(docId);
            Assert.Equal(document.Fields.OrderBy(f => f.Key), stored.Fields.OrderBy(f => f.Key));
            Assert.Equal(document.Sparse?.Terms.ToArray(), stored.Sparse?.Terms.ToArray());
            Assert.Equal(document.Dense.ToArray(), stored.Dense.ToArray());
        }

        for (int i = 0; i < 3; i++)
        {
            RequireAnswer(index, expected.Values, 1 + (4 * i), null);
        }

        if (settings.Fields.Count > 0)
        {
            DocumentFilter filter = index.Filter("year >= 2010 and not lang = en");
            RequireAnswer(index, expected.Values.Where(d => double.Parse(d.Fields["year"].ToString()) >= 2010 && !(d.Fields.TryGetValue("lang", out FieldValue lang) && lang.ToString() == "en")), 5, filter);
        }
    }

    private void RequireAnswer(SegmentedIndex index, IEnumerable<IndexDocument> documents, int k, DocumentFilter? filter)
    {
        List<(string Id, float Score)> expected;
        Hit[] hits;
        if (settings.Kind == VectorKind.Sparse)
        {
            SparseVector query = RandomVectors.Vector(_random, settings.Dimension, 6, distinctWeights: 3);
            hits = index.Search(query, k, new SparseSearchOptions { Filter = filter });
            expected = query.Count == 0 ? [] : NaiveSearch.TopK(documents.Select(d => (d.Id, settings.Precision == ImpactPrecision.Float32 ? NaiveSearch.FloatDot(query, d.Sparse!) : NaiveSearch.QuantizedDot(query, d.Sparse!, settings.LargestWeight).Score)).Where(d => d.Item2 > 0), k);
        }
        else
        {
            float[] query = [.. Enumerable.Range(0, settings.Dimension).Select(_ => (float)_random.Next(-3, 4))];
            hits = index.Search(query, k, filter);
            expected = NaiveSearch.TopK(documents.Select(d => (d.Id, d.Dense.ToArray().Zip(query, (a, b) => a * b).Sum())), k);
        }

        Assert.Equal(expected, hits.Select(hit => (index.ExternalId(hit.DocId), hit.Score)));
    }
}
