namespace Tern.Retrieval;

/// <summary>
/// Which segments to merge: a tier, of sizes within one ratio, that holds too many; else one that is mostly deleted. So a
/// document is rewritten about log(documents) times, and there are about as many segments as tiers times the ratio.
/// </summary>
internal static class MergePolicy
{
    // Smaller ones are of one tier: what a log holds.
    private const int SmallestTier = 1000;

    public static IReadOnlyList<int> Choose(IReadOnlyList<(Segment Segment, DeletedDocuments Deleted)> segments, int segmentsPerTier)
    {
        var tiers = new SortedDictionary<int, List<int>>();
        for (int i = 0; i < segments.Count; i++)
        {
            int tier = (int)Math.Log(Math.Max(1, segments[i].Deleted.LiveCount / (double)SmallestTier), segmentsPerTier);
            if (!tiers.TryGetValue(tier, out List<int>? members))
            {
                tiers.Add(tier, members = []);
            }

            members.Add(i);
        }

        foreach (List<int> members in tiers.Values)
        {
            if (members.Count >= segmentsPerTier)
            {
                return members;
            }
        }

        for (int i = 0; i < segments.Count; i++)
        {
            if (segments[i].Deleted.Count > segments[i].Deleted.LiveCount)
            {
                return [i];
            }
        }

        return [];
    }
}
