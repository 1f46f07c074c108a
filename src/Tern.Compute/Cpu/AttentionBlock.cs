using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Attention of one key/value head of one sequence. Keys, transposed in panels two vectors wide, and values are copied
/// into the task's scratch once for all query heads that share them; scores exist for a block of queries at a time, so
/// memory grows with the sequence, not with its square. What a query must not see is neither multiplied nor read.
/// </summary>
internal static unsafe class AttentionBlock
{
    /// <summary>Queries of a block, in whole register tiles.</summary>
    private const int MaxRows = 96, MinRows = 24;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward<TVector>(in AttentionPlan s, int task, ScratchBuffer scratch)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        AttentionShape shape = ShapeOf<TVector>(s, task);
        int count = shape.Count, size = shape.Size, pitch = shape.Pitch, keyPitch = shape.KeyPitch, rowStep = shape.RowStep;
        nint panelFloats = PanelFloats<TVector>(shape);
        float* keys = scratch.Floats(panelFloats + ((nint)count * pitch) + ((nint)rowStep * (pitch + keyPitch)));
        float* values = keys + panelFloats; // [keys, D]; keys are [panels, D, width]
        float* sums = values + ((nint)count * pitch); // [rows, D]
        float* scores = sums + ((nint)rowStep * pitch); // [rows, keys]
        if (count == 0)
        {
            return;
        }

