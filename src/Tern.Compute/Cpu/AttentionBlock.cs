using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tern.Compute.Cpu;

/// <summary>
/// Attention of one key/value head of one sequence. Its rows are copied into the thread's scratch, keys transposed in
/// panels two vectors wide, and all products run there; scores exist for <see cref="RowStep"/> queries at a time, so
/// memory grows with the sequence, not with its square.
/// </summary>
internal static unsafe class AttentionBlock
{
    // Eight register tiles: the scores of 512 keys and their gradients stay in a second-level cache.
    private const int RowStep = 48;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward<TVector>(in AttentionPlan s, int task)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int b = task / s.KeyValueHeadCount, keyColumn = task % s.KeyValueHeadCount * s.HeadSize, size = s.HeadSize;
        int start = s.SequenceStarts.Ints(0)[b], count = s.SequenceStarts.Ints(0)[b + 1] - start;
        int width = 2 * TVector.Count, keyPitch = RoundUp(count, width), pitch = RoundUp(size, width), rowStep = Math.Min(RowStep, count);
        float* keys = ThreadScratch.Task<float>(((nint)keyPitch * size) + ((nint)count * pitch) + ((nint)rowStep * (pitch + pitch + keyPitch)));
        float* values = keys + ((nint)keyPitch * size); // [keys, D]; keys are [panels, D, width]
        float* queries = values + ((nint)count * pitch); // [rows, D]
        float* sums = queries + ((nint)rowStep * pitch); // [rows, D]
        float* scores = sums + ((nint)rowStep * pitch); // [rows, keys]
        if (count == 0)
        {
            return;
        }

