namespace Tern.Retrieval.Tests.Sparse.Approximate;

/// <summary>Documents with lists of every kind and queries over them, in an index, and what plain code finds in them.</summary>
internal sealed class GradedCollection : IDisposable
{
    public const int DocumentCount = 9000;

    public const float LargestWeight = 4;

    private readonly TemporaryDirectory _directory = new();

    /// <param name="segmentCount">More than one: an index that was updated, with a few deleted documents.</param>
    public GradedCollection(ImpactPrecision precision, int segmentCount)
    {
        var random = new Random(77);
        Ids = RandomVectors.Ids(random, DocumentCount);
        Vectors = [.. Ids.Select((_, i) => RandomVectors.Graded(random, i / (double)DocumentCount, distinctWeights: 0))];
        Deleted = [.. Ids.Select(_ => segmentCount > 1 && random.Next(8) == 0)];
        Queries = [.. Enumerable.Range(0, 24).Select(_ => RandomVectors.Graded(random, random.NextDouble(), distinctWeights: 0)).Where(v => v.Count > 1)];
        Precision = precision;
        var settings = new IndexSettings { Kind = VectorKind.Sparse, Dimension = RandomVectors.GradedVocabularySize, Precision = precision, LargestWeight = LargestWeight };
        if (segmentCount == 1)
        {
            using var builder = new SegmentBuilder(Path, settings);
            for (int i = 0; i < DocumentCount; i++)
            {
                builder.Add(new IndexDocument(Ids[i]) { Sparse = Vectors[i] });
            }

            builder.Complete();
            return;
        }

        using var writer = SegmentedIndexWriter.Create(Path, settings, new SegmentedIndexWriterOptions { BackgroundMerge = false, LogByteCount = 64 << 20 });
        for (int i = 0; i < DocumentCount; i++)
        {
            writer.Upsert(new IndexDocument(Ids[i]) { Sparse = Vectors[i] });
            if ((i + 1) % (DocumentCount / segmentCount) == 0)
            {
                writer.Flush();
            }
        }

        foreach (string id in Ids.Where((_, i) => Deleted[i]))
        {
            writer.Delete(id);
        }

        writer.Commit();
    }

    public string Path => _directory.File("index");

    public ImpactPrecision Precision { get; }

    public string[] Ids { get; }

    public SparseVector[] Vectors { get; }

    public bool[] Deleted { get; }

    public SparseVector[] Queries { get; }

    /// <summary>The score of every document that shares a term, is not deleted and is admitted, by id.</summary>
    public Dictionary<string, float> Scores(SparseVector query, Func<string, bool>? admits = null)
    {
        var scores = new Dictionary<string, float>();
        for (int i = 0; i < DocumentCount; i++)
        {
            float score = Deleted[i] || admits?.Invoke(Ids[i]) == false ? 0
                : Precision == ImpactPrecision.Float32 ? NaiveSearch.FloatDot(query, Vectors[i])
                : NaiveSearch.QuantizedDot(query, Vectors[i], LargestWeight).Score;
            if (score > 0)
            {
                scores.Add(Ids[i], score);
            }
        }

        return scores;
    }

    public void Dispose() => _directory.Dispose();
}
