using System.Numerics;
using Tern.Retrieval.Kernels;

namespace Tern.Retrieval;

/// <summary>A query term with a long list.</summary>
internal unsafe struct LongTerm
{
    /// <summary>The row of the term.</summary>
    public int Row;

    public int DocumentFrequency;

    public byte* List;

    /// <summary>Quantised.</summary>
    public uint Weight;

    /// <summary>The most that the term adds to a sum.</summary>
    public uint LargestProduct;

    /// <summary>Whether so many documents hold the term that some window may be a bitmap.</summary>
    public bool MayHaveBitmaps;

    /// <summary>The first block maximum, once a search has bounded leaves.</summary>
    public byte* Maxima;

    /// <summary>Where each window begins in the list; the list begins with them.</summary>
    public readonly uint* WindowOffsets => (uint*)List;
}

/// <summary>A query term with a short list, decoded into the context's buffers.</summary>
internal unsafe struct ShortTerm
{
    public int Row;
    public uint Weight;

    /// <summary>One byte a posting.</summary>
    public byte* Impacts;

    /// <summary>Where the list begins in the buffers.</summary>
    public int First;

    /// <summary>The next posting that the exhaustive scan has not added.</summary>
    public int Next;

    /// <summary>Where the list ends in the buffers.</summary>
    public int End;
}

/// <summary>
/// Everything one search needs while it runs: the query's terms, the buffers, the queue and the floor below which nothing
/// counts. Pooled by the index, one thread at a time.
/// </summary>
internal sealed unsafe class SearchContext : IDisposable
{
    private const int BucketCount = 1024;

    private readonly int[] _buckets = new int[BucketCount];
    private LongTerm[] _longTerms = new LongTerm[64];
    private ShortTerm[] _shortTerms = new ShortTerm[64];
    private int[] _quantized = new int[64];
    private int[] _rows = new int[64];
    private int[] _places = new int[64];
    private float[] _found = new float[64];
    private int _longCount;
    private int _shortCount;
    private int _k;
    private int* _ranks;
    private DocumentFilter? _filter;

    public SearchBuffers Buffers { get; } = new();

    public TopKQueue Queue { get; } = new();

    public SearchKernels Kernels { get; private set; } = SearchKernels.Current;

    /// <summary>The long terms, those first that count in bounds.</summary>
    public Span<LongTerm> LongTerms => _longTerms.AsSpan(0, _longCount);

    public Span<ShortTerm> ShortTerms => _shortTerms.AsSpan(0, _shortCount);

    /// <summary>How many of the long terms count in bounds: all but for an approximation.</summary>
    public int BoundedTermCount { get; private set; }

    /// <summary>Null for an exact search.</summary>
    public SearchApproximation? Approximation { get; private set; }

    /// <summary>What the algorithms have cost so far, as <see cref="SearchCosts"/> reckons.</summary>
    public double Cost { get; set; }

    /// <summary>Postings of all the query's lists.</summary>
    public long PostingCount { get; private set; }

    /// <summary>Of them in short lists.</summary>
    public int ShortPostingCount { get; private set; }

    /// <summary>What one unit of a sum is worth.</summary>
    public float ScoreScale { get; private set; }

    /// <summary>What one unit of a quantised query weight is worth.</summary>
    public float QueryScale { get; private set; }

    /// <summary>Sums below this are of no use; at least 1.</summary>
    public uint Floor { get; private set; }

    public int K => _k;

    /// <summary>Whether documents are collected that reach a fixed floor, and not the k best.</summary>
    public bool IsCollecting { get; private set; }

    public int CollectedCount { get; private set; }

    /// <summary>Whether some documents may not be returned.</summary>
    public bool IsFiltered => _filter is not null;

    /// <summary>Counters of the last block-max search.</summary>
    public int VisitedLeafCount { get; set; }

    public int ScoredLeafCount { get; set; }

    /// <summary>The quantised weight of each term as it was given.</summary>
    public ReadOnlySpan<int> QuantizedWeights(int count) => _quantized.AsSpan(0, count);

    /// <summary>The rows of the query's terms as they were given, −1 for none.</summary>
    public ReadOnlySpan<int> Rows(int count) => _rows.AsSpan(0, count);

    /// <summary>For float32 scores: for each term as given its place in <see cref="Found"/>, −1 for none.</summary>
    public Span<int> Places(int count) => _places.AsSpan(0, count);

    /// <summary>For float32 scores: a document's weights.</summary>
    public Span<float> Found(int count) => _found.AsSpan(0, count);