        float* maxima = stackalloc float[RowStep];
        float* rowSums = stackalloc float[RowStep];
        PackPanels(s.Key, start, count, keyColumn, size, width, keys);
        CopyRows(s.Value, start, count, keyColumn, size, 1, values, pitch);
        for (int head = keyColumn / size * s.GroupSize; head < ((keyColumn / size) + 1) * s.GroupSize; head++)
        {
            for (int first = 0; first < count; first += rowStep)
            {
                int rows = Math.Min(rowStep, count - first), visible = s.Causal ? first + rows : count;
                CopyRows(s.Query, start + first, rows, head * size, size, s.Scale, queries, pitch);
                for (int j = 0; j < visible; j += width)
                {
                    RegisterTile.Run<TVector>(rows, size, queries, pitch, 1, keys + ((nint)j * size), width, null, 0, scores + j, keyPitch, scores + j);
                }

                for (int i = 0; i < rows; i++)
                {
                    (maxima[i], rowSums[i]) = ExponentiateRow(scores + ((nint)i * keyPitch), s.Causal ? first + i + 1 : count, visible);
                }

                Normalizers(maxima, rowSums, rows);

                for (int d = 0; d < size; d += width)
                {
                    RegisterTile.Run<TVector>(rows, visible, scores, keyPitch, 1, values + d, pitch, null, 0, sums + d, pitch, sums + d);
                }

                for (int i = 0; i < rows; i++)
                {
                    s.LogSumExp.Floats(start + first + i)[head] = maxima[i];
                    ScaleRow(sums + ((nint)i * pitch), rowSums[i], s.Output.Floats(start + first + i) + (head * size), size);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<TVector>(in AttentionPlan s, int task)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int b = task / s.KeyValueHeadCount, keyColumn = task % s.KeyValueHeadCount * s.HeadSize, size = s.HeadSize;
        int start = s.SequenceStarts.Ints(0)[b], count = s.SequenceStarts.Ints(0)[b + 1] - start;
        int width = 2 * TVector.Count, keyPitch = RoundUp(count, width), pitch = RoundUp(size, width), rowStep = Math.Min(RowStep, count);
        float* keyPanels = ThreadScratch.Task<float>((2 * (nint)keyPitch * size) + (3 * (nint)count * pitch) + ((nint)rowStep * ((3 * pitch) + (2 * keyPitch))));
        float* valuePanels = keyPanels + ((nint)keyPitch * size); // as keyPanels: [panels, D, width]
        float* keys = valuePanels + ((nint)keyPitch * size); // [keys, D]
        float* dKeys = keys + ((nint)count * pitch); // [keys, D]
        float* dValues = dKeys + ((nint)count * pitch); // [keys, D]
        float* queries = dValues + ((nint)count * pitch); // [rows, D]
        float* dQueries = queries + ((nint)rowStep * pitch); // [rows, D]
        float* dOutputs = dQueries + ((nint)rowStep * pitch); // [rows, D]
        float* scores = dOutputs + ((nint)rowStep * pitch); // [rows, keys]
        float* dScores = scores + ((nint)rowStep * keyPitch); // [rows, keys]
        if (count == 0)
        {
            return;
        }

        PackPanels(s.Key, start, count, keyColumn, size, width, keyPanels);
        PackPanels(s.Value, start, count, keyColumn, size, width, valuePanels);
        CopyRows(s.Key, start, count, keyColumn, size, 1, keys, pitch);
        new Span<float>(dKeys, checked(2 * count * pitch)).Clear();
        for (int head = keyColumn / size * s.GroupSize; head < ((keyColumn / size) + 1) * s.GroupSize; head++)
        {
            for (int first = 0; first < count; first += rowStep)
            {
                int rows = Math.Min(rowStep, count - first), visible = s.Causal ? first + rows : count;
                CopyRows(s.Query, start + first, rows, head * size, size, s.Scale, queries, pitch);
                CopyRows(s.DOutput, start + first, rows, head * size, size, 1, dOutputs, pitch);
                for (int j = 0; j < visible; j += width)
                {
                    RegisterTile.Run<TVector>(rows, size, queries, pitch, 1, keyPanels + ((nint)j * size), width, null, 0, scores + j, keyPitch, scores + j);
                    RegisterTile.Run<TVector>(rows, size, dOutputs, pitch, 1, valuePanels + ((nint)j * size), width, null, 0, dScores + j, keyPitch, dScores + j);
                }

                for (int i = 0; i < rows; i++)
                {
                    int row = start + first + i;
                    float outputDot = VectorMath.Dot(dOutputs + ((nint)i * pitch), s.Output.Floats(row) + (head * size), size);
                    DifferentiateRow(scores + ((nint)i * keyPitch), dScores + ((nint)i * keyPitch), s.LogSumExp.Floats(row)[head], outputDot, s.Causal ? first + i + 1 : count, visible);
                }

                // The queries carry the scale already, so dKeys needs none; dQueries gets it when copied out.
                for (int d = 0; d < size; d += width)
                {
                    RegisterTile.Run<TVector>(rows, visible, dScores, keyPitch, 1, keys + d, pitch, null, 0, dQueries + d, pitch, dQueries + d);
                    RegisterTile.Run<TVector>(visible, rows, dScores, 1, keyPitch, queries + d, pitch, dKeys + d, pitch, dKeys + d, pitch, dKeys + d);
                    RegisterTile.Run<TVector>(visible, rows, scores, 1, keyPitch, dOutputs + d, pitch, dValues + d, pitch, dValues + d, pitch, dValues + d);
                }

                for (int i = 0; i < rows; i++)
                {
                    ScaleRow(dQueries + ((nint)i * pitch), s.Scale, s.DQuery.Floats(start + first + i) + (head * size), size);
                }
            }
        }

        for (int j = 0; j < count; j++)
        {
            ScaleRow(dKeys + ((nint)j * pitch), 1, s.DKey.Floats(start + j) + keyColumn, size);
            ScaleRow(dValues + ((nint)j * pitch), 1, s.DValue.Floats(start + j) + keyColumn, size);
        }
    }

    /// <summary>
    /// Replaces the first <paramref name="visible"/> scores by e^(score − greatest) and the others below
    /// <paramref name="end"/> by zero; returns the greatest score and the sum.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Greatest, float Sum) ExponentiateRow(float* scores, int visible, int end)
    {
        int whole = MaskTail(scores, visible, end);
        Vector256<float> lanes = Vector256.Create(float.NegativeInfinity);
        for (int j = 0; j < whole; j += VectorMath.Lanes)
        {
            lanes = Vector256.MaxNative(Vector256.Load(scores + j), lanes);
        }

        float greatest = VectorMath.Max(lanes);
        Vector256<float> shift = Vector256.Create(greatest), sums = default;
        for (int j = 0; j < whole; j += VectorMath.Lanes)
        {
            Vector256<float> exponential = VectorMath.Exp(Vector256.Load(scores + j) - shift);
            exponential.Store(scores + j);
            sums += exponential;
        }

        return (greatest, VectorMath.Sum(sums));
    }

    /// <summary>Replaces each row's greatest score by ln Σ e^score and its sum by the inverse. Arrays have room for whole vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalizers(float* maxima, float* sums, int count)
    {
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            // The greatest score adds 1, so a sum is at least 1, or it is NaN and sum − sum hands that on.
            Vector256<float> sum = Vector256.Load(sums + i);
            (Vector256.Load(maxima + i) + VectorMath.Log(sum) + (sum - sum)).Store(maxima + i);
            (Vector256<float>.One / sum).Store(sums + i);
        }
    }

    /// <summary>Replaces scores by probabilities P and dP by dS = P · (dP − outputDot); both are zero from <paramref name="visible"/> on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DifferentiateRow(float* scores, float* dScores, float logSumExp, float outputDot, int visible, int end)
    {
        int whole = MaskTail(scores, visible, end);
        if (end > whole)
        {
            new Span<float>(dScores + whole, end - whole).Clear();
        }

        Vector256<float> shift = Vector256.Create(logSumExp), dot = Vector256.Create(outputDot);
        for (int j = 0; j < whole; j += VectorMath.Lanes)
        {
            Vector256<float> probability = VectorMath.Exp(Vector256.Load(scores + j) - shift);
            probability.Store(scores + j);
            (probability * (Vector256.Load(dScores + j) - dot)).Store(dScores + j);
        }
    }

    /// <summary>Makes what follows the visible scores −∞ up to a whole vector, whose end is returned, and zero from there to <paramref name="end"/>.</summary>
    private static int MaskTail(float* scores, int visible, int end)
    {
        int whole = RoundUp(visible, VectorMath.Lanes);
        for (int j = visible; j < whole; j++)
        {
            scores[j] = float.NegativeInfinity;
        }

        if (end > whole)
        {
            new Span<float>(scores + whole, end - whole).Clear();
        }

        return whole;
    }

    /// <summary>Copies rows' columns of one head as [panels, D, width]: row panel · width + lane, column d at (panel · D + d) · width + lane; missing rows are zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackPanels(Tensor source, int start, int count, int column, int size, int width, float* panels)
    {
        for (int j = 0; j < count; j += 4)
        {
            float* destination = panels + ((nint)(j / width) * width * size) + (j % width);
            float* a = source.Floats(start + j) + column;
            if (count - j >= 4)
            {
                float* b = a + source.RowPitch, c = b + source.RowPitch, e = c + source.RowPitch;
                for (int d = 0; d < size; d++)
                {
                    Vector128.Create(a[d], b[d], c[d], e[d]).Store(destination + (d * width));
                }
            }
            else
            {
                for (int d = 0; d < size; d++)
                {
                    for (int lane = 0; lane < 4; lane++)
                    {
                        destination[(d * width) + lane] = lane < count - j ? a[(lane * source.RowPitch) + d] : 0;
                    }
                }
            }
        }

        for (int j = RoundUp(count, 4); j % width != 0; j += 4)
        {
            float* destination = panels + ((nint)(j / width) * width * size) + (j % width);
            for (int d = 0; d < size; d++)
            {
                Vector128<float>.Zero.Store(destination + (d * width));
            }
        }
    }

    /// <summary>Copies rows' columns of one head times a factor; the rest of each destination row is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyRows(Tensor source, int start, int count, int column, int size, float factor, float* destination, int pitch)
    {
        for (int i = 0; i < count; i++)
        {
            float* row = destination + ((nint)i * pitch);
            ScaleRow(source.Floats(start + i) + column, factor, row, size);
            if (pitch > size)
            {
                new Span<float>(row + size, pitch - size).Clear();
            }
        }
    }

    private static void ScaleRow(float* source, float factor, float* destination, int count)
    {
        Vector256<float> f = Vector256.Create(factor);
        int i = 0;
        for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
        {
            (Vector256.Load(source + i) * f).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = source[i] * factor;
        }
    }

    private static int RoundUp(int value, int multiple) => (value + multiple - 1) / multiple * multiple;
}
