using System.Runtime.CompilerServices;

namespace Tern.Retrieval;

/// <summary>
/// Keeps the k best of (score, rank) pairs under the total order: score descending, then rank descending. The rank of a
/// document is its place among all external ids of the index in ascending byte order, so a larger id wins a tie. The
/// result does not depend on the order of pushes. Reusable through <see cref="Reset"/>; not thread-safe.
/// </summary>
public sealed class TopKQueue
{
    // One comparison orders a pair: the score's bits, mapped so that unsigned order is float order, above the rank.
    private ulong[] _keys = [];
    private int _count;
    private int _k;
    private ulong _threshold;

    /// <summary>Empties the queue and sets its size; allocates only when k grows.</summary>
    public void Reset(int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        // Room for k more (and a few) lets pushes go unsorted: one selection per k pushes is O(1) a push.
        int capacity = checked((2 * k) + 64);
        if (_keys.Length < capacity)
        {
            _keys = new ulong[capacity];
        }

        _k = k;
        _count = 0;
        _threshold = 0;
    }

    /// <summary>True once scores below <see cref="ThresholdScore"/> can no longer enter.</summary>
    public bool HasThreshold => _threshold != 0;

    /// <summary>A score below this cannot enter; an equal one may, by its rank. Meaningful while <see cref="HasThreshold"/>.</summary>
    public float ThresholdScore => ScoreOf(_threshold);

    /// <summary>Whether as many were offered as are kept.</summary>
    internal bool IsFull => _count >= _k;

    /// <summary>False when the pair cannot be among the k best; true may still be a false alarm.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool WouldEnter(float score, int rank) => KeyOf(score, rank) > _threshold;

    /// <summary>Offers a pair and says whether the threshold rose; a NaN score is refused.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Push(float score, int rank)
    {
        ulong key = KeyOf(score, rank);
        if (key <= _threshold || _k == 0)
        {
            return false;
        }

        if (float.IsNaN(score))
        {
            ThrowNaN(rank);
        }

        _keys[_count++] = key;
        if (_count == (2 * _k) + 64)
        {
            KeepBest();
            return true;
        }

        return false;
    }

    /// <summary>Selects as soon as there are a few more than k, for callers that a higher threshold saves more; says whether it did.</summary>
    internal bool Tighten()
    {
        if (_k == 0 || _count < _k + Math.Max(8, _k / 4))
        {
            return false;
        }

        KeepBest();
        return true;
    }

    /// <summary>Writes the best pairs in order and returns how many there are: min(k, pushed). Empties the queue.</summary>
    public int Drain(Span<float> scores, Span<int> ranks)
    {
        int count = Sort();
        for (int i = 0; i < count; i++)
        {
            scores[i] = ScoreOf(_keys[i]);
            ranks[i] = (int)(uint)_keys[i];
        }

        _count = 0;
        return count;
    }

    /// <summary>Writes the best as hits, translating ranks to documents. Empties the queue.</summary>
    internal int Drain(ReadOnlySpan<int> documentOfRank, Span<Hit> hits)
    {
        int count = Sort();
        for (int i = 0; i < count; i++)
        {
            hits[i] = new Hit(documentOfRank[(int)(uint)_keys[i]], ScoreOf(_keys[i]));
        }

        _count = 0;
        return count;
    }

    /// <summary>The ranks of the k best so far, in no order, and how many there are: fewer if fewer were offered. The queue stays as it is.</summary>
    internal int GetBest(Span<int> ranks)
    {
        if (_count > _k)
        {
            KeepBest();
        }

        for (int i = 0; i < _count; i++)
        {
            ranks[i] = (int)(uint)_keys[i];
        }

        return _count;
    }

    private int Sort()
    {
        if (_count > _k)
        {
            KeepBest();
        }

        _keys.AsSpan(0, _count).Sort();
        _keys.AsSpan(0, _count).Reverse();
        return _count;
    }

    private void KeepBest()
    {
        Select(_keys, _count, _k);
        _count = _k;
        ulong least = ulong.MaxValue;
        foreach (ulong key in _keys.AsSpan(0, _k))
        {
            least = Math.Min(least, key);
        }

        _threshold = least;
    }

    /// <summary>Moves the k largest of the first n keys to the front (quickselect; keys are distinct per document).</summary>
    private static void Select(ulong[] keys, int n, int k)
    {
        int low = 0, high = n - 1, target = k - 1;
        while (low < high)
        {
            ulong pivot = keys[low + ((high - low) >> 1)];
            int i = low, j = high;
            while (i <= j)
            {
                while (keys[i] > pivot)
                {
                    i++;
                }

                while (keys[j] < pivot)
                {
                    j--;
                }

                if (i <= j)
                {
                    (keys[i], keys[j]) = (keys[j], keys[i]);
                    i++;
                    j--;
                }
            }

            if (target <= j)
            {
                high = j;
            }
            else if (target >= i)
            {
                low = i;
            }
            else
            {
                return;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong KeyOf(float score, int rank)
    {
        // Adding 0 turns −0 into +0, which are one score.
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);
        bits = (bits & 0x8000_0000u) != 0 ? ~bits : bits | 0x8000_0000u;
        return ((ulong)bits << 32) | (uint)rank;
    }

    private static float ScoreOf(ulong key)
    {
        uint bits = (uint)(key >> 32);
        return BitConverter.UInt32BitsToSingle((bits & 0x8000_0000u) != 0 ? bits & 0x7FFF_FFFFu : ~bits);
    }

    private static void ThrowNaN(int rank) => throw new ArgumentException($"the score of the document at id rank {rank} is not a number");
}
