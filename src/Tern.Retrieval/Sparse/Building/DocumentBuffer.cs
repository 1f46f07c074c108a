namespace Tern.Retrieval;

/// <summary>Documents' terms and weights in the order they were added, while an index is built of them.</summary>
internal abstract class DocumentBuffer(int vocabularySize) : IDisposable
{
    private readonly int[] _frequencies = new int[vocabularySize];

    /// <summary>Number of postings.</summary>
    public long Count { get; private set; }

    public abstract int DocumentCount { get; }

    public int VocabularySize => vocabularySize;

    public float LargestWeight { get; private set; }

    /// <summary>In how many documents each term occurs.</summary>
    public ReadOnlySpan<int> DocumentFrequencies => _frequencies;

    public void Add(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
    {
        Store(terms, weights);
        foreach (int term in terms)
        {
            _frequencies[term]++;
        }

        foreach (float weight in weights)
        {
            LargestWeight = Math.Max(LargestWeight, weight);
        }

        Count += terms.Length;
    }

    /// <summary>Ascending; valid until the next call.</summary>
    public abstract ReadOnlySpan<int> Terms(int document);

    /// <summary>Of <see cref="Terms"/>, one each.</summary>
    public abstract ReadOnlySpan<float> Weights(int document);

    public virtual void Dispose()
    {
    }

    protected abstract void Store(ReadOnlySpan<int> terms, ReadOnlySpan<float> weights);
}
