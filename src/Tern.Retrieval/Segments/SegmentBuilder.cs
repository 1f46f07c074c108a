using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Builds one segment in a directory: vectors, payloads and fields. Alone it is an index, which <see cref="SegmentedIndex"/>
/// opens and <see cref="SegmentedIndexWriter"/> updates. Dispose it. Not thread-safe.
/// </summary>
public sealed class SegmentBuilder : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly IndexSettings _settings;
    private readonly SparseIndexBuilder? _sparse;
    private readonly DenseIndexBuilder? _dense;
    private readonly DocumentStoreWriter? _payloads;
    private readonly FieldColumnsWriter? _fields;

    public SegmentBuilder(string directory, IndexSettings settings)
        : this(PhysicalFiles.Instance, directory, settings)
    {
        GenerationFiles.RefuseUpdated(directory);
    }

    internal SegmentBuilder(IFileSystem files, string directory, IndexSettings settings)
    {
        _files = files;
        _directory = directory;
        _settings = settings;
        if (settings.Kind == VectorKind.Sparse)
        {
            _sparse = new SparseIndexBuilder(files, directory, new SparseIndexOptions
            {
                VocabularySize = settings.Dimension,
                Precision = settings.Precision,
                Layout = settings.Layout,
                Fingerprint = settings.Fingerprint,
                MemoryByteCount = settings.MemoryByteCount,
                LargestWeight = settings.LargestWeight,
                ImpactScale = settings.ImpactScale == 0 ? null : settings.ImpactScale,
            });
        }
        else
        {
            _dense = new DenseIndexBuilder(files, directory, settings.Dimension, settings.Fingerprint, settings.Scan);
        }

        _payloads = settings.HasPayload ? new DocumentStoreWriter(files, directory) : null;
        _fields = settings.Fields.Count > 0 ? new FieldColumnsWriter(settings.Fields) : null;
    }

    public int DocumentCount => _sparse?.DocumentCount ?? _dense!.DocumentCount;

    /// <summary>A repeated id is reported by <see cref="Complete"/>.</summary>
    public void Add(IndexDocument document)
    {
        _settings.Check(document);
        _sparse?.Add(document.Id, document.Sparse!);
        _dense?.Add(document.Id, document.Dense.Span);
        _payloads?.Add(document.Id, document.Payload.Span);
        _fields?.Add(document.Id, document.Fields);
    }

    /// <summary>As <see cref="SparseIndexBuilder.Reorder(BisectionOptions?, CancellationToken)"/>; a dense segment has no use for it.</summary>
    public void Reorder(CancellationToken cancellationToken = default) => _sparse?.Reorder(cancellationToken: cancellationToken);

    /// <summary>Writes everything; the directory is then durable, its own name not.</summary>
    public void Complete()
    {
        // The manifest of the vectors comes last: a directory without one is no index.
        _payloads?.Complete();
        _fields?.Write(_files, Path.Combine(_directory, FieldColumns.FileName), _sparse?.Order);
        _sparse?.Complete();
        _dense?.Complete();
    }

    public void Dispose()
    {
        _sparse?.Dispose();
        _dense?.Dispose();
        _payloads?.Dispose();
    }
}
