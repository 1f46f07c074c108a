using System.Text;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;

namespace Tern.Benchmarks.Retrieval;

/// <summary>
/// Scores every document for every query as src/Tern.Retrieval/FORMAT.md says it, from the vectors and with nothing of the index:
/// by the sums of 8-bit impacts, and by float32 products added in the order of the query's terms.
/// </summary>
internal sealed class PlainScan
{
    private PlainScan(List<(string Id, float Score)>[] impacts, List<(string Id, float Score)>[] float32)
    {
        Impacts = impacts;
        Float32 = float32;
    }

    /// <summary>For each query its best documents, one more than were asked for.</summary>
    public List<(string Id, float Score)>[] Impacts { get; }

    public List<(string Id, float Score)>[] Float32 { get; }

    public static PlainScan Run(string documents, SparseVector[] queries, int k)
    {
        float largest = 0;
        foreach (SparseDocument document in SparseCsr.Read(documents))
        {
            foreach (float weight in document.Vector.Weights.Span)
            {
                largest = Math.Max(largest, weight);
            }
        }

        float documentScale = largest / 255;
        float[] queryScales = Array.ConvertAll(queries, q => q.Weights.ToArray().DefaultIfEmpty().Max() / 1023);
        // Which queries have a term, and with what weights: queries and documents both hold their terms in ascending order.
        var users = new Dictionary<int, List<(int Query, float Weight, long Quantized)>>();
        for (int q = 0; q < queries.Length; q++)
        {
            foreach ((int term, float weight) in queries[q].Terms.ToArray().Zip(queries[q].Weights.ToArray()))
            {
                users.TryAdd(term, []);
                users[term].Add((q, weight, Math.Clamp((long)Math.Round(weight / queryScales[q], MidpointRounding.AwayFromZero), 1, 1023)));
            }
        }

        var impacts = new BestDocuments(queries.Length, k + 1);
        var float32 = new BestDocuments(queries.Length, k + 1);
        var sums = new long[queries.Length];
        var floatSums = new float[queries.Length];
        foreach (SparseDocument document in SparseCsr.Read(documents))
        {
            Array.Clear(sums);
            Array.Clear(floatSums);
            ReadOnlySpan<int> terms = document.Vector.Terms.Span;
            ReadOnlySpan<float> weights = document.Vector.Weights.Span;
            for (int i = 0; i < terms.Length; i++)
            {
                if (users.TryGetValue(terms[i], out List<(int Query, float Weight, long Quantized)>? list))
                {
                    long impact = Math.Clamp((long)Math.Round(weights[i] / documentScale, MidpointRounding.AwayFromZero), 1, 255);
                    foreach ((int query, float weight, long quantized) in list)
                    {
                        sums[query] += impact * quantized;
                        floatSums[query] += weight * weights[i];
                    }
                }
            }

            for (int q = 0; q < queries.Length; q++)
            {
                if (sums[q] > 0)
                {
                    impacts.Add(q, document.Id, sums[q] * (queryScales[q] * documentScale));
                    float32.Add(q, document.Id, floatSums[q]);
                }
            }
        }

        return new PlainScan(impacts.Sorted(), float32.Sorted());
    }

    /// <summary>The best documents of each query by descending score, of equal scores by descending bytes of the id.</summary>
    private sealed class BestDocuments(int queryCount, int count)
    {
        private readonly List<(string Id, float Score)>[] _lists = [.. Enumerable.Range(0, queryCount).Select(_ => new List<(string, float)>())];
        private readonly float[] _least = new float[queryCount];

        public void Add(int query, string id, float score)
        {
            if (score < _least[query])
            {
                return;
            }

            List<(string Id, float Score)> list = _lists[query];
            list.Add((id, score));
            if (list.Count >= 4 * count)
            {
                Cut(query);
            }
        }

        public List<(string Id, float Score)>[] Sorted()
        {
            for (int query = 0; query < _lists.Length; query++)
            {
                Cut(query);
            }

            return _lists;
        }

        private void Cut(int query)
        {
            List<(string Id, float Score)> list = _lists[query];
            list.Sort((a, b) => a.Score != b.Score ? b.Score.CompareTo(a.Score) : Encoding.UTF8.GetBytes(b.Id).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(a.Id)));
            if (list.Count > count)
            {
                list.RemoveRange(count, list.Count - count);
                _least[query] = list[^1].Score;
            }
        }
    }
}
