using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Documents' terms and weights in the order they were added, in fixed pieces so that growing copies nothing.</summary>
internal sealed class ForwardBuffer
{
    private const int PieceShift = 20;
    private const int PieceMask = (1 << PieceShift) - 1;

    private readonly List<int[]> _terms = [];
    private readonly List<float[]> _weights = [];
    private readonly List<ulong> _starts = [0];

    public long Count { get; private set; }

    public int DocumentCount => _starts.Count - 1;

    public float LargestWeight { get; private set; }

    public void Add(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
    {
        for (int i = 0; i < terms.Length; i++)
        {
            int at = (int)(Count & PieceMask);
            if (at == 0)
            {
                _terms.Add(GC.AllocateUninitializedArray<int>(1 << PieceShift));
                _weights.Add(GC.AllocateUninitializedArray<float>(1 << PieceShift));
            }

            _terms[^1][at] = terms[i];
            _weights[^1][at] = weights[i];
            LargestWeight = Math.Max(LargestWeight, weights[i]);
            Count++;
        }

        _starts.Add((ulong)Count);
    }

    public long Start(int document) => (long)_starts[document];

    public int Term(long posting) => _terms[(int)(posting >> PieceShift)][(int)(posting & PieceMask)];

    public float Weight(long posting) => _weights[(int)(posting >> PieceShift)][(int)(posting & PieceMask)];

    public void Write<T>(SectionFileWriter writer, Func<float, T> impact)
        where T : unmanaged
    {
        writer.Write<ulong>("fwdstart", System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_starts));
        writer.Begin("fwdterm");
        for (int i = 0; i < _terms.Count; i++)
        {
            writer.Append<int>(_terms[i].AsSpan(0, PieceLength(i)));
        }

        writer.Begin("fwdval");
        var impacts = new T[1 << PieceShift];
        for (int i = 0; i < _weights.Count; i++)
        {
            for (int j = 0; j < PieceLength(i); j++)
            {
                impacts[j] = impact(_weights[i][j]);
            }

            writer.Append<T>(impacts.AsSpan(0, PieceLength(i)));
        }
    }

    private int PieceLength(int piece) => (int)Math.Min(1L << PieceShift, Count - ((long)piece << PieceShift));
}
