using System.Globalization;
using System.Text;

namespace Tern.Retrieval.Fuzzing;

/// <summary>What damaged copies of an index led to.</summary>
/// <param name="Rewritten">Of the mutations those whose checksums were made right again.</param>
/// <param name="Refused">With an error that names the file.</param>
/// <param name="Unchanged">Answered as the whole index.</param>
/// <param name="Changed">Answered otherwise, which only what has right checksums may be.</param>
/// <param name="Errors">Anything else: another exception, another answer behind a wrong checksum, more than ten seconds of work.</param>
public sealed record IndexFuzzResult(int Mutations, int Rewritten, int Refused, int Unchanged, int Changed, IReadOnlyList<string> Errors);

/// <summary>
/// Damages the files of an index in ways that a seed determines, one at a time, opens and searches it, and puts the file
/// back. Either the damage is reported with the file's path, or every answer is that of the whole index. In half of the cases all
/// checksums are made right again: the damage then meets what reads the files, which may answer otherwise but must stay within
/// them. All files are read from between pages that nobody may read, so that a step outside ends the process.
/// </summary>
public sealed class IndexFuzz
{
    private const int QueryCount = 4;
    private const int HitCount = 10;

    private static readonly TimeSpan MostTime = TimeSpan.FromSeconds(10);

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
        _files = [.. Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Where(path => Path.GetFileName(path) is not (GenerationFiles.LockFile or "index.json")).Order(StringComparer.Ordinal).Select(path => (path, File.ReadAllBytes(path)))];
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

    /// <summary>Makes so many mutations, or those until it is cancelled.</summary>
    public IndexFuzzResult Run(int count, Action<int>? progress = null, CancellationToken cancellationToken = default)
    {
        int done = 0, rewritten = 0, refused = 0, unchanged = 0, changed = 0;
        var errors = new List<string>();
        for (int i = 0; i < count && !cancellationToken.IsCancellationRequested; i++)
        {
            (string path, byte[] bytes) = _files[_random.Next(_files.Count)];
            (byte[] damaged, string what) = Damage(bytes);
            bool isRewritten = _random.Next(2) == 0;
            ChecksumRewriter.Replace(path, damaged);
            if (isRewritten)
            {
                rewritten++;
                ChecksumRewriter.Rewrite(_directory, path);
            }

            // Dense rows are checked only when the index is opened; all else also when it is used.
            bool verify = _dense.Length > 0 || _random.Next(2) == 0;
            what = string.Create(CultureInfo.InvariantCulture, $"mutation {i}: {path}, {what}, checksums {(isRewritten ? "right" : "left")}, verify {verify}");
            TimeSpan started = Environment.CpuUsage.TotalTime;
            try
            {
                using var index = SegmentedIndex.Open(GuardedFiles.Instance, _directory, verify);
                string answer = Answer(index);
                unchanged += answer == _answer ? 1 : 0;
                changed += answer != _answer && isRewritten ? 1 : 0;
                if (answer != _answer && !isRewritten)
                {
                    errors.Add($"{what}: opened, and the answers are others");
                }
            }
            catch (Exception e) when (e is InvalidDataException or FileNotFoundException or DirectoryNotFoundException && e.Message.Contains(_directory, StringComparison.Ordinal))
            {
                refused++;
            }
            catch (Exception e)
            {
                errors.Add($"{what}: {e.GetType().Name}: {e.Message} {e.StackTrace?.Split('\n')[0].Trim()}");
            }

            if (Environment.CpuUsage.TotalTime - started > MostTime)
            {
                errors.Add($"{what}: more than {MostTime.TotalSeconds:0} seconds of work");
            }

            Restore(path);
            done++;
            progress?.Invoke(done);
        }

        return new IndexFuzzResult(done, rewritten, refused, unchanged, changed, errors);
    }

    /// <summary>Puts back a damaged file and the manifests that may have been rewritten for it.</summary>
    private void Restore(string path)
    {
        foreach ((string other, byte[] bytes) in _files)
        {
            if (other == path || (other.EndsWith(".json", StringComparison.Ordinal) && !File.ReadAllBytes(other).AsSpan().SequenceEqual(bytes)))
            {
                ChecksumRewriter.Replace(other, bytes);
            }
        }
    }

    private (byte[] Damaged, string What) Damage(byte[] bytes)
    {
        byte[] damaged = [.. bytes];
        int at = _random.Next(bytes.Length);
        int length = Math.Min(1 + _random.Next(1 << _random.Next(13)), bytes.Length - at);
        switch (_random.Next(8))
        {
            case 0:
                damaged[at] ^= (byte)(1 << _random.Next(8));
                return (damaged, $"a bit of byte {at} flipped");
            case 1:
                damaged[at] = (byte)_random.Next(256);
                return (damaged, $"byte {at} replaced");
            case 2:
                damaged.AsSpan(at, length).Clear();
                return (damaged, $"{length} bytes from {at} zeroed");
            case 3:
                _random.NextBytes(damaged.AsSpan(at, length));
                return (damaged, $"{length} bytes from {at} replaced");
            case 4:
                return (damaged[..at], $"cut at {at}");
            case 5:
                byte[] more = new byte[length];
                _random.NextBytes(more);
                return ([.. damaged, .. more], $"{length} bytes appended");
            case 6:
                int from = _random.Next(bytes.Length - length + 1);
                bytes.AsSpan(from, length).CopyTo(damaged.AsSpan(at, length));
                return (damaged, $"{length} bytes copied from {from} to {at}");
            default:
                string other = _files[_random.Next(_files.Count)].Path;
                return (_other[other], $"replaced by {Path.GetFileName(other)} of {Path.GetFileName(Path.GetDirectoryName(other)!)}");
        }
    }

    /// <summary>Hits by every algorithm, and all that an index tells of the documents found.</summary>
    private string Answer(SegmentedIndex index)
    {
        var text = new StringBuilder();
        text.Append(index.DocumentCount);
        foreach (SparseVector query in _sparse)
        {
            foreach (SearchAlgorithm algorithm in SearchAlgorithms.All)
            {
                Append(index, index.Search(query, HitCount, new SparseSearchOptions { Algorithm = algorithm }), text);
            }
        }

        foreach (float[] query in _dense)
        {
            Append(index, index.Search(query, HitCount), text);
        }

        foreach (FieldDefinition field in index.Settings.Fields)
        {
            string value = field.Kind switch { FieldKind.String => "'m'", FieldKind.Number => "1000", FieldKind.Date => "2020-01-01", _ => "true" };
            text.Append(CultureInfo.InvariantCulture, $" {index.Filter($"{field.Name} {(field.Kind == FieldKind.Bool ? "=" : ">=")} {value} or not {field.Name} exists").Count}");
        }

        return text.ToString();
    }

    private static void Append(SegmentedIndex index, Hit[] hits, StringBuilder text)
    {
        foreach (Hit hit in hits)
        {
            IndexDocument document = index.Document(hit.DocId);
            text.Append(CultureInfo.InvariantCulture, $" {document.Id} {index.TryFind(document.Id, out _)} {hit.Score:R} {Convert.ToHexString(System.IO.Hashing.XxHash3.Hash(document.Payload.Span))} {document.Sparse?.Count} {string.Join(' ', document.Fields)}");
        }
    }
}