        float* maxima = stackalloc float[MaxRows + VectorMath.Lanes];
        float* factors = stackalloc float[MaxRows + VectorMath.Lanes];
        PackPanels<TVector>(s.Key, shape, s.Scale, keys);
        CopyRows<TVector>(s.Value, shape.Start, count, shape.KeyColumn, size, values, pitch);
        bool inPlace = size == pitch;
        for (int head = shape.FirstHead; head < shape.FirstHead + s.GroupSize; head++)
        {
            for (int first = 0; first < count; first += rowStep)
            {
                int rows = Math.Min(rowStep, count - first), end = s.Causal ? first + rows : count, row = shape.Start + first;
                ScorePanels<TVector>(s.Causal, first, rows, end, s.Query.Floats(row) + (head * size), s.Query.RowPitch, keys, shape, scores);
                AttentionSoftmax.ExponentiateRows<TVector>(scores, keyPitch, rows, s.Causal, s.Causal ? first + 1 : count, end, AttentionTile.MaxRows, maxima, factors);
                AttentionSoftmax.Normalizers(maxima, factors, rows);
                float* output = s.Output.Floats(row) + (head * size);
                AttentionTile.Run<TVector>(s.Causal ? Triangle.Lower : Triangle.Full, rows, end, pitch, scores, keyPitch, 1, values, pitch, inPlace ? output : sums, inPlace ? s.Output.RowPitch : pitch, false, factors);
                for (int i = 0; i < rows; i++)
                {
                    s.LogSumExp.Floats(row + i)[head] = maxima[i];
                }

                for (int i = 0; i < rows && !inPlace; i++)
                {
                    ScaleRow<TVector>(sums + ((nint)i * pitch), 1, output + ((nint)i * s.Output.RowPitch), size);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<TVector>(in AttentionPlan s, int task, ScratchBuffer scratch)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        AttentionShape shape = ShapeOf<TVector>(s, task);
        int count = shape.Count, size = shape.Size, pitch = shape.Pitch, keyPitch = shape.KeyPitch, rowStep = shape.RowStep;
        nint panelFloats = PanelFloats<TVector>(shape);
        float* keyPanels = scratch.Floats((2 * panelFloats) + (3 * (nint)count * pitch) + ((nint)rowStep * ((3 * pitch) + (2 * keyPitch))));
        float* valuePanels = keyPanels + panelFloats; // as keyPanels: [panels, D, width]
        float* keys = valuePanels + panelFloats; // [keys, D], times the scale as in their panels
        float* dKeys = keys + ((nint)count * pitch); // [keys, D], lacking the scale
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

        float* logSumExp = stackalloc float[MaxRows];
        float* outputDots = stackalloc float[MaxRows]; // dO · O of each row
        PackPanels<TVector>(s.Key, shape, s.Scale, keyPanels);
        PackPanels<TVector>(s.Value, shape, 1, valuePanels);
        CopyRows<TVector>(s.Key, shape.Start, count, shape.KeyColumn, size, keys, pitch, s.Scale);
        new Span<float>(dKeys, checked(2 * count * pitch)).Clear();
        bool inPlace = size == pitch;
        Triangle lower = s.Causal ? Triangle.Lower : Triangle.Full;
        for (int head = shape.FirstHead; head < shape.FirstHead + s.GroupSize; head++)
        {
            for (int first = 0; first < count; first += rowStep)
            {
                int rows = Math.Min(rowStep, count - first), end = s.Causal ? first + rows : count, row = shape.Start + first;
                CopyRows<TVector>(s.Query, row, rows, head * size, size, queries, pitch);
                CopyRows<TVector>(s.DOutput, row, rows, head * size, size, dOutputs, pitch);
                ScorePanels<TVector>(s.Causal, first, rows, end, queries, pitch, keyPanels, shape, scores);
                ScorePanels<TVector>(s.Causal, first, rows, end, dOutputs, pitch, valuePanels, shape, dScores);
                for (int i = 0; i < rows; i++)
                {
                    outputDots[i] = VectorMath.Dot(dOutputs + ((nint)i * pitch), s.Output.Floats(row + i) + (head * size), size);
                    logSumExp[i] = s.LogSumExp.Floats(row + i)[head];
                }

                AttentionSoftmax.DifferentiateRows<TVector>(scores, dScores, keyPitch, rows, s.Causal, s.Causal ? first + 1 : count, end, AttentionTile.MaxRows, logSumExp, outputDots);
                float* dQuery = s.DQuery.Floats(row) + (head * size);
                AttentionTile.Run<TVector>(lower, rows, end, pitch, dScores, keyPitch, 1, keys, pitch, inPlace ? dQuery : dQueries, inPlace ? s.DQuery.RowPitch : pitch, false, null);
                for (int i = 0; i < rows && !inPlace; i++)
                {
                    ScaleRow<TVector>(dQueries + ((nint)i * pitch), 1, dQuery + ((nint)i * s.DQuery.RowPitch), size);
                }

                AddTransposed<TVector>(s.Causal, first, rows, count, dScores, keyPitch, queries, pitch, dKeys);
                AddTransposed<TVector>(s.Causal, first, rows, count, scores, keyPitch, dOutputs, pitch, dValues);
            }
        }

        for (int j = 0; j < count; j++)
        {
            ScaleRow<TVector>(dKeys + ((nint)j * pitch), s.Scale, s.DKey.Floats(shape.Start + j) + shape.KeyColumn, size);
            ScaleRow<TVector>(dValues + ((nint)j * pitch), 1, s.DValue.Floats(shape.Start + j) + shape.KeyColumn, size);
        }
    }

    /// <summary>Products of a block's rows [rows, D] with all keys before <paramref name="end"/>; a causal row's keys only up to its own panel.</summary>
    private static void ScorePanels<TVector>(bool causal, int first, int rows, int end, float* left, nint leftPitch, float* panels, in AttentionShape shape, float* scores)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int width = 2 * TVector.Count;
        for (int j = 0; j < end; j += width)
        {
            int skip = causal ? Math.Max(0, j - first) : 0;
            int columns = end - j > TVector.Count ? width : TVector.Count;
            AttentionTile.Run<TVector>(Triangle.Full, rows - skip, shape.Size, columns, left + (skip * leftPitch), leftPitch, 1, panels + ((nint)j * shape.Size), width, scores + ((nint)skip * shape.KeyPitch) + j, shape.KeyPitch, false, null);
        }
    }

    /// <summary>destination [keys, D] += scoresᵀ [keys, rows] · right [rows, D].</summary>
    private static void AddTransposed<TVector>(bool causal, int first, int rows, int count, float* scores, nint keyPitch, float* right, nint pitch, float* destination)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int seenByAll = causal ? first : count;
        AttentionTile.Run<TVector>(Triangle.Full, seenByAll, rows, (int)pitch, scores, 1, keyPitch, right, pitch, destination, pitch, true, null);
        if (causal)
        {
            AttentionTile.Run<TVector>(Triangle.Upper, rows, rows, (int)pitch, scores + first, 1, keyPitch, right, pitch, destination + (first * pitch), pitch, true, null);
        }
    }

