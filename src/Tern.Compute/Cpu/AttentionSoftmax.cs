using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Compute.Cpu;

/// <summary>What happens to a block of attention's scores [rows, keys] between its products, in Float32 always.</summary>
internal static unsafe class AttentionSoftmax
{
    /// <summary>A row's sum of exponentials adds column j in lane j mod 16, whatever the vector width.</summary>
    public const int SumLanes = 16;

    /// <summary>
    /// Replaces the scores that a row sees by e^(score − greatest) and the others in <paramref name="reach"/>, the rows of a register tile, by zero;
    /// writes each row's greatest score and sum. The first row sees <paramref name="visible"/> keys, a causal row one more
    /// than the row before it. All maxima come first: exponentials that need not wait for their own row's overlap.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ExponentiateRows<TVector>(float* scores, int keyPitch, int rows, bool causal, int visible, int end, int reach, float* maxima, float* sums)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        float* row = scores;
        for (int i = 0; i < rows; i++, row += keyPitch)
        {
            int whole = MaskTail(row, causal ? visible + i : visible, end, reach);
            TVector lanes = TVector.Load(row);
            for (int j = TVector.Count; j < whole; j += TVector.Count)
            {
                lanes = TVector.MaxNative(TVector.Load(row + j), lanes);
            }

            maxima[i] = VectorMath.Max(lanes);
        }

        row = scores;
        for (int i = 0; i < rows; i++, row += keyPitch)
        {
            int whole = Rounding.RoundUp(causal ? visible + i : visible, SumLanes);
            TVector shift = TVector.Broadcast(maxima[i]), sum0 = default, sum1 = default, sum2 = default, sum3 = default;
            for (int j = 0; j < whole; j += SumLanes)
            {
                sum0 = TVector.Add(sum0, Exponentiate(row + j, shift));
                if (TVector.Count < 16)
                {
                    sum1 = TVector.Add(sum1, Exponentiate(row + j + TVector.Count, shift));
                }

                if (TVector.Count < 8)
                {
                    sum2 = TVector.Add(sum2, Exponentiate(row + j + (2 * TVector.Count), shift));
                    sum3 = TVector.Add(sum3, Exponentiate(row + j + (3 * TVector.Count), shift));
                }
            }

            sums[i] = VectorMath.Sum(TVector.Count < 8 ? TVector.Add(TVector.Add(sum0, sum2), TVector.Add(sum1, sum3)) : TVector.Count < 16 ? TVector.Add(sum0, sum1) : sum0);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Exponentiate<TVector>(float* scores, TVector shift)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector exponential = VectorMath.Exp(TVector.Subtract(TVector.Load(scores), shift));
        exponential.Store(scores);
        return exponential;
    }

    /// <summary>Replaces each row's greatest score by ln Σ e^score and its sum by the inverse. Arrays have room for whole vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Normalizers(float* maxima, float* sums, int count)
    {
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            // The greatest score adds 1, so a sum is at least 1, or it is NaN and sum − sum hands that on.
            Vector256<float> sum = Vector256.Load(sums + i);
            (Vector256.Load(maxima + i) + VectorMath.Log(new FloatVector256(sum)).Value + (sum - sum)).Store(maxima + i);
            (Vector256<float>.One / sum).Store(sums + i);
        }
    }

    /// <summary>Replaces scores by probabilities P and dP by dS = P · (dP − outputDot), where a row sees; both are zero beyond, as far as a register tile reaches.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void DifferentiateRows<TVector>(float* scores, float* dScores, int keyPitch, int rows, bool causal, int visible, int end, int reach, float* logSumExp, float* outputDots)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        for (int i = 0; i < rows; i++, scores += keyPitch, dScores += keyPitch)
        {
            int seen = causal ? visible + i : visible;
            int whole = MaskTail(scores, seen, end, reach);
            for (int j = seen; j < Math.Max(whole, Math.Min(end, seen + reach)); j++)
            {
                dScores[j] = 0;
            }

            TVector shift = TVector.Broadcast(logSumExp[i]), dot = TVector.Broadcast(outputDots[i]);
            for (int j = 0; j < whole; j += TVector.Count)
            {
                TVector probability = VectorMath.Exp(TVector.Subtract(TVector.Load(scores + j), shift));
                probability.Store(scores + j);
                TVector.Multiply(probability, TVector.Subtract(TVector.Load(dScores + j), dot)).Store(dScores + j);
            }
        }
    }

    /// <summary>Makes what follows the visible scores −∞ up to whole lanes, whose end is returned, and zero from there as far as other rows of a register tile see, at most to <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int MaskTail(float* scores, int visible, int end, int reach)
    {
        int whole = Rounding.RoundUp(visible, SumLanes), j = visible;
        for (; j < whole; j++)
        {
            scores[j] = float.NegativeInfinity;
        }

        for (end = Math.Min(end, visible + reach); j < end; j++)
        {
            scores[j] = 0;
        }

        return whole;
    }
}
