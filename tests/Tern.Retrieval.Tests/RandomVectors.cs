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
