namespace Tern.Retrieval;

/// <summary>Joins the hits of segments into those that one segment would give: by score, then by id bytes, both descending.</summary>
internal static class HitMerge
{
    /// <summary>
    /// Puts the best of both lists, which are in order, into <paramref name="best"/>, as many as fit it, and returns how many
    /// there are. <paramref name="scratch"/> is as long.
    /// </summary>
    public static int Into(Span<Hit> best, int bestCount, ReadOnlySpan<Hit> found, Span<Hit> scratch, SegmentedIndex index)
    {
        if (bestCount == 0)
        {
            found.CopyTo(best);
            return found.Length;
        }

        int count = Math.Min(best.Length, bestCount + found.Length);
        for (int i = 0, a = 0, b = 0; i < count; i++)
        {
            scratch[i] = b == found.Length || (a < bestCount && IsBefore(best[a], found[b], index)) ? best[a++] : found[b++];
        }

        scratch[..count].CopyTo(best);
        return count;
    }

    private static bool IsBefore(Hit a, Hit b, SegmentedIndex index) =>
        a.Score != b.Score ? a.Score > b.Score : index.IdBytes(a.DocId).SequenceCompareTo(index.IdBytes(b.DocId)) > 0;
}
