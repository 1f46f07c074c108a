using System.Runtime.InteropServices;

namespace Tern.Retrieval;

/// <summary>A sparse representation: term ids ascending and distinct, weights finite and greater than zero. Immutable.</summary>
public sealed class SparseVector
{
    public static readonly SparseVector Empty = new([], []);

    private readonly int[] _terms;
    private readonly float[] _weights;

    /// <summary>Takes ownership of both arrays after checking them.</summary>
    public SparseVector(int[] terms, float[] weights)
    {
        if (terms.Length != weights.Length)
        {
            throw new ArgumentException($"a sparse vector needs one weight per term: {terms.Length} terms, {weights.Length} weights", nameof(weights));
        }

        for (int i = 0; i < terms.Length; i++)
        {
            if (terms[i] < 0 || (i > 0 && terms[i] <= terms[i - 1]))
            {
                throw new ArgumentException($"term ids of a sparse vector must be ascending, distinct and not negative; at {i} there is {terms[i]}{(i > 0 ? $" after {terms[i - 1]}" : "")}", nameof(terms));
            }

            if (!(weights[i] > 0f) || float.IsInfinity(weights[i]))
            {
                throw new ArgumentException($"weights of a sparse vector must be finite and greater than zero; term {terms[i]} has {weights[i]}", nameof(weights));
            }
        }

        _terms = terms;
        _weights = weights;
    }

    public ReadOnlyMemory<int> Terms => _terms;

    public ReadOnlyMemory<float> Weights => _weights;

    /// <summary>Number of non-zero terms.</summary>
    public int Count => _terms.Length;

    /// <summary>
    /// The positive entries of a dense row, or only the <paramref name="top"/> heaviest of them when top &gt; 0 (of equal
    /// weights the smaller term id stays). NaN and infinity are refused.
    /// </summary>
    public static SparseVector FromDense(ReadOnlySpan<float> values, int top = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        int count = 0;
        foreach (float value in values)
        {
            count += value > 0f ? 1 : 0;
            if (!float.IsFinite(value))
            {
                throw new ArgumentException($"the dense row holds {value}", nameof(values));
            }
        }

        var terms = new int[count];
        var weights = new float[count];
        int next = 0;
        for (int term = 0; term < values.Length; term++)
        {
            if (values[term] > 0f)
            {
                terms[next] = term;
                weights[next++] = values[term];
            }
        }

        return count == 0 ? Empty : new SparseVector(terms, weights).Top(top);
    }

    /// <summary>Sums the weights of equal terms and sorts; zero sums vanish, negative ones are refused.</summary>
    public static SparseVector FromPairs(IEnumerable<(int Term, float Weight)> pairs)
    {
        var sums = new SortedDictionary<int, float>();
        foreach ((int term, float weight) in pairs)
        {
            sums[term] = sums.GetValueOrDefault(term) + weight;
        }

        var kept = sums.Where(pair => pair.Value != 0f).ToList();
        return new SparseVector([.. kept.Select(pair => pair.Key)], [.. kept.Select(pair => pair.Value)]);
    }

    /// <summary>This vector with only its <paramref name="count"/> heaviest terms; 0 keeps all.</summary>
    public SparseVector Top(int count)
    {
        if (count == 0 || count >= Count)
        {
            return this;
        }

        int[] order = [.. Enumerable.Range(0, Count)];
        Array.Sort(order, (a, b) => _weights[a] != _weights[b] ? _weights[b].CompareTo(_weights[a]) : a.CompareTo(b));
        Array.Resize(ref order, count);
        Array.Sort(order);
        return new SparseVector(Array.ConvertAll(order, i => _terms[i]), Array.ConvertAll(order, i => _weights[i]));
    }

    /// <summary>Inner product over the shared terms, in ascending order of term.</summary>
    public float Dot(SparseVector other)
    {
        float sum = 0f;
        for (int i = 0, j = 0; i < _terms.Length && j < other._terms.Length;)
        {
            if (_terms[i] == other._terms[j])
            {
                sum += _weights[i++] * other._weights[j++];
            }
            else if (_terms[i] < other._terms[j])
            {
                i++;
            }
            else
            {
                j++;
            }
        }

        return sum;
    }

    /// <summary>The weight of a term, 0 when it is absent.</summary>
    public float this[int term]
    {
        get
        {
            int at = Array.BinarySearch(_terms, term);
            return at < 0 ? 0f : _weights[at];
        }
    }

    internal ReadOnlySpan<int> TermSpan => _terms;

    internal ReadOnlySpan<float> WeightSpan => _weights;

    /// <summary>For callers inside this project whose arrays are valid by construction.</summary>
    internal static SparseVector Trusted(ReadOnlySpan<uint> terms, float[] weights) => new(MemoryMarshal.Cast<uint, int>(terms).ToArray(), weights);
}
