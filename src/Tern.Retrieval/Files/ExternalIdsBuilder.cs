using System.Runtime.InteropServices;
using System.Text;

namespace Tern.Retrieval.Files;

/// <summary>Collects external ids in document order and writes them with their rank in ascending UTF-8 byte order.</summary>
internal sealed class ExternalIdsBuilder
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private readonly List<byte> _bytes = [];
    private readonly List<ulong> _starts = [0];

    public int Count => _starts.Count - 1;

    public void Add(string externalId)
    {
        if (string.IsNullOrEmpty(externalId))
        {
            throw new ArgumentException($"document {Count} has an empty id", nameof(externalId));
        }

        try
        {
            CollectionsMarshal.SetCount(_bytes, checked(_bytes.Count + Strict.GetByteCount(externalId)));
            Strict.GetBytes(externalId, CollectionsMarshal.AsSpan(_bytes)[(int)_starts[^1]..]);
        }
        catch (EncoderFallbackException)
        {
            throw new ArgumentException($"the id of document {Count} is not valid Unicode: '{externalId}'", nameof(externalId));
        }

        _starts.Add((ulong)_bytes.Count);
    }

    /// <summary>
    /// Throws <see cref="ArgumentException"/> for an id that was added twice. With <paramref name="places"/>, the document
    /// that stands at each place, ids are written in that order.
    /// </summary>
    public void Write(SectionFileWriter writer, ReadOnlySpan<int> places = default)
    {
        int[] order = Order();
        var ranks = new int[Count];
        for (int rank = 0; rank < order.Length; rank++)
        {
            if (rank > 0 && Bytes(order[rank]).SequenceEqual(Bytes(order[rank - 1])))
            {
                throw new ArgumentException($"the id '{Strict.GetString(Bytes(order[rank]))}' was added twice, as documents {Math.Min(order[rank], order[rank - 1])} and {Math.Max(order[rank], order[rank - 1])}");
            }

            ranks[order[rank]] = rank;
        }

        if (places.IsEmpty)
        {
            writer.Write<ulong>("idstart", CollectionsMarshal.AsSpan(_starts));
            writer.Write<byte>("idbytes", CollectionsMarshal.AsSpan(_bytes));
            writer.Write<int>("idrank", ranks);
            writer.Write<int>("idorder", order);
            return;
        }

        WriteReordered(writer, places, order, ranks);
    }

    private void WriteReordered(SectionFileWriter writer, ReadOnlySpan<int> places, int[] order, int[] ranks)
    {
        var starts = new ulong[Count + 1];
        var placedRanks = new int[Count];
        var placeOf = new int[Count];
        writer.Begin("idbytes");
        for (int place = 0; place < Count; place++)
        {
            int document = places[place];
            ReadOnlySpan<byte> bytes = Bytes(document);
            writer.Append(bytes);
            starts[place + 1] = starts[place] + (ulong)bytes.Length;
            placedRanks[place] = ranks[document];
            placeOf[document] = place;
        }

        writer.Write<ulong>("idstart", starts);
        writer.Write<int>("idrank", placedRanks);
        writer.Write<int>("idorder", Array.ConvertAll(order, document => placeOf[document]));
    }

    private int[] Order()
    {
        var order = new int[Count];
        for (int i = 0; i < order.Length; i++)
        {
            order[i] = i;
        }

        Array.Sort(order, (a, b) =>
        {
            int compared = Bytes(a).SequenceCompareTo(Bytes(b));
            return compared != 0 ? compared : a.CompareTo(b);
        });
        return order;
    }

    private ReadOnlySpan<byte> Bytes(int document) => CollectionsMarshal.AsSpan(_bytes)[(int)_starts[document]..(int)_starts[document + 1]];
}
