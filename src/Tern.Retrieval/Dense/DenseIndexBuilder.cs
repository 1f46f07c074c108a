using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Builds a flat index of float32 vectors in a directory; vectors go to the disk as they are added, ids are kept in
/// memory. Nothing is visible to readers until <see cref="Complete"/>. Dispose it. Not thread-safe.
/// </summary>
public sealed class DenseIndexBuilder : IDisposable
{
    private readonly string _directory;
    private readonly int _dimension;
    private readonly string _fingerprint;
    private readonly SectionFileWriter _writer;
    private readonly ExternalIdsBuilder _ids = new();

    public DenseIndexBuilder(string directory, int dimension, string fingerprint = "")
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(dimension, 1);
        Directory.CreateDirectory(directory);
        _directory = directory;
        _dimension = dimension;
        _fingerprint = fingerprint;
        _writer = new SectionFileWriter(Path.Combine(directory, DenseIndex.FileName), DenseIndex.Magic);
        _writer.Begin("vectors");
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
    }

    public void Complete()
    {
        _writer.Write<int>("params", [_ids.Count, _dimension]);
        _ids.Write(_writer);
        _writer.Complete();
        using SectionFile file = SectionFile.Open(Path.Combine(_directory, DenseIndex.FileName), DenseIndex.Magic);
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
            SegmentByteCount = file.ByteCount,
            SegmentChecksum = IndexManifest.Hex(file.HeaderHash),
        }.Save(_directory);
    }

    public void Dispose() => _writer.Dispose();
}