    /// <summary>
    /// Copies rows' columns of one head times a factor as [panels, D, width]: row panel · width + lane, column d at
    /// (panel · D + d) · width + lane. Lanes of missing rows hold anything: their scores are masked.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void PackPanels<TVector>(Tensor source, in AttentionShape shape, float factor, float* panels)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int width = 2 * TVector.Count, count = shape.Count;
        float* rows = source.Floats(shape.Start) + shape.KeyColumn;
        nint pitch = source.RowPitch;
        int j = 0;
        for (; j + TVector.Count <= count; j += TVector.Count)
        {
            float* row = rows + (j * pitch);
            PackRows<TVector>(row, row + pitch, row + (2 * pitch), row + (3 * pitch), pitch, shape.Size, factor, panels + ((nint)(j / width) * width * shape.Size) + (j % width), width);
        }

        for (int last = count - 1; j < count; j += 4)
        {
            PackRows<FloatVector128>(rows + (j * pitch), rows + (Math.Min(j + 1, last) * pitch), rows + (Math.Min(j + 2, last) * pitch), rows + (Math.Min(j + 3, last) * pitch), pitch, shape.Size, factor, panels + ((nint)(j / width) * width * shape.Size) + (j % width), width);
        }
    }

    /// <summary>Transposes as many rows as a vector has lanes: a to d and, for each further quad of lanes, those four rows on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PackRows<TVector>(float* a, float* b, float* c, float* d, nint pitch, int size, float factor, float* destination, int width)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector f = TVector.Broadcast(factor);
        int column = 0;
        for (; column + 4 <= size; column += 4)
        {
            TVector p = TVector.LoadQuads(a + column, pitch), q = TVector.LoadQuads(b + column, pitch), r = TVector.LoadQuads(c + column, pitch), s = TVector.LoadQuads(d + column, pitch);
            TVector.TransposeQuads(ref p, ref q, ref r, ref s);
            TVector.Multiply(p, f).Store(destination);
            TVector.Multiply(q, f).Store(destination + width);
            TVector.Multiply(r, f).Store(destination + (2 * width));
            TVector.Multiply(s, f).Store(destination + (3 * width));
            destination += 4 * width;
        }

        for (; column < size; column++)
        {
            for (int quad = 0; quad < TVector.Count / 4; quad++)
            {
                nint offset = (4 * quad * pitch) + column;
                destination[4 * quad] = a[offset] * factor;
                destination[(4 * quad) + 1] = b[offset] * factor;
                destination[(4 * quad) + 2] = c[offset] * factor;
                destination[(4 * quad) + 3] = d[offset] * factor;
            }

            destination += width;
        }
    }

    /// <summary>Copies rows' columns of one head times a factor; the rest of each destination row is zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void CopyRows<TVector>(Tensor source, int start, int count, int column, int size, float* destination, int pitch, float factor = 1)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        for (int i = 0; i < count; i++)
        {
            float* row = destination + ((nint)i * pitch);
            ScaleRow<TVector>(source.Floats(start + i) + column, factor, row, size);
            if (pitch > size)
            {
                new Span<float>(row + size, pitch - size).Clear();
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScaleRow<TVector>(float* source, float factor, float* destination, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector f = TVector.Broadcast(factor);
        int i = 0;
        for (; i <= count - TVector.Count; i += TVector.Count)
        {
            TVector.Multiply(TVector.Load(source + i), f).Store(destination + i);
        }

        for (; i < count; i++)
        {
            destination[i] = source[i] * factor;
        }
    }

    private static AttentionShape ShapeOf<TVector>(in AttentionPlan plan, int task)
        where TVector : unmanaged, IFloatVector<TVector> =>
        new(plan, task, TVector.Count, AttentionSoftmax.SumLanes, MinRows, MinRows, MaxRows);

    /// <summary>Floats of a sequence's keys or values in panels.</summary>
    private static nint PanelFloats<TVector>(in AttentionShape shape)
        where TVector : unmanaged, IFloatVector<TVector> =>
        (nint)Rounding.RoundUp(shape.Count, 2 * TVector.Count) * shape.Size;
}
