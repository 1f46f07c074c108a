using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>Everything one search needs while it runs; pooled by the index, one thread at a time. Allocates only while it grows.</summary>
internal sealed unsafe class DenseSearchContext : IDisposable
{
    /// <summary>Rows whose scores are computed before they are compared: they stay in the first cache.</summary>
    public const int BlockSize = 1024;

    private int[] _candidates = new int[1024];
    private float[] _bounds = new float[1024];
    private float[] _scores = [];
    private int[] _ranks = [];
    private int _count;

    /// <summary>[BlockSize] scores or whole-number sums, 64-byte aligned.</summary>
    public float* Block { get; private set; } = (float*)NativeMemory.AlignedAlloc(BlockSize * sizeof(float), 64);

    public ScanQuery Query { get; } = new();

    /// <summary>The result.</summary>
    public TopKQueue Queue { get; } = new();

    /// <summary>The k best scores that rows have at the least: a row that cannot reach the worst of them is out.</summary>
    public TopKQueue Least { get; } = new();

    public ReadOnlySpan<int> Candidates => _candidates.AsSpan(0, _count);

    public void Reset(int k)
    {
        Queue.Reset(k);
        Least.Reset(k);
        _count = 0;
        if (_scores.Length < k)
        {
            _scores = new float[k];
            _ranks = new int[k];
        }
    }

    /// <summary>A row that may be among the best: its score is between the two.</summary>
    public void Add(int document, int rank, float least, float most)
    {
        Least.Push(least, rank);
        if (_count == _candidates.Length)
        {
            Prune(Least.HasThreshold ? Least.ThresholdScore : float.NegativeInfinity);
            if (_count > _candidates.Length / 2)
            {
                Array.Resize(ref _candidates, 2 * _candidates.Length);
                Array.Resize(ref _bounds, 2 * _bounds.Length);
            }
        }

        _candidates[_count] = document;
        _bounds[_count++] = most;
    }

    /// <summary>Leaves the candidates that can still be among the k best, when all rows were seen.</summary>
    public void Finish(int k)
    {
        int found = Least.Drain(_scores, _ranks);
        if (found == k && k > 0)
        {
            Prune(_scores[k - 1]);
        }
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(Block);
        Block = null;
        Query.Dispose();
    }

    // A row whose greatest possible score equals the threshold may win by its id; one below it cannot.
    private void Prune(float threshold)
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            if (!(_bounds[i] < threshold))
            {
                _candidates[kept] = _candidates[i];
                _bounds[kept++] = _bounds[i];
            }
        }

        _count = kept;
    }
}
