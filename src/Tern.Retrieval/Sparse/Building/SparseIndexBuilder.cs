using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Builds a sparse index in a directory. Documents are numbered in the order of <see cref="Add"/>, or in that of
/// <see cref="Reorder(ReadOnlySpan{int})"/>. Postings are buffered in memory, about 8 bytes each while adding and 13 while completing, or
/// in a temporary file there where <see cref="SparseIndexOptions.MemoryByteCount"/> says how much memory there is. Nothing
/// is visible to readers until <see cref="Complete"/>; an existing index there is replaced by then. Dispose it. Not thread-safe.
/// </summary>
public sealed class SparseIndexBuilder : IDisposable
{
    // What a build needs besides the lists: the runtime, and the pieces of files.
    private const long FixedByteCount = 88L << 20;

    // What it keeps of each document: where it lies, its id, the ids' order.
    private const int DocumentByteCount = 48;

    // What it keeps of each term: frequencies, entries, ranks.
    private const int TermByteCount = 96;

    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly SparseIndexOptions _options;
    private readonly ExternalIdsBuilder _ids = new();
    private readonly DocumentBuffer _documents;
    private string[]? _words;
    private int[]? _order;
    private bool _completed;

    public SparseIndexBuilder(string directory, SparseIndexOptions options)
        : this(PhysicalFiles.Instance, directory, options)
    {
        GenerationFiles.RefuseUpdated(directory);
    }

    internal SparseIndexBuilder(IFileSystem files, string directory, SparseIndexOptions options)
    {
        _files = files;
        ArgumentOutOfRangeException.ThrowIfLessThan(options.VocabularySize, 1);
        _directory = directory;
        _options = options;
        files.CreateDirectory(directory);
        _documents = options.MemoryByteCount > 0 ? new SpilledDocuments(SpillPath("documents"), options.VocabularySize) : new ForwardBuffer(options.VocabularySize);
    }

    public int DocumentCount => _ids.Count;

    public long PostingCount => _documents.Count;

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
        _documents.Add(terms, vector.WeightSpan);
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
    public void Reorder(BisectionOptions? options = null, CancellationToken cancellationToken = default) => Reorder(RecursiveGraphBisection.Order(
        _documents as ForwardBuffer ?? throw new InvalidOperationException("ordering documents by bisection needs all of them in memory; build without a bound of the memory, or without ordering"), options, cancellationToken));

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
            if (_options.MemoryByteCount > 0)
            {
                // What adding left behind would stand beside the lists otherwise.
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            }

            using var segment = new SegmentWriter(writer, _ids.Count, _options.Layout, _options.MemoryByteCount > 0 ? SpillPath("maxima") : null);
            var lists = new InvertedLists(_documents, quantizer, _order, ListByteCount());
            for (int first = 0; first < _options.VocabularySize;)
            {
                int end = lists.Load(first);
                for (int term = first; term < end; term++)
                {
                    if (lists.DocumentFrequency(term) > 0)
                    {
                        segment.Add(term, lists.Documents(term), lists.Impacts(term));
                    }
                }

                first = end;
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
                    PostingCount = _documents.Count,
                    LeafSize = SegmentFormat.LeafSize,
                    LongestShortList = SegmentFormat.LongestShortList,
                    Precision = (int)_options.Precision,
                    Layout = (int)_options.Layout,
                    ForwardCode = hasForward ? SegmentFormat.ForwardCode : 0,
                    ImpactScale = quantizer.Scale,
                },
            ]);
            if (hasForward)
            {
                ForwardIndexWriter.Write(writer, _documents, segment.Terms, _options.VocabularySize, _options.Precision, quantizer, _order);
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
            ValueCount = _documents.Count,
            Precision = _options.Precision.ToString(),
            Fingerprint = _options.Fingerprint,
            FileNameOfSegment = SegmentFormat.FileName,
            SegmentByteCount = byteCount,
            SegmentChecksum = IndexManifest.Hex(headerHash),
        }.Save(_files, _directory);
        _completed = true;
    }

    public void Dispose() => _documents.Dispose();

    private string SpillPath(string what) => Path.Combine(_directory, $"{SegmentFormat.FileName}.{what}.tmp");

    /// <summary>What the bound of the memory leaves for lists; at least 16 MiB, below which passes would be too many.</summary>
    private long ListByteCount() => _options.MemoryByteCount == 0
        ? long.MaxValue
        : Math.Max(16L << 20, _options.MemoryByteCount - FixedByteCount - ((long)_ids.Count * DocumentByteCount) - ((long)_options.VocabularySize * TermByteCount));

    private ImpactQuantizer Quantizer()
    {
        // The bound of float32 scores takes it that no weight is cut.
        if (_options.Precision == ImpactPrecision.Float32)
        {
            return ImpactQuantizer.ForLargest(Math.Max(_options.LargestWeight, _documents.LargestWeight));
        }

        return _options.ImpactScale is { } scale ? new ImpactQuantizer(scale) : ImpactQuantizer.ForLargest(_options.LargestWeight > 0f ? _options.LargestWeight : _documents.LargestWeight);
    }
}
