using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>One query term that occurs in the index, and the next of its runs.</summary>
internal struct TermCursor
{
    public int Run;
    public int RunEnd;

    /// <summary>Quantised weight, for Byte impacts.</summary>
    public int Weight;

    /// <summary>The weight as given, for Float32 impacts.</summary>
    public float FloatWeight;
}

/// <summary>
/// Everything one search needs while it runs: the query's cursors, the accumulators of one window and the queue. Pooled
/// by the index, one thread at a time. Accumulators are all zero between searches.
/// </summary>
internal sealed unsafe class SearchContext : IDisposable
{
    // A window needs 16,384, but ids are 16 bits on disk: with room for all of them a damaged posting cannot write elsewhere.
    private const int AccumulatorCount = 1 << 16;

    private TermCursor[] _cursors = new TermCursor[256];
    private int[] _quantized = new int[256];

    public SearchContext() => Accumulators = NativeMemory.AlignedAlloc(AccumulatorCount * sizeof(int), 64);

    /// <summary>65,536 of int or float, 64-byte aligned.</summary>
    public void* Accumulators { get; private set; }

    public TopKQueue Queue { get; } = new();

    public Span<TermCursor> Cursors => _cursors.AsSpan(0, CursorCount);

    public int CursorCount { get; private set; }

    /// <summary>What one unit of an accumulator is worth; 1 for Float32 impacts.</summary>
    public float ScoreScale { get; private set; }

    /// <summary>Resolves and quantises a checked query; terms that no document has are dropped.</summary>
    public void Prepare(Postings postings, ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, int k)
    {
        if (_cursors.Length < terms.Length)
        {
            _cursors = new TermCursor[terms.Length];
            _quantized = new int[terms.Length];
        }

        Queue.Reset(k);
        float queryScale = QueryQuantizer.Quantize(weights, _quantized);
        ScoreScale = postings.Precision == ImpactPrecision.Byte ? queryScale * postings.Parameters.ImpactScale : 1f;
        CursorCount = 0;
        for (int i = 0; i < terms.Length; i++)
        {
            (int first, int end) = weights[i] > 0f ? postings.Runs(terms[i]) : (0, 0);
            if (first < end)
            {
                _cursors[CursorCount++] = new TermCursor { Run = first, RunEnd = end, Weight = _quantized[i], FloatWeight = weights[i] };
            }
        }
    }

    /// <summary>After a search that failed half-way: nothing is known about the accumulators.</summary>
    public void Clear() => NativeMemory.Clear(Accumulators, AccumulatorCount * sizeof(int));

    public void Dispose()
    {
        NativeMemory.AlignedFree(Accumulators);
        Accumulators = null;
    }
}
