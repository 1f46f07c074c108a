namespace Tern.Retrieval;

/// <summary>
/// Inverts a forward buffer: each term's documents, ascending, beside their impacts. Counting sort: two passes over the
/// postings, no comparison.
/// </summary>
internal sealed class InvertedLists
{
    private readonly long[] _starts; // [V + 1]
    private readonly uint[] _documents;
    private readonly byte[] _impacts;

    /// <param name="order">The document (in the order of adding) at each place of the index; null keeps the order.</param>
    public InvertedLists(ForwardBuffer forward, int vocabularySize, ImpactQuantizer quantizer, int[]? order)
    {
        if (forward.Count > Array.MaxLength)
        {
            throw new InvalidOperationException($"{forward.Count} postings are more than one in-memory build can hold ({Array.MaxLength}); split the documents over several indexes");
        }

        _starts = new long[vocabularySize + 1];
        for (int document = 0; document < forward.DocumentCount; document++)
        {
            foreach (int term in forward.Terms(document))
            {
                _starts[term + 1]++;
            }
        }

        for (int term = 0; term < vocabularySize; term++)
        {
            _starts[term + 1] += _starts[term];
        }

        _documents = GC.AllocateUninitializedArray<uint>((int)forward.Count);
        _impacts = GC.AllocateUninitializedArray<byte>((int)forward.Count);
        long[] next = _starts.AsSpan(0, vocabularySize).ToArray();
        for (int place = 0; place < forward.DocumentCount; place++)
        {
            int document = order is null ? place : order[place];
            ReadOnlySpan<int> terms = forward.Terms(document);
            ReadOnlySpan<float> weights = forward.Weights(document);
            for (int i = 0; i < terms.Length; i++)
            {
                long at = next[terms[i]]++;
                _documents[at] = (uint)place;
                _impacts[at] = quantizer.Quantize(weights[i]);
            }
        }
    }

    public int VocabularySize => _starts.Length - 1;

    public int DocumentFrequency(int term) => (int)(_starts[term + 1] - _starts[term]);

    public ReadOnlySpan<uint> Documents(int term) => _documents.AsSpan((int)_starts[term], DocumentFrequency(term));

    public ReadOnlySpan<byte> Impacts(int term) => _impacts.AsSpan((int)_starts[term], DocumentFrequency(term));
}
