using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Builds a sparse index in a directory. Documents are numbered in the order of <see cref="Add"/>, or in that of
/// <see cref="Reorder(ReadOnlySpan{int})"/>. Postings are buffered in memory, about 8 bytes each while adding and 13 while completing. Nothing
/// is visible to readers until <see cref="Complete"/>; an existing index there is replaced by then. Not thread-safe.
/// </summary>
public sealed class SparseIndexBuilder
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly SparseIndexOptions _options;
    private readonly ExternalIdsBuilder _ids = new();
    private readonly ForwardBuffer _forward;
    private string[]? _words;
    private int[]? _order;
    private bool _completed;

    public SparseIndexBuilder(string directory, SparseIndexOptions options)
        : this(PhysicalFiles.Instance, directory, options)
    {
    }

    internal SparseIndexBuilder(IFileSystem files, string directory, SparseIndexOptions options)
    {
        _files = files;
        ArgumentOutOfRangeException.ThrowIfLessThan(options.VocabularySize, 1);
        _directory = directory;
        _options = options;
        _forward = new ForwardBuffer(options.VocabularySize);
        files.CreateDirectory(directory);
    }

    public int DocumentCount => _ids.Count;

    public long PostingCount => _forward.Count;

    /// <summary>The document, in the order of adding, at each place; null where it is that order.</summary>
    internal int[]? Order => _order;

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

    /// <summary>
    /// Renumbers the documents once all are added: <paramref name="order"/> holds, for each place in the index, the number of
    /// the document in the order of adding; a permutation of all of them. Similar documents side by side make an index
    /// smaller and searching it faster; hits stay the same but for <see cref="Hit.DocId"/>.
    /// </summary>
    public void Reorder(ReadOnlySpan<int> order)
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        var seen = new bool[_ids.Count];
        foreach (int document in order)
        {
            if ((uint)document >= (uint)seen.Length || seen[document])
            {
                throw new ArgumentException($"the order names document {document} {((uint)document < (uint)seen.Length ? "twice" : $"of {seen.Length}")}; it must name each document once", nameof(order));
            }

            seen[document] = true;
        }

        _order = order.Length == seen.Length ? order.ToArray() : throw new ArgumentException($"the order has {order.Length} documents, the index {seen.Length}", nameof(order));
    }

    /// <summary>Renumbers the documents by <see cref="RecursiveGraphBisection"/> once all are added.</summary>
    public void Reorder(BisectionOptions? options = null, CancellationToken cancellationToken = default) => Reorder(RecursiveGraphBisection.Order(_forward, options, cancellationToken));

    /// <summary>Names of the terms by id, in ascending byte order; stored for indexes whose terms are words.</summary>
    internal void SetWords(string[] words) => _words = words;

    /// <summary>Throws for an id that was added twice.</summary>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_completed, this);
        ImpactQuantizer quantizer = Quantizer();
        bool hasForward = _options.Forward || _options.Precision == ImpactPrecision.Float32;
        string path = Path.Combine(_directory, SegmentFormat.FileName);
        long byteCount;
        ulong headerHash;
        using (var writer = new SectionFileWriter(_files, path, SegmentFormat.Magic))
        {
            _ids.Write(writer, _order);
            var segment = new SegmentWriter(writer, _ids.Count, _options.Layout);
            var lists = new InvertedLists(_forward, _options.VocabularySize, quantizer, _order);
            for (int term = 0; term < _options.VocabularySize; term++)
            {
                if (lists.DocumentFrequency(term) > 0)
                {
                    segment.Add(term, lists.Documents(term), lists.Impacts(term));
                }
            }

            segment.Complete();
            writer.Write<SegmentParameters>("params",
            [
                new SegmentParameters
                {
                    DocumentCount = _ids.Count,
                    VocabularySize = _options.VocabularySize,
                    TermCount = segment.Terms.Count,
                    WindowSize = SegmentFormat.WindowSize,
                    PostingCount = _forward.Count,
                    LeafSize = SegmentFormat.LeafSize,
                    LongestShortList = SegmentFormat.LongestShortList,
                    Precision = (int)_options.Precision,
                    Layout = (int)_options.Layout,
                    HasForward = hasForward ? 1 : 0,
                    ImpactScale = quantizer.Scale,
                },
            ]);
            if (hasForward)
            {
                ForwardIndexWriter.Write(writer, _forward, segment.Terms, _options.VocabularySize, _options.Precision, quantizer, _order);
            }

            if (_words is not null)
            {
                WordTable.Write(writer, _words);
            }

            (byteCount, headerHash) = writer.Complete();
        }

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
            SegmentByteCount = byteCount,
            SegmentChecksum = IndexManifest.Hex(headerHash),
        }.Save(_files, _directory);
        _completed = true;
    }

    private ImpactQuantizer Quantizer()
    {
        // The bound of float32 scores takes it that no weight is cut.
        if (_options.Precision == ImpactPrecision.Float32)
        {
            return ImpactQuantizer.ForLargest(Math.Max(_options.LargestWeight, _forward.LargestWeight));
        }

        return _options.ImpactScale is { } scale ? new ImpactQuantizer(scale) : ImpactQuantizer.ForLargest(_options.LargestWeight > 0f ? _options.LargestWeight : _forward.LargestWeight);
    }
}
