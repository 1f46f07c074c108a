namespace Tern.Retrieval.Exchange;

/// <summary>What a look at every document, before anything is sent or written, found of a target's limits.</summary>
public sealed class LimitCheck
{
    private const int ShownIds = 3;

    private readonly SortedDictionary<string, (long Count, List<string> Ids)> _reasons = new(StringComparer.Ordinal);

    public long DocumentCount { get; private set; }

    public long RefusedCount { get; private set; }

    /// <summary>Documents whose sparse vector has no term: nothing will find them.</summary>
    public long EmptyCount { get; private set; }

    /// <summary>Reads all documents; <paramref name="refusal"/> says why one cannot go, or null.</summary>
    public static LimitCheck Of(IEnumerable<VectorDocument> documents, Func<VectorDocument, string?> refusal)
    {
        var check = new LimitCheck();
        foreach (VectorDocument document in documents)
        {
            check.DocumentCount++;
            check.EmptyCount += document.Sparse is { Count: 0 } ? 1 : 0;
            if (refusal(document) is { } reason)
            {
                check.Refuse(document.Id, reason);
            }
        }

        return check;
    }

    /// <summary>One sentence a reason, with how many documents and the first ids.</summary>
    public IEnumerable<string> Refusals() => _reasons.Select(pair =>
        $"{pair.Value.Count:N0} documents: {pair.Key} ({string.Join(", ", pair.Value.Ids.Select(id => $"'{Shorten(id)}'"))}{(pair.Value.Count > pair.Value.Ids.Count ? ", …" : "")})");

    private void Refuse(string id, string reason)
    {
        RefusedCount++;
        // Reasons differ by their numbers; past a hundred kinds the rest is one.
        string key = _reasons.ContainsKey(reason) || _reasons.Count < 100 ? reason : "other reasons";
        (long count, List<string> ids) = _reasons.TryGetValue(key, out (long Count, List<string> Ids) found) ? found : (0, []);
        if (ids.Count < ShownIds)
        {
            ids.Add(id);
        }

        _reasons[key] = (count + 1, ids);
    }

    private static string Shorten(string id) => id.Length <= 60 ? id : id[..60] + "…";
}
