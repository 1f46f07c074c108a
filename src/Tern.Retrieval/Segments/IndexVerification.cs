using System.Globalization;
using System.Text.RegularExpressions;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Something wrong with an index: in which file, in which part of it and at which byte, where that can be said.</summary>
public sealed partial record IndexDamage(string Path, string Section, long Offset, string Problem)
{
    [GeneratedRegex(@"^(?<path>.*): section '(?<section>[^']*)' at offset (?<offset>\d+)[^:]*: (?<problem>.*)$", RegexOptions.Singleline)]
    private static partial Regex Message();

    internal static IndexDamage Of(Exception error, string path) =>
        Message().Match(error.Message) is { Success: true } match
            ? new IndexDamage(match.Groups["path"].Value, match.Groups["section"].Value, long.Parse(match.Groups["offset"].Value, CultureInfo.InvariantCulture), match.Groups["problem"].Value)
            : new IndexDamage(path, "file", 0, error.Message);
}

/// <summary>What <see cref="IndexVerification.Run(string)"/> read and found.</summary>
public sealed record VerificationResult(int FileCount, long ByteCount, IReadOnlyList<IndexDamage> Damages);

/// <summary>
/// Reads every byte of an index and compares it with its checksums, checks that the parts belong together, that every list and vector is
/// well formed and that no document is there twice, and lists all that is wrong.
/// </summary>
public sealed class IndexVerification
{
    private readonly string _directory;
    private readonly List<IndexDamage> _damages = [];
    private int _fileCount;
    private long _byteCount;

    private IndexVerification(string directory) => _directory = directory;

    public static VerificationResult Run(string directory)
    {
        if (!SegmentedIndex.Exists(directory))
        {
            IndexManifest.Load(PhysicalFiles.Instance, directory, "sparse");
        }

        var verification = new IndexVerification(directory);
        verification.Run();
        return new VerificationResult(verification._fileCount, verification._byteCount, verification._damages);
    }

    private void Run()
    {
        (GenerationManifest Manifest, FileStream Pin)? newest = null;
        string newestPath = GenerationFiles.List(_directory) is [.., var last] ? Path.Combine(_directory, GenerationFiles.Name(last)) : "";
        if (!Try(newestPath, () => newest = GenerationFiles.OpenNewest(_directory)))
        {
            Count(newestPath);
            return;
        }

        using FileStream? pin = newest?.Pin;
        foreach (string name in newest is null ? ["."] : newest.Value.Manifest.Segments.Select(segment => segment.Directory))
        {
            CheckSegment(Segment.Directory(_directory, name));
        }

        if (newest is { } generation)
        {
            Count(Path.Combine(_directory, GenerationFiles.Name(generation.Manifest.Generation)));
            foreach (GenerationSegment segment in generation.Manifest.Segments.Where(segment => segment.DeletedFile.Length > 0))
            {
                string path = Path.Combine(_directory, segment.DeletedFile);
                CheckSections(path, DeletedDocuments.Magic);
                Once(path, () => DeletedDocuments.Read(PhysicalFiles.Instance, _directory, segment));
            }

            string log = Path.Combine(_directory, generation.Manifest.Log);
            Count(log);
            Try(log, () => IndexOpening.ReadLog(PhysicalFiles.Instance, log, generation.Manifest));
        }

        if (_damages.Count == 0)
        {
            Try(_directory, () =>
            {
                using var index = SegmentedIndex.Open(_directory, verify: false);
                foreach (SegmentView view in index.Views)
                {
                    view.Segment.Sparse?.CheckStructure();
                }

                CheckIds(index);
            });
        }
    }

    private void CheckSegment(string directory)
    {
        string manifest = Path.Combine(directory, IndexManifest.FileName);
        Count(manifest);
        bool isDense = File.Exists(Path.Combine(directory, DenseIndex.FileName));
        string vectors = Path.Combine(directory, isDense ? DenseIndex.FileName : SegmentFormat.FileName);
        CheckSections(vectors, isDense ? DenseIndex.Magic : SegmentFormat.Magic);
        Once(manifest, () => IndexManifest.Load(PhysicalFiles.Instance, directory, isDense ? "dense" : "sparse").OpenSegment(PhysicalFiles.Instance, directory, isDense ? DenseIndex.Magic : SegmentFormat.Magic).Dispose());
        if (File.Exists(Path.Combine(directory, DocumentStore.FileName)))
        {
            CheckSections(Path.Combine(directory, DocumentStore.FileName), DocumentStore.Magic);
        }

        if (File.Exists(Path.Combine(directory, FieldColumns.FileName)))
        {
            CheckSections(Path.Combine(directory, FieldColumns.FileName), FieldColumns.Magic);
        }
    }

    private void CheckSections(string path, ulong magic)
    {
        Count(path);
        Try(path, () =>
        {
            using SectionFile file = SectionFile.Open(path, magic);
            file.FindDamage(error => _damages.Add(IndexDamage.Of(error, path)));
        });
    }

    private void CheckIds(SegmentedIndex index)
    {
        foreach (int docId in index.Documents())
        {
            string id = index.ExternalId(docId);
            if (!index.TryFind(id, out int found) || found != docId)
            {
                _damages.Add(new IndexDamage(_directory, "ids", docId, $"document '{id}' is in the index twice"));
            }
        }
    }

    private void Count(string path)
    {
        if (File.Exists(path))
        {
            _fileCount++;
            _byteCount += new FileInfo(path).Length;
        }
    }

    /// <summary>A check that would only repeat what was found in a file already.</summary>
    private void Once(string path, Action check)
    {
        int before = _damages.Count;
        if (!_damages.Exists(damage => damage.Path == path) && !Try(path, check) && _damages.Take(before).Any(damage => damage.Path == _damages[^1].Path))
        {
            _damages.RemoveAt(_damages.Count - 1);
        }
    }

    private bool Try(string path, Action check)
    {
        try
        {
            check();
            return true;
        }
        catch (Exception e) when (e is InvalidDataException or IOException)
        {
            _damages.Add(IndexDamage.Of(e, path));
            return false;
        }
    }
}
