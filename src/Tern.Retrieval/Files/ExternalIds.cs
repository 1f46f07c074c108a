using System.Text;

namespace Tern.Retrieval.Files;

/// <summary>The external ids of a file's documents: by ordinal, by rank in ascending UTF-8 byte order, and back. Checked when read.</summary>
internal sealed unsafe class ExternalIds
{
    private readonly SectionFile _file;
    private readonly ulong* _starts;
    private readonly byte* _bytes;
    private readonly int* _ranks;
    private readonly int* _order;

    public ExternalIds(SectionFile file, int count)
    {
        _file = file;
        Count = count;
        foreach (string section in (ReadOnlySpan<string>)["idstart", "idbytes", "idrank", "idorder"])
        {
            file.Verify(section);
        }

        _starts = file.Pointer<ulong>("idstart", (long)count + 1);
        _bytes = file.Pointer<byte>("idbytes", (long)_starts[count]);
        _ranks = file.Pointer<int>("idrank", count);
        _order = file.Pointer<int>("idorder", count);
    }

    public int Count { get; }

    /// <summary>Rank of each document, ascending by id.</summary>
    public ReadOnlySpan<int> Ranks => new(_ranks, Count);

    /// <summary>The document at each rank.</summary>
    public ReadOnlySpan<int> Order => new(_order, Count);

    public ReadOnlySpan<byte> Bytes(int document)
    {
        if ((uint)document >= (uint)Count)
        {
            throw new ArgumentOutOfRangeException(nameof(document), $"document {document} of an index with {Count} documents");
        }

        return new ReadOnlySpan<byte>(_bytes + _starts[document], (int)(_starts[document + 1] - _starts[document]));
    }

    public string Text(int document) => Encoding.UTF8.GetString(Bytes(document));

    public bool TryFind(ReadOnlySpan<byte> utf8, out int document)
    {
        for (int low = 0, high = Count - 1; low <= high;)
        {
            int middle = low + ((high - low) >> 1);
            int compared = Bytes(_order[middle]).SequenceCompareTo(utf8);
            if (compared == 0)
            {
                document = _order[middle];
                return true;
            }

            (low, high) = compared < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        document = -1;
        return false;
    }

    public bool TryFind(string externalId, out int document) => TryFind(Encoding.UTF8.GetBytes(externalId), out document);

    /// <summary>Keeps the mapping alive as long as the ids are reachable.</summary>
    public string Path => _file.Path;
}
