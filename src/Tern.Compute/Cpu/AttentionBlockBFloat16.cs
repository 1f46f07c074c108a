using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Attention of one key/value head of one sequence with products in bfloat16, by the native library: queries (times the
/// scale), keys, values, probabilities and their gradients are rounded before each product; sums and everything between
/// two products are Float32. Blocks and masks are those of <see cref="AttentionBlock"/>, with tiles of fourteen rows.
/// </summary>
internal static unsafe class AttentionBlockBFloat16
{
    private const int TileRows = NativeKernels.TileRows, TileColumns = NativeKernels.TileColumns;

    /// <summary>Queries of a block, in whole register tiles.</summary>
    private const int MaxRows = 7 * TileRows, MinRows = 2 * TileRows;

    // Bytes of a pair of k in a panel, and in a left operand that is stored transposed.
    private const int PanelUnit = TileColumns * sizeof(int), ColumnUnit = 64;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward(in AttentionPlan s, int task, ScratchBuffer scratch)
    {
        AttentionShape shape = ShapeOf(s, task);
        int count = shape.Count, size = shape.Size, pitch = shape.Pitch, keyPitch = shape.KeyPitch, rowStep = shape.RowStep;
        nint leftPitch = BFloat16Kernel.RowPitch(size), probabilityPitch = BFloat16Kernel.RowPitch(count), keyPanelBytes = KeyPanelBytes(count, size), columnPanelBytes = ColumnPanelBytes(count, size);
        byte* keys = scratch.Elements<byte>(keyPanelBytes + columnPanelBytes + (rowStep * (leftPitch + probabilityPitch + (sizeof(float) * (nint)((2 * pitch) + keyPitch)))));
        byte* values = keys + keyPanelBytes;
        byte* left = values + columnPanelBytes; // [rows, D]
        byte* probabilities = left + (rowStep * leftPitch); // [rows, keys]
        float* queries = (float*)(probabilities + (rowStep * probabilityPitch)); // [rows, D]
        float* sums = queries + ((nint)rowStep * pitch); // [rows, D]
        float* scores = sums + ((nint)rowStep * pitch); // [rows, keys]
        if (count == 0)
        {
            return;
        }

        float* maxima = stackalloc float[MaxRows + VectorMath.Lanes];
        float* factors = stackalloc float[MaxRows + VectorMath.Lanes];
        PackKeys(s.Key, shape, keys);
        PackColumns(s.Value.Floats(shape.Start) + shape.KeyColumn, s.Value.RowPitch, count, size, values);
        bool inPlace = size == pitch;
        for (int head = shape.FirstHead; head < shape.FirstHead + s.GroupSize; head++)
        {
            for (int first = 0; first < count; first += rowStep)
            {
                int rows = Math.Min(rowStep, count - first), end = s.Causal ? first + rows : count, row = shape.Start + first;
                AttentionBlock.CopyRows<FloatVector512>(s.Query, row, rows, head * size, size, queries, pitch, s.Scale);
                NativeKernels.PackRowsBFloat16(queries, pitch, rows, size, left, leftPitch);
                Score(s.Causal, first, rows, end, left, keys, shape, scores);
                AttentionSoftmax.ExponentiateRows<FloatVector512>(scores, keyPitch, rows, s.Causal, s.Causal ? first + 1 : count, end, TileRows, maxima, factors);
                AttentionSoftmax.Normalizers(maxima, factors, rows);
                NativeKernels.PackRowsBFloat16(scores, keyPitch, rows, end, probabilities, probabilityPitch);
                float* output = s.Output.Floats(row) + (head * size);
                float* to = inPlace ? output : sums;
                nint toPitch = inPlace ? s.Output.RowPitch : pitch;
                Combine(s.Causal, first, rows, end, probabilities, probabilityPitch, values, shape, to, toPitch);
                for (int i = 0; i < rows; i++)
                {
                    s.LogSumExp.Floats(row + i)[head] = maxima[i];
                    AttentionBlock.ScaleRow<FloatVector512>(to + (i * toPitch), factors[i], output + ((nint)i * s.Output.RowPitch), size);
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward(in AttentionPlan s, int task, ScratchBuffer scratch)
    {
        AttentionShape shape = ShapeOf(s, task);
        int count = shape.Count, size = shape.Size, pitch = shape.Pitch, keyPitch = shape.KeyPitch, rowStep = shape.RowStep;
        nint leftPitch = BFloat16Kernel.RowPitch(size), dScorePitch = BFloat16Kernel.RowPitch(count), keyPanelBytes = KeyPanelBytes(count, size), columnPanelBytes = ColumnPanelBytes(count, size), blockPanels = ColumnPanelBytes(rowStep, size);
        nint transposed = Math.Max(rowStep * dScorePitch, (nint)Rounding.CeilingDivide(count, TileRows) * ColumnPitch(rowStep));
        byte* keyPanels = scratch.Elements<byte>((2 * keyPanelBytes) + columnPanelBytes + (2 * rowStep * leftPitch) + (2 * blockPanels) + transposed
            + (sizeof(float) * ((2 * (nint)count * pitch) + ((nint)rowStep * ((2 * pitch) + (2 * keyPitch))))));
        byte* valuePanels = keyPanels + keyPanelBytes;
        byte* keys = valuePanels + keyPanelBytes; // panels of columns of D
        byte* left = keys + columnPanelBytes; // [rows, D]: queries, then output gradients
        byte* dOutputLeft = left + (rowStep * leftPitch);
        byte* queryPanels = dOutputLeft + (rowStep * leftPitch); // panels of columns of D, as deep as the block has rows
        byte* dOutputPanels = queryPanels + blockPanels;
        byte* narrow = dOutputPanels + blockPanels; // [rows, keys] or its transpose
        float* dKeys = (float*)(narrow + transposed); // [keys, D]
        float* dValues = dKeys + ((nint)count * pitch); // [keys, D]
        float* queries = dValues + ((nint)count * pitch); // [rows, D], times the scale
        float* dQueries = queries + ((nint)rowStep * pitch); // [rows, D], lacking the scale
        float* scores = dQueries + ((nint)rowStep * pitch); // [rows, keys]
        float* dScores = scores + ((nint)rowStep * keyPitch); // [rows, keys]
        if (count == 0)
        {
            return;
        }

        float* logSumExp = stackalloc float[MaxRows];
        float* outputDots = stackalloc float[MaxRows]; // dO · O of each row
        PackKeys(s.Key, shape, keyPanels);
        PackKeys(s.Value, shape, valuePanels);
        PackColumns(s.Key.Floats(shape.Start) + shape.KeyColumn, s.Key.RowPitch, count, size, keys);
        new Span<float>(dKeys, checked(2 * count * pitch)).Clear();
        for (int head = shape.FirstHead; head < shape.FirstHead + s.GroupSize; head++)
        {
            for (int first = 0; first < count; first += rowStep)
            {
                int rows = Math.Min(rowStep, count - first), end = s.Causal ? first + rows : count, row = shape.Start + first;
                float* dOutput = s.DOutput.Floats(row) + (head * size);
                AttentionBlock.CopyRows<FloatVector512>(s.Query, row, rows, head * size, size, queries, pitch, s.Scale);
                NativeKernels.PackRowsBFloat16(queries, pitch, rows, size, left, leftPitch);
                NativeKernels.PackRowsBFloat16(dOutput, s.DOutput.RowPitch, rows, size, dOutputLeft, leftPitch);
                PackColumns(queries, pitch, rows, size, queryPanels);
                PackColumns(dOutput, s.DOutput.RowPitch, rows, size, dOutputPanels);
                Score(s.Causal, first, rows, end, left, keyPanels, shape, scores);
                Score(s.Causal, first, rows, end, dOutputLeft, valuePanels, shape, dScores);
                for (int i = 0; i < rows; i++)
                {
                    outputDots[i] = VectorMath.Dot(dOutput + ((nint)i * s.DOutput.RowPitch), s.Output.Floats(row + i) + (head * size), size);
                    logSumExp[i] = s.LogSumExp.Floats(row + i)[head];
                }

                AttentionSoftmax.DifferentiateRows<FloatVector512>(scores, dScores, keyPitch, rows, s.Causal, s.Causal ? first + 1 : count, end, TileRows, logSumExp, outputDots);
                NativeKernels.PackRowsBFloat16(dScores, keyPitch, rows, end, narrow, dScorePitch);
                Combine(s.Causal, first, rows, end, narrow, dScorePitch, keys, shape, dQueries, pitch);
                for (int i = 0; i < rows; i++)
                {
                    AttentionBlock.ScaleRow<FloatVector512>(dQueries + ((nint)i * pitch), s.Scale, s.DQuery.Floats(row + i) + (head * size), size);
                }

                AddTransposed(s.Causal, first, rows, end, dScores, keyPitch, queryPanels, shape, narrow, dKeys);
                AddTransposed(s.Causal, first, rows, end, scores, keyPitch, dOutputPanels, shape, narrow, dValues);
            }
        }

        for (int j = 0; j < count; j++)
        {
            AttentionBlock.ScaleRow<FloatVector512>(dKeys + ((nint)j * pitch), 1, s.DKey.Floats(shape.Start + j) + shape.KeyColumn, size);
            AttentionBlock.ScaleRow<FloatVector512>(dValues + ((nint)j * pitch), 1, s.DValue.Floats(shape.Start + j) + shape.KeyColumn, size);
        }
    }

    /// <summary>scores [rows, keys] = left [rows, D] · panels, keys before <paramref name="end"/>; a causal row's keys only up to its own panel.</summary>
    private static void Score(bool causal, int first, int rows, int end, byte* left, byte* panels, in AttentionShape shape, float* scores)
    {
        nint leftPitch = BFloat16Kernel.RowPitch(shape.Size);
        for (int j = 0; j < end; j += TileColumns, panels += PanelBytes(shape.Size))
        {
            int skip = causal ? Math.Max(0, j - first) : 0;
            float* to = scores + ((nint)skip * shape.KeyPitch) + j;
            NativeKernels.MultiplyBFloat16(left + (skip * leftPitch), leftPitch, sizeof(int), rows - skip, shape.Size, panels, null, 0, to, shape.KeyPitch, to + TileColumns, null);
        }
    }

    /// <summary>destination [rows, D] = left [rows, keys] · panels, keys before <paramref name="end"/>; a causal register tile's keys only up to its last row's.</summary>
    private static void Combine(bool causal, int first, int rows, int end, byte* left, nint leftPitch, byte* panels, in AttentionShape shape, float* destination, nint pitch)
    {
        for (int column = 0; column < shape.Size; column += TileColumns, panels += PanelBytes(shape.Count), destination += TileColumns)
        {
            int step = causal ? TileRows : rows;
            for (int i = 0; i < rows; i += step)
            {
                int height = Math.Min(step, rows - i);
                float* to = destination + (i * pitch);
                NativeKernels.MultiplyBFloat16(left + (i * leftPitch), leftPitch, sizeof(int), height, causal ? first + i + height : end, panels, null, 0, to, pitch, to + (height * pitch), null);
            }
        }
    }

    /// <summary>destination [keys, D] += leftᵀ [keys, rows] · panels; a causal register tile of keys begins at the first row that sees one of them.</summary>
    private static void AddTransposed(bool causal, int first, int rows, int end, float* left, nint keyPitch, byte* panels, in AttentionShape shape, byte* transposed, float* destination)
    {
        nint columnPitch = ColumnPitch(rows), pitch = shape.Pitch;
        NativeKernels.PackColumnsBFloat16(left, keyPitch, end, rows, transposed, columnPitch);
        for (int column = 0; column < shape.Size; column += TileColumns, panels += PanelBytes(rows))
        {
            byte* keys = transposed;
            for (int j = 0; j < end; j += TileRows, keys += columnPitch)
            {
                int skip = causal && j > first ? (j - first) / 2 : 0;
                float* to = destination + (j * pitch) + column;
                NativeKernels.MultiplyBFloat16(keys + (skip * ColumnUnit), sizeof(int), ColumnUnit, Math.Min(TileRows, end - j), rows - (2 * skip), panels + (skip * PanelUnit), to, pitch, to, pitch, to + (TileRows * pitch), null);
            }
        }
    }

    /// <summary>Rows' columns of one head in panels of rows: the right operand of a product over D.</summary>
    private static void PackKeys(Tensor source, in AttentionShape shape, byte* panels)
    {
        for (int j = 0; j < shape.Count; j += TileColumns, panels += PanelBytes(shape.Size))
        {
            NativeKernels.PackPanelBFloat16(source.Floats(shape.Start + j) + shape.KeyColumn, sizeof(float), source.RowPitch, 1, Math.Min(TileColumns, shape.Count - j), shape.Size, panels);
        }
    }

    /// <summary>Rows' columns of one head in panels of columns: the right operand of a product over the rows.</summary>
    private static void PackColumns(float* source, nint pitch, int rows, int size, byte* panels)
    {
        for (int column = 0; column < size; column += TileColumns, panels += PanelBytes(rows))
        {
            NativeKernels.PackPanelBFloat16(source + column, sizeof(float), pitch, 0, Math.Min(TileColumns, size - column), rows, panels);
        }
    }

    private static nint PanelBytes(int depth) => (nint)((depth + 1) / 2) * PanelUnit;

    private static nint KeyPanelBytes(int rows, int size) => Rounding.CeilingDivide(rows, TileColumns) * PanelBytes(size);

    private static nint ColumnPanelBytes(int rows, int size) => Rounding.CeilingDivide(size, TileColumns) * PanelBytes(rows);

    private static nint ColumnPitch(int rows) => (nint)((rows + 1) / 2) * ColumnUnit;

    private static AttentionShape ShapeOf(in AttentionPlan plan, int task) => new(plan, task, TileColumns, TileColumns, TileRows, MinRows, MaxRows);
}