    /// <summary>Resolves and quantises a checked query and decodes its short lists; terms that no document has are dropped.</summary>
    public void Prepare(Postings postings, ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, int k, DocumentFilter? filter, SearchApproximation? approximation, SearchKernels? kernels)
    {
        if (_rows.Length < terms.Length)
        {
            Array.Resize(ref _longTerms, terms.Length);
            Array.Resize(ref _shortTerms, terms.Length);
            Array.Resize(ref _quantized, terms.Length);
            Array.Resize(ref _rows, terms.Length);
            Array.Resize(ref _places, terms.Length);
            Array.Resize(ref _found, terms.Length);
        }

        Kernels = kernels ?? SearchKernels.Current;
        _k = k;
        _filter = filter;
        Approximation = approximation;
        Cost = 0;
        _ranks = postings.Ranks;
        Queue.Reset(k);
        IsCollecting = false;
        QueryScale = QueryQuantizer.Quantize(weights, _quantized);
        ScoreScale = QueryScale * postings.Parameters.ImpactScale;
        Floor = 1;
        PostingCount = 0;
        ShortPostingCount = 0;
        _longCount = 0;
        _shortCount = 0;
        for (int i = 0; i < terms.Length; i++)
        {
            int row = _rows[i] = weights[i] > 0f ? postings.Find(terms[i]) : -1;
            if (row >= 0)
            {
                Cache.Prefetch(postings.Entry(row));
            }
        }

        int thresholdClass = SegmentFormat.ThresholdClass(k);
        uint seed = 1;
        for (int i = 0; i < terms.Length; i++)
        {
            int row = _rows[i];
            if (row < 0)
            {
                continue;
            }

            TermEntry* entry = postings.Entry(row);
            PostingCount += entry->DocumentFrequency;
            seed = Math.Max(seed, (uint)_quantized[i] * entry->KthImpact(thresholdClass));
            if (entry->IsLong)
            {
                postings.PrefetchLongList(row);
                _longTerms[_longCount++] = new LongTerm { Row = row, DocumentFrequency = entry->DocumentFrequency, List = postings.List(row), Weight = (uint)_quantized[i], LargestProduct = (uint)_quantized[i] * entry->LargestImpact, MayHaveBitmaps = (long)entry->DocumentFrequency * SegmentFormat.WindowSize >= (long)SegmentFormat.BitmapPostingCount * postings.DocumentCount };
            }
            else
            {
                postings.PrefetchShortList(row);
                _shortTerms[_shortCount++] = new ShortTerm { Row = row, Weight = (uint)_quantized[i], First = ShortPostingCount, Next = ShortPostingCount, End = ShortPostingCount + entry->DocumentFrequency };
                ShortPostingCount += entry->DocumentFrequency;
            }
        }

        // Denser lists first: what their windows are like is then easier to guess for a processor.
        BoundedTermCount = approximation is { DroppedShare: > 0 } ? DropWeakest(postings, approximation.DroppedShare) : _longCount;
        SortDenserFirst(LongTerms[..BoundedTermCount]);
        SortDenserFirst(LongTerms[BoundedTermCount..]);
        DecodeShortLists(postings);
        if (filter is null)
        {
            // So many documents reach this that the k best do; it says nothing once some may not be returned.
            Floor = LeastSumScoringAs(seed * ScoreScale, seed);
        }
    }

    /// <summary>The bound that a leaf must reach to be scored, where sums below <paramref name="floor"/> are of no use.</summary>
    public uint Demanded(uint floor) =>
        Approximation is { ThresholdFactor: > 1 } approximation && Queue.HasThreshold ? (uint)Math.Min(int.MaxValue, Math.Ceiling(floor * approximation.ThresholdFactor)) : floor;

    /// <summary>For another pass with the same query: forgets what was offered.</summary>
    public void Restart(uint floor, bool collecting)
    {
        foreach (ref ShortTerm term in ShortTerms)
        {
            term.Next = term.First;
        }

        Floor = Math.Max(1, floor);
        IsCollecting = collecting;
        CollectedCount = 0;
    }

    /// <summary>Forgets the documents that were offered but not the floor that k of them gave; another algorithm offers them again.</summary>
    public void ForgetOffers()
    {
        Queue.Reset(_k);
        CollectedCount = 0;
    }

    /// <summary>Hits below this score are not wanted.</summary>
    public void RequireScore(float score)
    {
        if (score > 0f)
        {
            double sum = Math.Floor(score / (double)ScoreScale);
            Floor = Math.Max(Floor, sum >= int.MaxValue ? int.MaxValue : LeastSumScoringAs(score, (uint)Math.Max(1, sum)));
        }
    }

