using System.Globalization;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using Tern.Retrieval;

namespace Tern.Cli.Benches;

/// <summary>
/// Changes of an index that a seed determines, commit by commit, and what the index holds after each: every document's
/// vector, payload and fields follow from its id and its version, which the payload tells.
/// </summary>
internal sealed class UpdateSequence(int seed, int idCount, int changesPerCommit)
{
    private const int Dimension = 64;
    private const int TermsPerDocument = 8;

    private readonly Random _random = new(seed);
    private readonly Dictionary<int, int> _versions = [];
    private ulong _hash;

    public static IndexSettings Settings => new() { Kind = VectorKind.Sparse, Dimension = Dimension, HasPayload = true, LargestWeight = 8, Fields = [new FieldDefinition("version", FieldKind.Number)] };

    public long Commit { get; private set; }

    public long OperationCount { get; private set; }

    /// <summary>Of all documents and their versions, whatever their order.</summary>
    public ulong Hash => _hash;

    /// <summary>Makes the changes of the next commit, in a writer too where one is given.</summary>
    public void Next(SegmentedIndexWriter? writer)
    {
        for (int i = 0; i < changesPerCommit; i++)
        {
            int id = _random.Next(idCount);
            bool isThere = _versions.Remove(id, out int version);
            _hash ^= isThere ? HashOf(id, version) : 0;
            // The first change of a commit is never a deletion, so that each commit changes something.
            if (i > 0 && isThere && _random.Next(3) == 0)
            {
                writer?.Delete(Name(id));
            }
            else
            {
                version = (int)OperationCount;
                _versions.Add(id, version);
                _hash ^= HashOf(id, version);
                writer?.Upsert(Document(id, version));
            }

            OperationCount++;
        }

        Commit++;
    }

    /// <summary>What an index holds, as <see cref="Hash"/>; throws where a document is not what its id and version make it.</summary>
    public static ulong HashOf(SegmentedIndex index)
    {
        ulong hash = 0;
        foreach (int docId in index.Documents())
        {
            hash ^= HashOf(IdOf(index.ExternalId(docId)), VersionOf(index, docId));
        }

        return hash;
    }

    /// <summary>Whether a search gives what a scan over the index's own documents, each made anew, gives.</summary>
    public static bool IsAnsweredExactly(SegmentedIndex index, Random random, int k)
    {
        SparseVector query = Vector(random, 5);
        var expected = new List<(float Score, string Id)>();
        float queryScale = query.Weights.ToArray().Max() / 1023;
        float impactScale = Settings.LargestWeight / 255;
        bool filtered = random.Next(2) == 0;
        int least = random.Next(100_000);
        foreach (int docId in index.Documents())
        {
            string id = index.ExternalId(docId);
            int version = VersionOf(index, docId);
            SparseVector document = Document(IdOf(id), version).Sparse!;
            long sum = 0;
            for (int i = 0; i < query.Count; i++)
            {
                float weight = document[query.Terms.Span[i]];
                sum += weight == 0f ? 0 : (long)Math.Clamp(MathF.Round(query.Weights.Span[i] / queryScale, MidpointRounding.AwayFromZero), 1, 1023) * Math.Clamp((int)((weight / impactScale) + 0.5f), 1, 255);
            }

            if (sum > 0 && (!filtered || version >= least))
            {
                expected.Add((sum * (queryScale * impactScale), id));
            }
        }

        // Ids are ASCII, whose order is that of their bytes.
        expected.Sort((a, b) => a.Score != b.Score ? b.Score.CompareTo(a.Score) : string.CompareOrdinal(b.Id, a.Id));
        DocumentFilter? filter = filtered ? index.Filter(string.Create(CultureInfo.InvariantCulture, $"version >= {least}")) : null;
        Hit[] hits = index.Search(query, k, new SparseSearchOptions { Filter = filter });
        return hits.Select(hit => (hit.Score, index.ExternalId(hit.DocId))).SequenceEqual(expected.Take(k));
    }

    private static IndexDocument Document(int id, int version) => new(Name(id))
    {
        Sparse = Vector(new Random(HashCode(id, version)), TermsPerDocument),
        Payload = Encoding.UTF8.GetBytes(version.ToString(CultureInfo.InvariantCulture)),
        Fields = new Dictionary<string, FieldValue> { ["version"] = FieldValue.Of((double)version) },
    };

    // Whole weights, so that many scores are equal.
    private static SparseVector Vector(Random random, int count)
    {
        var terms = new SortedSet<int>();
        while (terms.Count < count)
        {
            double r = random.NextDouble();
            terms.Add((int)(r * r * Dimension));
        }

        return new SparseVector([.. terms], [.. terms.Select(_ => 1f + random.Next(8))]);
    }

    private static string Name(int id) => string.Create(CultureInfo.InvariantCulture, $"d{id}");

    private static int IdOf(string name) => int.Parse(name.AsSpan(1), NumberStyles.None, CultureInfo.InvariantCulture);

    private static int VersionOf(SegmentedIndex index, int docId) => int.Parse(index.Payload(docId), NumberStyles.None, CultureInfo.InvariantCulture);

    private static ulong HashOf(int id, int version) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes((ReadOnlySpan<int>)[id, version]));

    private static int HashCode(int id, int version) => (int)HashOf(id, version);
}
