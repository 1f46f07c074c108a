namespace Tern;

/// <summary>Groups texts of similar length, so that a batch is bounded in tokens and the largest one comes first.</summary>
internal static class BatchPlan
{
    /// <summary>Indices into <paramref name="lengths"/>, each exactly once; a text longer than the bound is a batch of its own.</summary>
    public static IEnumerable<int[]> ByLength(IReadOnlyList<int> lengths, int maxTokens, int maxTexts)
    {
        int[] order = [.. Enumerable.Range(0, lengths.Count).OrderByDescending(i => lengths[i]).ThenBy(i => i)];
        int start = 0;
        while (start < order.Length)
        {
            int end = start + 1;
            int tokens = lengths[order[start]];
            while (end < order.Length && end - start < maxTexts && tokens + lengths[order[end]] <= maxTokens)
            {
                tokens += lengths[order[end++]];
            }

            yield return order[start..end];
            start = end;
        }
    }
}
