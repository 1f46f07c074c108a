namespace Tern.Retrieval;

/// <summary>
/// Inverts documents for one range of terms after the other: each term's documents, ascending, beside their impacts. Counting sort,
/// no comparison; every range is one pass over the documents, and there are as many ranges as the memory asks for.
/// </summary>
internal sealed class InvertedLists
{
    private const int PostingByteCount = sizeof(uint) + sizeof(byte);

    private readonly DocumentBuffer _buffer;
    private readonly ImpactQuantizer _quantizer;
    private readonly int[]? _order;
    private readonly long _mostPostings;
    private uint[] _documents = [];
    private byte[] _impacts = [];
    private int[] _starts = []; // [terms of the range + 1]
    private int _first;

    /// <param name="order">The document (in the order of adding) at each place of the index; null keeps the order.</param>
    /// <param name="byteCount">About so much memory holds the lists of a range; a term that needs more gets it.</param>
    public InvertedLists(DocumentBuffer buffer, ImpactQuantizer quantizer, int[]? order, long byteCount = long.MaxValue)
    {
        _buffer = buffer;
        _quantizer = quantizer;
        _order = order;
        _mostPostings = Math.Min(Array.MaxLength, byteCount / PostingByteCount);
    }

    /// <summary>Inverts the terms from <paramref name="first"/> on and returns the first that is left for the next range.</summary>
    public int Load(int first)
    {
        ReadOnlySpan<int> frequencies = _buffer.DocumentFrequencies;
        _first = first;
        int end = first + 1;
        long postings = frequencies[first];
        while (end < frequencies.Length && postings + frequencies[end] <= _mostPostings)
        {
            postings += frequencies[end++];
        }

        Reserve((int)postings, end - first);
        var next = new int[end - first];
        for (int term = first; term < end; term++)
        {
            next[term - first] = _starts[term - first];
            _starts[term - first + 1] = _starts[term - first] + frequencies[term];
        }

        bool isAll = first == 0 && end == frequencies.Length;
        for (int place = 0; place < _buffer.DocumentCount; place++)
        {
            int document = _order is null ? place : _order[place];
            ReadOnlySpan<int> terms = _buffer.Terms(document);
            int from = isAll ? 0 : LowerBound(terms, first);
            int to = isAll ? terms.Length : LowerBound(terms, end);
            if (from == to)
            {
                continue;
            }

            ReadOnlySpan<float> weights = _buffer.Weights(document);
            for (int i = from; i < to; i++)
            {
                int at = next[terms[i] - first]++;
                _documents[at] = (uint)place;
                _impacts[at] = _quantizer.Quantize(weights[i]);
            }
        }

        return end;
    }

    public int DocumentFrequency(int term) => _buffer.DocumentFrequencies[term];

    /// <summary>Of a term of the range that was loaded last.</summary>
    public ReadOnlySpan<uint> Documents(int term) => _documents.AsSpan(_starts[term - _first], DocumentFrequency(term));

    public ReadOnlySpan<byte> Impacts(int term) => _impacts.AsSpan(_starts[term - _first], DocumentFrequency(term));

    private void Reserve(int postings, int terms)
    {
        if (_documents.Length < postings)
        {
            _documents = [];
            _impacts = [];
            _documents = GC.AllocateUninitializedArray<uint>(postings);
            _impacts = GC.AllocateUninitializedArray<byte>(postings);
        }

        if (_starts.Length <= terms)
        {
            _starts = new int[terms + 1];
        }

        _starts[0] = 0;
    }

    private static int LowerBound(ReadOnlySpan<int> terms, int term)
    {
        int at = terms.BinarySearch(term);
        return at < 0 ? ~at : at;
    }
}