    /// <summary>A document with its sum, from an algorithm.</summary>
    public void Offer(uint document, uint sum)
    {
        if (sum < Floor || (_filter is not null && !_filter.Contains((int)document)))
        {
            return;
        }

        if (IsCollecting)
        {
            Buffers.Collected.Pointer[CollectedCount++] = document;
        }
        else if (Queue.Push((int)sum * ScoreScale, _ranks[document]))
        {
            TakeThreshold();
        }
    }

    /// <summary>Lets the floor rise as soon as the queue holds a few more than k.</summary>
    public void Tighten()
    {
        if (!IsCollecting && Queue.Tighten())
        {
            TakeThreshold();
        }
    }

    /// <summary>
    /// Many sums at once, none offered yet: where k of them reach a value, lower ones need not be offered. A histogram costs
    /// less than selecting among them again and again.
    /// </summary>
    public void RaiseFloor(ReadOnlySpan<uint> sums)
    {
        if (IsCollecting || _filter is not null || sums.Length < 256 || sums.Length <= 2 * _k)
        {
            return;
        }

        uint most = 0;
        foreach (uint sum in sums)
        {
            most = Math.Max(most, sum);
        }

        int shift = Math.Max(0, 32 - BitOperations.LeadingZeroCount((most - Floor) / BucketCount));
        Array.Clear(_buckets);
        foreach (uint sum in sums)
        {
            _buckets[(int)((sum - Floor) >> shift)]++;
        }

        int bucket = BucketCount - 1;
        for (int above = _buckets[bucket]; above < _k; above += _buckets[bucket])
        {
            bucket--;
        }

        uint reached = Floor + ((uint)bucket << shift);
        Floor = Math.Max(Floor, LeastSumScoringAs((int)reached * ScoreScale, reached));
    }

    /// <summary>After a search that failed half-way: nothing is known about the buffers.</summary>
    public void Clear() => Buffers.Clear();

    public void Dispose() => Buffers.Dispose();

    /// <summary>Fills the products of the short lists, for algorithms that need them all.</summary>
    public void MultiplyShortLists()
    {
        uint* products = Buffers.ShortProducts.Ensure(ShortPostingCount + SegmentFormat.GroupSize);
        foreach (ref readonly ShortTerm term in ShortTerms)
        {
            Kernels.Multiply(term.Impacts, term.End - term.First, term.Weight, products + term.First);
        }
    }

    /// <summary>Puts the terms last that together add at most a share of the greatest sum; returns how many stay before them, at least one.</summary>
    private int DropWeakest(Postings postings, double share)
    {
        LongTerms.Sort(static (a, b) => a.LargestProduct != b.LargestProduct ? b.LargestProduct.CompareTo(a.LargestProduct) : a.Row.CompareTo(b.Row));
        double most = 0;
        foreach (ref readonly LongTerm term in LongTerms)
        {
            most += term.LargestProduct;
        }

        foreach (ref readonly ShortTerm term in ShortTerms)
        {
            most += (double)term.Weight * postings.Entry(term.Row)->LargestImpact;
        }

        int kept = _longCount;
        for (double dropped = 0; kept > 1 && (dropped += _longTerms[kept - 1].LargestProduct) <= share * most;)
        {
            kept--;
        }

        return kept;
    }

    private static void SortDenserFirst(Span<LongTerm> terms) => terms.Sort(static (a, b) => b.DocumentFrequency.CompareTo(a.DocumentFrequency));

    private void DecodeShortLists(Postings postings)
    {
        uint* ids = Buffers.ShortIds.Ensure(ShortPostingCount + SegmentFormat.GroupSize);
        foreach (ref ShortTerm term in ShortTerms)
        {
            byte* widths = postings.List(term.Row);
            int count = term.End - term.First;
            byte* payload = widths + GapCodec.GroupCount(count);
            Kernels.DecodeGaps(widths, payload, count, uint.MaxValue, ids + term.First);
            term.Impacts = payload + GapCodec.PayloadByteCount(widths, count);
        }
    }

    private void TakeThreshold()
    {
        float threshold = Queue.ThresholdScore;
        Floor = Math.Max(Floor, LeastSumScoringAs(threshold, (uint)Math.Clamp((double)threshold / ScoreScale, 1, int.MaxValue)));
    }

    /// <summary>
    /// The least sum whose score reaches a score, searched from a guess. Rounding can give neighbouring sums one score, and
    /// of these any may win by its id.
    /// </summary>
    private uint LeastSumScoringAs(float score, uint guess)
    {
        int sum = (int)Math.Min(guess, int.MaxValue);
        while (sum > 1 && (sum - 1) * ScoreScale >= score)
        {
            sum--;
        }

        while (sum < int.MaxValue && sum * ScoreScale < score)
        {
            sum++;
        }

        return (uint)Math.Max(1, sum);
    }
}
