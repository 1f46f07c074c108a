namespace Tern.Retrieval;

/// <summary>Documents in memory, in pieces so that growing copies nothing; no document lies across two. Any number of threads may read.</summary>
internal sealed class ForwardBuffer(int vocabularySize) : DocumentBuffer(vocabularySize), IDocumentTerms
{
    private const int PieceSize = 1 << 20;

    private readonly List<int[]> _terms = [];
    private readonly List<float[]> _weights = [];
    private readonly List<(int Piece, int Start, int Count)> _documents = [];
    private int _used = PieceSize;

    public override int DocumentCount => _documents.Count;

    protected override void Store(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
    {
        if (_terms.Count == 0 || _terms[^1].Length - _used < terms.Length)
        {
            _terms.Add(GC.AllocateUninitializedArray<int>(Math.Max(PieceSize, terms.Length)));
            _weights.Add(GC.AllocateUninitializedArray<float>(Math.Max(PieceSize, terms.Length)));
            _used = 0;
        }

        terms.CopyTo(_terms[^1].AsSpan(_used));
        weights.CopyTo(_weights[^1].AsSpan(_used));
        _documents.Add((_terms.Count - 1, _used, terms.Length));
        _used += terms.Length;
    }

    public override ReadOnlySpan<int> Terms(int document)
    {
        (int piece, int start, int count) = _documents[document];
        return _terms[piece].AsSpan(start, count);
    }

    public override ReadOnlySpan<float> Weights(int document)
    {
        (int piece, int start, int count) = _documents[document];
        return _weights[piece].AsSpan(start, count);
    }
}
