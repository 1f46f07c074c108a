using System.Text;

namespace Tern.Retrieval.Tests;

/// <summary>The oracle: scores every document in double or integer arithmetic and sorts the whole list.</summary>
internal static class NaiveSearch
{
    /// <summary>All positive scores under the total order, cut at k.</summary>
    public static List<(string Id, float Score)> TopK(IEnumerable<(string Id, float Score)> scored, int k) =>
        [.. scored.OrderByDescending(d => d.Score).ThenByDescending(d => Encoding.UTF8.GetBytes(d.Id), Comparer<byte[]>.Create(CompareBytes)).Take(k)];

    /// <summary>What a float32 scan adds up: products in the order of the query's terms.</summary>
    public static float FloatDot(SparseVector query, SparseVector document)
    {
        float sum = 0f;
        for (int i = 0; i < query.Count; i++)
        {
            sum += query.Weights.Span[i] * document[query.Terms.Span[i]];
        }

        return sum;
    }

    /// <summary>Integer scoring as FORMAT.md says it, written from the text and not from the code.</summary>
    public static (long Sum, float Score) QuantizedDot(SparseVector query, SparseVector document, float largestDocumentWeight)
    {
        float documentScale = largestDocumentWeight / 255;
        float queryScale = query.Weights.ToArray().Max() / 1023;
        long sum = 0;
        foreach ((int term, float weight) in query.Terms.ToArray().Zip(query.Weights.ToArray()))
        {
            if (document[term] > 0)
            {
                long impact = Math.Clamp((long)Math.Round(document[term] / documentScale, MidpointRounding.AwayFromZero), 1, 255);
                long quantized = Math.Clamp((long)Math.Round(weight / queryScale, MidpointRounding.AwayFromZero), 1, 1023);
                sum += impact * quantized;
            }
        }

        return (sum, sum * (queryScale * documentScale));
    }

    private static int CompareBytes(byte[]? a, byte[]? b)
    {
        for (int i = 0; i < Math.Min(a!.Length, b!.Length); i++)
        {
            if (a[i] != b[i])
            {
                return a[i] - b[i];
            }
        }

        return a.Length - b!.Length;
    }
}
