using System.Runtime.InteropServices;
using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Builds a flat index of float32 vectors in a directory, with a narrow copy for faster scans where asked for; vectors go
/// to the disk as they are added, ids and 12 bytes a copied row are kept in memory. Nothing is visible to readers until <see cref="Complete"/>. Dispose it. Not thread-safe.
/// </summary>
public sealed class DenseIndexBuilder : IDisposable
{
    private readonly IFileSystem _files;
    private readonly string _directory;
    private readonly int _dimension;
    private readonly string _fingerprint;
    private readonly SectionFileWriter _writer;
    private readonly ExternalIdsBuilder _ids = new();
    private readonly DenseScan _scan;
    private readonly FileStream? _narrow;
    private readonly byte[] _narrowRow;
    private readonly List<ScanBound> _bounds = [];

    public DenseIndexBuilder(string directory, int dimension, string fingerprint = "", DenseScan scan = DenseScan.Float32)
        : this(PhysicalFiles.Instance, directory, dimension, fingerprint, scan)
    {
        GenerationFiles.RefuseUpdated(directory);
    }

    internal DenseIndexBuilder(IFileSystem files, string directory, int dimension, string fingerprint, DenseScan scan)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        files.CreateDirectory(directory);
        _files = files;
        _directory = directory;
        _dimension = dimension;
        _fingerprint = fingerprint;
        _writer = new SectionFileWriter(files, Path.Combine(directory, DenseIndex.FileName), DenseIndex.Magic);
        _writer.Begin("vectors");
        _scan = scan;
        // The copy follows the vectors in the file, so it waits in another one.
        _narrow = scan == DenseScan.Float32 ? null : new FileStream(Path.Combine(directory, DenseIndex.FileName + ".scan.tmp"), FileMode.Create, FileAccess.ReadWrite, FileShare.None, 1 << 16, FileOptions.DeleteOnClose);
        _narrowRow = scan == DenseScan.Float32 ? [] : new byte[ScanQuantizer.RowByteCount(scan, dimension)];
    }

    public int DocumentCount => _ids.Count;

    /// <summary>Every element must be finite. A repeated id is reported by <see cref="Complete"/>.</summary>
    public void Add(string externalId, ReadOnlySpan<float> vector)
    {
        if (vector.Length != _dimension)
        {
            throw new ArgumentException($"document '{externalId}' has {vector.Length} elements; the index was set up for {_dimension}", nameof(vector));
        }

        foreach (float value in vector)
        {
            if (!float.IsFinite(value))
            {
                throw new ArgumentException($"the vector of document '{externalId}' holds {value}", nameof(vector));
            }
        }

        _ids.Add(externalId);
        _writer.Append(vector);
        if (_narrow is not null)
        {
            _bounds.Add(_scan == DenseScan.Int8 ? ScanQuantizer.ToInt8(vector, MemoryMarshal.Cast<byte, sbyte>(_narrowRow.AsSpan())) : ScanQuantizer.ToBFloat16(vector, MemoryMarshal.Cast<byte, ushort>(_narrowRow.AsSpan())));
            _narrow.Write(_narrowRow);
        }
    }

    public void Complete()
    {
        WriteNarrow();
        _writer.Write<int>("params", [_ids.Count, _dimension]);
        _ids.Write(_writer);
        (long byteCount, ulong headerHash) = _writer.Complete();
        new IndexManifest
        {
            Version = (int)SectionFile.Version,
            Kind = "dense",
            DocumentCount = _ids.Count,
            Dimension = _dimension,
            ValueCount = (long)_ids.Count * _dimension,
            Precision = nameof(ImpactPrecision.Float32),
            Fingerprint = _fingerprint,
            FileNameOfSegment = DenseIndex.FileName,
            SegmentByteCount = byteCount,
            SegmentChecksum = IndexManifest.Hex(headerHash),
        }.Save(_files, _directory);
    }

    public void Dispose()
    {
        _narrow?.Dispose();
        _writer.Dispose();
    }

    private void WriteNarrow()
    {
        if (_narrow is null)
        {
            return;
        }

        _writer.Begin(_scan == DenseScan.Int8 ? "scan8" : "scan16");
        _narrow.Position = 0;
        var piece = new byte[1 << 20];
        for (int count; (count = _narrow.Read(piece)) > 0;)
        {
            _writer.Append<byte>(piece.AsSpan(0, count));
        }

        _writer.Write<float>("scanscal", _bounds.Select(bound => bound.Scale).ToArray());
        _writer.Write<float>("scanerr", _bounds.Select(bound => bound.Error).ToArray());
        _writer.Write<float>("scannorm", _bounds.Select(bound => bound.Norm).ToArray());
    }
}
