using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Builds a sparse index in a directory. Documents are numbered in the order of <see cref="Add"/>. Postings are buffered
/// in memory, about 8 bytes each while adding and 11 to 16 while completing. Nothing is visible to readers until
/// <see cref="Complete"/>; an existing index there is replaced by then. Not thread-safe.
/// </summary>
public sealed class SparseIndexBuilder
{
    private readonly string _directory;
    private readonly SparseIndexOptions _options;
    private readonly ExternalIdsBuilder _ids = new();
    private readonly ForwardBuffer _forward = new();
    private string[]? _words;
    private bool _completed;

    public SparseIndexBuilder(string directory, SparseIndexOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.VocabularySize, 1);
        _directory = directory;
        _options = options;
        Directory.CreateDirectory(directory);
    }

    public int DocumentCount => _ids.Count;

    public long PostingCount => _forward.Count;

    /// <summary>Adds a document; an empty vector is allowed and never found. A repeated id is reported by <see cref="Complete"/>.</summary>
    public void Add(string externalId, SparseVector vector)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        ReadOnlySpan<int> terms = vector.TermSpan;
        if (terms.Length > 0 && terms[^1] >= _options.VocabularySize)
        {
            throw new ArgumentException($"document '{externalId}' has term {terms[^1]}; the index was set up for {_options.VocabularySize} terms", nameof(vector));
        }

        _ids.Add(externalId);
        _forward.Add(terms, vector.WeightSpan);
    }

    /// <summary>Names of the terms by id, in ascending byte order; stored for indexes whose terms are words.</summary>
    internal void SetWords(string[] words) => _words = words;

    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        var quantizer = ImpactQuantizer.ForLargest(_forward.LargestWeight);
        var layout = new PostingLayout(_forward, _options.VocabularySize);
        string path = Path.Combine(_directory, SegmentFormat.FileName);
        using (var writer = new SectionFileWriter(path, SegmentFormat.Magic))
        {
            writer.Write<SegmentParameters>("params",
            [
                new SegmentParameters
                {
                    DocumentCount = _ids.Count,
                    VocabularySize = _options.VocabularySize,
                    TermCount = layout.Terms.Length,
                    RunCount = layout.RunWindows.Length,
                    PostingCount = _forward.Count,
                    WindowSize = SegmentFormat.WindowSize,
                    Precision = (int)_options.Precision,
                    ImpactScale = _options.Precision == ImpactPrecision.Byte ? quantizer.Scale : 1f,
                },
            ]);
            _ids.Write(writer);
            layout.WriteTables(writer);
            if (_options.Precision == ImpactPrecision.Byte)
            {
                layout.WritePostings<byte>(writer, quantizer.Quantize);
                _forward.Write<byte>(writer, quantizer.Quantize);
            }
            else
            {
                layout.WritePostings<float>(writer, static weight => weight);
                _forward.Write<float>(writer, static weight => weight);
            }

            if (_words is not null)
            {
                WordTable.Write(writer, _words);
            }

            writer.Complete();
        }

        using SectionFile file = SectionFile.Open(path, SegmentFormat.Magic);
        new IndexManifest
        {
            Version = (int)SectionFile.Version,
            Kind = "sparse",
            DocumentCount = _ids.Count,
            Dimension = _options.VocabularySize,
            ValueCount = _forward.Count,
            Precision = _options.Precision.ToString(),
            Fingerprint = _options.Fingerprint,
            FileNameOfSegment = SegmentFormat.FileName,
            SegmentByteCount = file.ByteCount,
            SegmentChecksum = IndexManifest.Hex(file.HeaderHash),
        }.Save(_directory);
        _completed = true;
    }
}
