using System.Text;

namespace Tern.Retrieval.Files;

/// <summary>
/// The external ids of a file's documents: by ordinal, by rank in ascending UTF-8 byte order, and back. Opening reads nothing
/// of them: ids are checked page by page as they are read, ranks all at once when they are first asked for.
/// </summary>
internal sealed unsafe class ExternalIds
{
    private readonly SectionFile _file;
    private readonly StringTable _ids;
    private readonly int* _ranks;
    private readonly int* _order;
    private volatile bool _areRanksChecked;

    public ExternalIds(SectionFile file, int count)
    {
        _file = file;
        Count = count;
        _ids = new StringTable(file, "idstart", "idbytes", count);
        _ranks = file.Pointer<int>("idrank", count);
        _order = file.Pointer<int>("idorder", count);
    }

    public int Count { get; }

    /// <summary>Rank of each document, ascending by id.</summary>
    public ReadOnlySpan<int> Ranks
    {
        get
        {
            CheckRanks();
            return new ReadOnlySpan<int>(_ranks, Count);
        }
    }

    /// <summary>The document at each rank.</summary>
    public ReadOnlySpan<int> Order
    {
        get
        {
            CheckRanks();
            return new ReadOnlySpan<int>(_order, Count);
        }
    }

    public ReadOnlySpan<byte> Bytes(int document) =>
        (uint)document < (uint)Count ? _ids[document] : throw new ArgumentOutOfRangeException(nameof(document), $"document {document} of an index with {Count} documents");

    public string Text(int document) => Encoding.UTF8.GetString(Bytes(document));

    public bool TryFind(ReadOnlySpan<byte> utf8, out int document)
    {
        ReadOnlySpan<int> order = Order;
        for (int low = 0, high = Count - 1; low <= high;)
        {
            int middle = low + ((high - low) >> 1);
            int compared = Bytes(order[middle]).SequenceCompareTo(utf8);
            if (compared == 0)
            {
                document = order[middle];
                return true;
            }

            (low, high) = compared < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        document = -1;
        return false;
    }

    public bool TryFind(string externalId, out int document) => TryFind(Encoding.UTF8.GetBytes(externalId), out document);

    /// <summary>Returns once ranks and order are known to be whole and in range, as everything that reads them by pointer needs.</summary>
    public void CheckRanks()
    {
        if (!_areRanksChecked)
        {
            Check("idrank", _ranks);
            Check("idorder", _order);
            _areRanksChecked = true;
        }
    }

    private void Check(string section, int* values)
    {
        _file.Verify(section);
        if (new ReadOnlySpan<int>(values, Count).ContainsAnyExceptInRange(0, Count - 1))
        {
            throw _file.InvalidElement(section, $"a number that is none of {Count} documents; build the index again");
        }
    }
}
