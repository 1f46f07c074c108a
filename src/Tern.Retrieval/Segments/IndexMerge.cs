namespace Tern.Retrieval;

/// <summary>
/// Indexes built apart, as one index of one segment. With float32 weights the 8-bit impacts are made anew from them, as if
/// all documents had been added to one builder; with 8-bit weights alone all must have one scale, since impacts of another scale
/// could only be guessed. Deleted documents are left out.
/// </summary>
public static class IndexMerge
{
    /// <summary>Returns the number of documents. The directory is a new one, or one whose index is replaced in the end.</summary>
    /// <exception cref="InvalidDataException">The indexes do not fit together, or one id is in two of them.</exception>
    public static int Write(string directory, IReadOnlyList<string> shards, bool reorder = false, Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfZero(shards.Count);
        var opened = new List<SegmentedIndex>();
        try
        {
            foreach (string shard in shards)
            {
                opened.Add(SegmentedIndex.Open(shard));
            }

            using var builder = new SegmentBuilder(directory, Settings(shards, opened));
            for (int s = 0; s < opened.Count; s++)
            {
                foreach (int docId in opened[s].Documents())
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    RequireUnique(shards, opened, s, docId);
                    builder.Add(opened[s].Document(docId));
                    progress?.Invoke(builder.DocumentCount);
                }
            }

            if (reorder)
            {
                builder.Reorder(cancellationToken);
            }

            builder.Complete();
            return builder.DocumentCount;
        }
        finally
        {
            opened.ForEach(index => index.Dispose());
        }
    }

    private static IndexSettings Settings(IReadOnlyList<string> shards, List<SegmentedIndex> opened)
    {
        IndexSettings settings = opened[0].Settings;
        for (int i = 0; i < opened.Count; i++)
        {
            SegmentedIndex index = opened[i];
            if (index.Views.Any(view => view.Segment.Sparse is { } sparse && (sparse.Words is not null || !sparse.HasForward)))
            {
                throw new InvalidDataException($"{shards[i]}: {(index.Views[0].Segment.Sparse!.Words is null ? "the index keeps no documents' vectors (a forward index), which merging needs; build it with them" : "BM25 indexes cannot be merged, since every weight depends on all documents; build one index")}");
            }

            if (settings.Differs(index.Settings) is { } difference)
            {
                throw new InvalidDataException($"{shards[i]}: cannot be merged with {shards[0]}: {difference}");
            }

            settings = settings with
            {
                ImpactScale = settings.ImpactScale != 0 ? settings.ImpactScale : index.Settings.ImpactScale,
                HasPayload = settings.HasPayload || index.Settings.HasPayload,
            };
        }

        return settings with { LargestWeight = 0 };
    }

    private static void RequireUnique(IReadOnlyList<string> shards, List<SegmentedIndex> opened, int shard, int docId)
    {
        string id = opened[shard].ExternalId(docId);
        for (int other = 0; other < shard; other++)
        {
            if (opened[other].TryFind(id, out _))
            {
                throw new InvalidDataException($"{shards[shard]}: document '{id}' is in {shards[other]} too; delete it from one of them");
            }
        }
    }
}
