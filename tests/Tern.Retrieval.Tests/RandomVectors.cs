namespace Tern.Retrieval.Tests;

/// <summary>Seeded sparse vectors and ids that make ties: few distinct weights when asked, ids of several scripts and lengths.</summary>
internal static class RandomVectors
{
    public static SparseVector Vector(Random random, int vocabularySize, int maxCount, int distinctWeights = 0)
    {
        int count = random.Next(maxCount + 1);
        var terms = new SortedSet<int>();
        for (int i = 0; i < count; i++)
        {
            // Squared: low ids are frequent, high ids rare.
            double r = random.NextDouble();
            terms.Add((int)(r * r * vocabularySize));
        }

        return new SparseVector([.. terms], [.. terms.Select(_ => distinctWeights > 0 ? 1 + random.Next(distinctWeights) : (float)(0.01 + (3 * random.NextDouble())))]);
    }

    public const int GradedVocabularySize = 40;

    /// <summary>
    /// Term t occurs with a probability that falls from one to a few thousandths; the odd ones only in the half of the
    /// collection (<paramref name="place"/> 0..1) that their number says, more often there.
    /// </summary>
    public static SparseVector Graded(Random random, double place, int distinctWeights)
    {
        var terms = new List<int>();
        for (int term = 0; term < GradedVocabularySize; term++)
        {
            double probability = Math.Pow(0.86, term) * (term % 2 == 0 ? 1 : (term % 4 == 1) == (place < 0.5) ? 2 : 0);
            if (random.NextDouble() < probability)
            {
                terms.Add(term);
            }
        }

        return new SparseVector([.. terms], [.. terms.Select(_ => distinctWeights > 0 ? 1 + random.Next(distinctWeights) : (float)(0.01 + (3 * random.NextDouble())))]);
    }

    public static string[] Ids(Random random, int count)
    {
        string[] prefixes = ["d", "D", "é", "doc-", "😀", "z", "\uFF5E"];
        var ids = new HashSet<string>();
        while (ids.Count < count)
        {
            ids.Add(prefixes[random.Next(prefixes.Length)] + random.Next(10 * count));
        }

        return [.. ids];
    }
}
