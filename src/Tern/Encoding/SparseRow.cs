using Tern.Retrieval;

namespace Tern;

/// <summary>The positive entries of a dense row as terms and weights, without allocating.</summary>
internal static class SparseRow
{
    /// <summary>
    /// Writes the heaviest positive entries, at most <paramref name="top"/> (0: no limit) and as many as fit, in ascending
    /// order of term, and returns how many: what <see cref="SparseVector.FromDense"/> keeps. NaN and infinity are refused.
    /// </summary>
    public static int Select(ReadOnlySpan<float> row, int top, TopKQueue heaviest, Span<int> terms, Span<float> weights)
    {
        int limit = Math.Min(terms.Length, weights.Length);
        limit = top > 0 ? Math.Min(top, limit) : limit;
        int count = 0;
        foreach (float weight in row)
        {
            count += weight > 0f ? 1 : 0;
            if (!float.IsFinite(weight))
            {
                throw new ArgumentException($"the dense row holds {weight}", nameof(row));
            }
        }

        if (count > limit)
        {
            return SelectHeaviest(row, limit, heaviest, terms, weights);
        }

        int next = 0;
        for (int term = 0; term < row.Length; term++)
        {
            if (row[term] > 0f)
            {
                terms[next] = term;
                weights[next++] = row[term];
            }
        }

        return count;
    }

    // Of equal weights the smaller term stays: it has the larger rank.
    private static int SelectHeaviest(ReadOnlySpan<float> row, int limit, TopKQueue heaviest, Span<int> terms, Span<float> weights)
    {
        heaviest.Reset(limit);
        for (int term = 0; term < row.Length; term++)
        {
            if (row[term] > 0f)
            {
                heaviest.Push(row[term], row.Length - term);
            }
        }

        int count = heaviest.Drain(weights, terms);
        for (int i = 0; i < count; i++)
        {
            terms[i] = row.Length - terms[i];
        }

        terms[..count].Sort(weights[..count]);
        return count;
    }
}
