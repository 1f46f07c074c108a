using System.Runtime.CompilerServices;

namespace Tern.Retrieval;

/// <summary>The arrays that dividing a part needs, for one thread at a time; they grow to the largest part that came by.</summary>
internal sealed class BisectionWorkspace(float[] steps)
{
    // Documents whose gains one task of a large part computes.
    private const int ChunkSize = 4096;

    private int[] _left = [];
    private int[] _right = [];
    private float[] _leftGains = [];
    private float[] _rightGains = [];
    private ulong[] _keys = [];
    private int[] _places = [];

    /// <summary>x(d + 1) − x(d) for x(d) = d · log2(d + 1): how the cost of a term changes with one document more.</summary>
    public static float[] Steps(int documentCount)
    {
        var steps = new float[documentCount + 1];
        for (int d = 0; d < steps.Length; d++)
        {
            steps[d] = (float)(((d + 1) * Math.Log2(d + 2)) - (d * Math.Log2(d + 1)));
        }

        return steps;
    }

    /// <summary>
    /// Decides which documents are in the left half: in each round the documents of both halves are sorted by what moving
    /// them gains, and pairs change places while the sum is positive.
    /// </summary>
    public void Exchange(BisectionPart part, int iterationCount, int threadCount)
    {
        int count = part.DocumentCount, half = count / 2;
        Prepare(part, half);
        for (int iteration = 0; iteration < iterationCount; iteration++)
        {
            ComputeTermGains(part.TermCount, half, count - half);
            ComputeKeys(part, half, threadCount);
            if (threadCount > 1 && count > ChunkSize)
            {
                Parallel.Invoke(new ParallelOptions { MaxDegreeOfParallelism = threadCount }, () => _keys.AsSpan(0, half).Sort(), () => _keys.AsSpan(half, count - half).Sort());
            }
            else
            {
                _keys.AsSpan(0, half).Sort();
                _keys.AsSpan(half, count - half).Sort();
            }

            // Few exchanges mean that the next round would have fewer still.
            if (Swap(part, half) <= count / 200)
            {
                break;
            }
        }
    }

    /// <summary>One half as <see cref="Exchange"/> left it.</summary>
    public BisectionPart Half(BisectionPart part, bool left)
    {
        int half = part.DocumentCount / 2;
        ReadOnlySpan<int> places = left ? _places.AsSpan(0, half) : _places.AsSpan(half, part.DocumentCount - half);
        return part.Take(places, left ? 0 : half, _left);
    }

    private void Prepare(BisectionPart part, int half)
    {
        if (_left.Length < part.TermCount)
        {
            _left = new int[part.TermCount];
            _right = new int[part.TermCount];
            _leftGains = new float[part.TermCount];
            _rightGains = new float[part.TermCount];
        }

        if (_keys.Length < part.DocumentCount)
        {
            _keys = new ulong[part.DocumentCount];
            _places = new int[part.DocumentCount];
        }

        Array.Clear(_left, 0, part.TermCount);
        Array.Clear(_right, 0, part.TermCount);
        for (int i = 0; i < part.DocumentCount; i++)
        {
            _places[i] = i;
            int[] frequencies = i < half ? _left : _right;
            foreach (int term in part.TermsAt(i))
            {
                frequencies[term]++;
            }
        }
    }

    /// <summary>For each term: what moving one of its documents to the other half saves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void ComputeTermGains(int termCount, int leftCount, int rightCount)
    {
        float difference = (float)(Math.Log2(leftCount) - Math.Log2(rightCount));
        int[] left = _left, right = _right;
        for (int term = 0; term < termCount; term++)
        {
            int a = left[term], b = right[term];
            _leftGains[term] = a > 0 ? difference + steps[b] - steps[a - 1] : 0f;
            _rightGains[term] = b > 0 ? steps[a] - steps[b - 1] - difference : 0f;
        }
    }

    /// <summary>For each document its gain, largest first when sorted, with its position, which decides between equals.</summary>
    private void ComputeKeys(BisectionPart part, int half, int threadCount)
    {
        int count = part.DocumentCount;
        if (threadCount == 1 || count <= ChunkSize)
        {
            ComputeKeys(part, half, 0, count);
            return;
        }

        Parallel.For(0, (count + ChunkSize - 1) / ChunkSize, new ParallelOptions { MaxDegreeOfParallelism = threadCount }, chunk =>
            ComputeKeys(part, half, chunk * ChunkSize, Math.Min(count, (chunk + 1) * ChunkSize)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private unsafe void ComputeKeys(BisectionPart part, int half, int first, int end)
    {
        fixed (int* terms = part.Terms, starts = part.Starts, places = _places)
        fixed (float* leftGains = _leftGains, rightGains = _rightGains)
        fixed (ulong* keys = _keys)
        {
            for (int i = first; i < end; i++)
            {
                float* gains = i < half ? leftGains : rightGains;
                int* t = terms + starts[places[i]], last = terms + starts[places[i] + 1];
                // Four sums: one would wait for each addition.
                float s0 = 0f, s1 = 0f, s2 = 0f, s3 = 0f;
                for (; last - t >= 4; t += 4)
                {
                    s0 += gains[t[0]];
                    s1 += gains[t[1]];
                    s2 += gains[t[2]];
                    s3 += gains[t[3]];
                }

                for (; t < last; t++)
                {
                    s0 += gains[*t];
                }

                keys[i] = Key(s0 + s1 + (s2 + s3), i);
            }
        }
    }

    // Ascending keys are descending gains.
    private static ulong Key(float gain, int position)
    {
        uint bits = BitConverter.SingleToUInt32Bits(gain + 0f);
        bits = (bits & 0x8000_0000u) != 0 ? ~bits : bits | 0x8000_0000u;
        return ((ulong)~bits << 32) | (uint)position;
    }

    private static float Gain(ulong key)
    {
        uint bits = ~(uint)(key >> 32);
        return BitConverter.UInt32BitsToSingle((bits & 0x8000_0000u) != 0 ? bits & 0x7FFF_FFFFu : ~bits);
    }

    private int Swap(BisectionPart part, int half)
    {
        int swaps = 0;
        for (int i = 0; i < half && Gain(_keys[i]) + Gain(_keys[half + i]) > 0f; i++, swaps++)
        {
            int one = (int)(uint)_keys[i], other = (int)(uint)_keys[half + i];
            Move(part.TermsAt(_places[one]), _left, _right);
            Move(part.TermsAt(_places[other]), _right, _left);
            (_places[one], _places[other]) = (_places[other], _places[one]);
        }

        return swaps;
    }

    private static void Move(ReadOnlySpan<int> terms, int[] from, int[] to)
    {
        foreach (int term in terms)
        {
            from[term]--;
            to[term]++;
        }
    }
}
