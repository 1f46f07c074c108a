using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary>What damaged copies of an index led to.</summary>
internal sealed record FuzzFigures(int Mutations, int Refused, int Unchanged, IReadOnlyList<string> Errors);

/// <summary>
/// Damages the files of an index in ways that a seed determines, one at a time, opens and searches it, and puts the file
/// back. Either the damage is reported with the file's path, or every answer is that of the whole index.
/// </summary>
internal sealed class IndexFuzz
{
    private const int QueryCount = 4;
    private const int HitCount = 10;

    private readonly string _directory;
    private readonly Random _random;
    private readonly List<(string Path, byte[] Bytes)> _files;
    private readonly Dictionary<string, byte[]> _other;
    private readonly SparseVector[] _sparse = [];
    private readonly float[][] _dense = [];
    private readonly string _answer;

    /// <param name="directory">A copy that is the fuzz's own.</param>
    public IndexFuzz(string directory, int seed)
    {
        _directory = directory;
        _random = new Random(seed);
        _files = [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Where(path => Path.GetFileName(path) is not ("writer.lock" or "index.json")).Order(StringComparer.Ordinal).Select(path => (path, File.ReadAllBytes(path)))];
        _files.RemoveAll(file => file.Bytes.Length == 0);
        _other = _files.ToDictionary(file => file.Path, file => file.Bytes);
        using var index = SegmentedIndex.Open(directory);
        int[] documents = [.. index.Documents()];
        if (documents.Length == 0)
        {
            throw new InvalidDataException($"{directory}: the index has no documents to search for");
        }

        int[] chosen = [.. Enumerable.Range(0, QueryCount).Select(_ => documents[_random.Next(documents.Length)])];
        if (index.Settings.Kind == VectorKind.Sparse)
        {
            _sparse = Array.ConvertAll(chosen, index.SparseVector);
        }
        else
        {
            _dense = Array.ConvertAll(chosen, docId => index.DenseVector(docId).ToArray());
        }

        _answer = Answer(index);
    }

    public FuzzFigures Run(int count, Action<int> progress, CancellationToken cancellationToken)
    {
        int refused = 0, unchanged = 0;
        var errors = new List<string>();
        for (int i = 0; i < count; i++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            (string path, byte[] bytes) = _files[_random.Next(_files.Count)];
            (byte[] damaged, string what) = Damage(path, bytes);
            Replace(path, damaged);
            // Dense rows are checked only when the index is opened; all else also when it is used.
            bool verify = _dense.Length > 0 || _random.Next(2) == 0;
            try
            {
                using var index = SegmentedIndex.Open(_directory, verify);
                if (Answer(index) == _answer)
                {
                    unchanged++;
                }
                else
                {
                    errors.Add(Invariant($"mutation {i}: {path}, {what}: opened (verify {verify}), and the answers are others"));
                }
            }
            catch (Exception e) when (e is InvalidDataException or FileNotFoundException && e.Message.Contains(_directory, StringComparison.Ordinal))
            {
                refused++;
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                errors.Add(Invariant($"mutation {i}: {path}, {what}: {e.GetType().Name}: {e.Message}"));
            }

            Replace(path, bytes);
            progress(i + 1);
        }

        return new FuzzFigures(count, refused, unchanged, errors);
    }

    // A mapped file that is written over would change under a reader; a new one does not.
    private static void Replace(string path, byte[] bytes)
    {
        File.Delete(path);
        File.WriteAllBytes(path, bytes);
    }

    private (byte[] Damaged, string What) Damage(string path, byte[] bytes)
    {
        byte[] damaged = [.. bytes];
        int at = _random.Next(bytes.Length);
        int length = Math.Min(1 + _random.Next(1 << _random.Next(13)), bytes.Length - at);
        switch (_random.Next(8))
        {
            case 0:
                damaged[at] ^= (byte)(1 << _random.Next(8));
                return (damaged, Invariant($"a bit of byte {at} flipped"));
            case 1:
                damaged[at] = (byte)_random.Next(256);
                return (damaged, Invariant($"byte {at} replaced"));
            case 2:
                damaged.AsSpan(at, length).Clear();
                return (damaged, Invariant($"{length} bytes from {at} zeroed"));
            case 3:
                _random.NextBytes(damaged.AsSpan(at, length));
                return (damaged, Invariant($"{length} bytes from {at} replaced"));
            case 4:
                return (damaged[..at], Invariant($"cut at {at}"));
            case 5:
                byte[] more = new byte[length];
                _random.NextBytes(more);
                return ([.. damaged, .. more], Invariant($"{length} bytes appended"));
            case 6:
                int from = _random.Next(bytes.Length - length + 1);
                bytes.AsSpan(from, length).CopyTo(damaged.AsSpan(at, length));
                return (damaged, Invariant($"{length} bytes copied from {from} to {at}"));
            default:
                string other = _files[_random.Next(_files.Count)].Path;
                return (_other[other], $"replaced by {Path.GetFileName(other)} of {Path.GetFileName(Path.GetDirectoryName(other)!)}");
        }
    }

    private string Answer(SegmentedIndex index)
    {
        var text = new System.Text.StringBuilder();
        text.Append(index.DocumentCount);
        foreach (Hit[] hits in _sparse.Select(query => index.Search(query, HitCount)).Concat(_dense.Select(query => index.Search(query, HitCount))))
        {
            foreach (Hit hit in hits)
            {
                text.Append(Invariant($" {index.ExternalId(hit.DocId)} {hit.Score:R} {Convert.ToHexString(System.IO.Hashing.XxHash3.Hash(index.Payload(hit.DocId)))}"));
            }
        }

        return text.ToString();
    }
}
