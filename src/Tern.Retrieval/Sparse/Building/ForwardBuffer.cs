namespace Tern.Retrieval;

/// <summary>Documents' terms and weights in the order they were added, in pieces so that growing copies nothing; no document lies across two.</summary>
internal sealed class ForwardBuffer(int vocabularySize) : IDocumentTerms
{
    private const int PieceSize = 1 << 20;

    private readonly List<int[]> _terms = [];
    private readonly List<float[]> _weights = [];
    private readonly List<(int Piece, int Start, int Count)> _documents = [];
    private int _used = PieceSize;

    /// <summary>Number of postings.</summary>
    public long Count { get; private set; }

    public int DocumentCount => _documents.Count;

    public int VocabularySize => vocabularySize;

    public float LargestWeight { get; private set; }

    public void Add(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
    {
        if (_terms.Count == 0 || _terms[^1].Length - _used < terms.Length)
        {
            _terms.Add(GC.AllocateUninitializedArray<int>(Math.Max(PieceSize, terms.Length)));
            _weights.Add(GC.AllocateUninitializedArray<float>(Math.Max(PieceSize, terms.Length)));
            _used = 0;
        }

        terms.CopyTo(_terms[^1].AsSpan(_used));
        weights.CopyTo(_weights[^1].AsSpan(_used));
        foreach (float weight in weights)
        {
            LargestWeight = Math.Max(LargestWeight, weight);
        }

        _documents.Add((_terms.Count - 1, _used, terms.Length));
        _used += terms.Length;
        Count += terms.Length;
    }

    public ReadOnlySpan<int> Terms(int document)
    {
        (int piece, int start, int count) = _documents[document];
        return _terms[piece].AsSpan(start, count);
    }

    public ReadOnlySpan<float> Weights(int document)
    {
        (int piece, int start, int count) = _documents[document];
        return _weights[piece].AsSpan(start, count);
    }
}
