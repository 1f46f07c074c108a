using Tern.Compute;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>Losses over rows of scores, the FLOPS regulariser, the optimiser.</summary>
public sealed partial class CudaBackend
{
    /// <summary>What one block of a sum of squares takes at a time, and the most blocks; the kernels' own numbers.</summary>
    private const int SquareChunk = 1024, MaxSquareBlocks = 1024;

    private Tensor[] _squared = []; // those whose addresses and counts the table has
    private CudaDeviceVariable? _squaredTable;

    public void InfoNceForward(Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses)
    {
        using CudaRange range = Begin();
        CheckDevice(labels, DType.Int32);
        CheckVector(losses, scores.Rows);
        CheckVector(logSumExp, scores.Rows);
        Launch("tern_info_nce_forward_f32", Dense(scores), labels, inverseTemperature, scores.Rows, scores.Columns, logSumExp, losses);
    }

    public void InfoNceBackward(Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores)
    {
        using CudaRange range = Begin();
        CheckDevice(labels, DType.Int32);
        CheckVector(logSumExp, scores.Rows);
        CheckSameShape(scores, accumulateDScores);
        Tensor sum = Dense(accumulateDScores);
        Launch("tern_info_nce_backward_f32", Dense(scores), labels, logSumExp, inverseTemperature, weight, scores.Rows, scores.Columns, sum);
        CopyBack(sum, accumulateDScores);
    }

    public void KlDivergenceForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses) =>
        DistillForward("tern_kl_divergence_forward_f32", nameof(KlDivergenceForward), student, teacher, inverseTemperature, losses);

    public void KlDivergenceBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent) =>
        DistillBackward("tern_kl_divergence_backward_f32", nameof(KlDivergenceBackward), student, teacher, inverseTemperature, weight, accumulateDStudent);

    public void MarginMseForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses) =>
        DistillForward("tern_margin_mse_forward_f32", nameof(MarginMseForward), student, teacher, inverseTemperature, losses);

    public void MarginMseBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent) =>
        DistillBackward("tern_margin_mse_backward_f32", nameof(MarginMseBackward), student, teacher, inverseTemperature, weight, accumulateDStudent);

    public double FlopsForward(Tensor values, Tensor columnMeans)
    {
        using CudaRange range = Begin();
        CheckVector(columnMeans, values.Columns);
        Launch("tern_column_means_f32", values, (long)values.RowPitch, values.Rows, values.Columns, columnMeans);
        return SquaredSum(columnMeans);
    }

    public void FlopsBackward(Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues)
    {
        using CudaRange range = Begin();
        CheckVector(columnMeans, values.Columns);
        CheckSameShape(values, accumulateDValues);
        Launch("tern_flops_backward_f32", values, (long)values.RowPitch, columnMeans, weight, values.Rows, values.Columns, (long)accumulateDValues.RowPitch, accumulateDValues);
    }

    public double SumOfSquares(Tensor values)
    {
        using CudaRange range = Begin();
        CheckDevice(values, DType.Float32);
        return SquaredSum(Dense(values));
    }

    public double SumOfSquares(IReadOnlyList<Tensor> values)
    {
        using CudaRange range = Begin();
        long chunks = 0;
        for (int i = 0; i < values.Count; i++)
        {
            CheckDevice(values[i], DType.Float32);
            if (!values[i].IsContiguous)
            {
                throw new ArgumentException($"{values[i]}: sums of squares of many tensors take such without gaps");
            }

            chunks += ((long)values[i].ElementCount + SquareChunk - 1) / SquareChunk;
        }

        if (chunks == 0)
        {
            return 0;
        }

        int blocks = (int)Math.Min(chunks, MaxSquareBlocks);
        nint table = SquaredTable(values);
        Tensor partials = _arena.Take(DType.Int32, blocks, 2), total = _arena.Take(DType.Int32, 1, 2);
        Launch("tern_sums_of_squares_f32", table, table + (values.Count * sizeof(long)), values.Count, blocks, partials);
        Launch("tern_sum_f64", partials, (long)blocks, total);
        return ReadNumber(total);
    }

    public void AdamW(Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter)
    {
        using CudaRange range = Begin();
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        CheckDevice(parameter, DType.Float32);
        CheckSameShape(gradient, parameter);
        CheckSameShape(firstMoment, parameter);
        CheckSameShape(secondMoment, parameter);
        Tensor g = Dense(gradient), m = Dense(firstMoment), v = Dense(secondMoment), p = Dense(parameter);
        Launch(
            "tern_adamw_f32",
            gradientScale,
            settings.Beta1,
            settings.Beta2,
            (float)(1 - ((double)learningRate * settings.WeightDecay)),
            (float)(learningRate / (1 - Math.Pow(settings.Beta1, step))),
            (float)(1 / Math.Sqrt(1 - Math.Pow(settings.Beta2, step))),
            settings.Epsilon,
            (long)parameter.ElementCount,
            g,
            m,
            v,
            p);
        CopyBack(g, gradient);
        CopyBack(m, firstMoment);
        CopyBack(v, secondMoment);
        CopyBack(p, parameter);
    }

    private void DistillForward(string kernel, string name, Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
        using CudaRange range = Begin(name);
        CheckSameShape(student, teacher);
        CheckVector(losses, student.Rows);
        Launch(kernel, Dense(student), Dense(teacher), inverseTemperature, student.Rows, student.Columns, losses);
    }

    private void DistillBackward(string kernel, string name, Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
        using CudaRange range = Begin(name);
        CheckSameShape(student, teacher);
        CheckSameShape(student, accumulateDStudent);
        Tensor sum = Dense(accumulateDStudent);
        Launch(kernel, Dense(student), Dense(teacher), inverseTemperature, weight, student.Rows, student.Columns, sum);
        CopyBack(sum, accumulateDStudent);
    }

    /// <summary>Σ of squares of a tensor without gaps; waits for it.</summary>
    private double SquaredSum(Tensor values)
    {
        // Doubles take the room of two Int32 each.
        int blocks = (int)Math.Min(((long)values.ElementCount + SquareChunk - 1) / SquareChunk, MaxSquareBlocks);
        if (blocks == 0)
        {
            return 0;
        }

        Tensor partials = _arena.Take(DType.Int32, blocks, 2), total = _arena.Take(DType.Int32, 1, 2);
        Launch("tern_sum_of_squares_f32", values, (long)values.ElementCount, partials);
        Launch("tern_sum_f64", partials, (long)blocks, total);
        return ReadNumber(total);
    }

    /// <summary>The tensors' addresses, then their counts, on the device; sent when they are others than the last time.</summary>
    private unsafe nint SquaredTable(IReadOnlyList<Tensor> values)
    {
        bool same = _squaredTable is not null && values.Count == _squared.Length;
        for (int i = 0; same && i < values.Count; i++)
        {
            same = values[i] == _squared[i];
        }

        if (!same)
        {
            _squared = [.. values];
            long[] table = [.. values.Select(v => (long)v.Address), .. values.Select(v => (long)v.ElementCount)];
            _squaredTable?.Dispose();
            _squaredTable = new CudaDeviceVariable(_stream, table.Length * sizeof(long));
            fixed (long* start = table)
            {
                CudaCall.Check(DriverApi.cuMemcpyHtoDAsync(_squaredTable.Address, start, (nuint)table.Length * sizeof(long), _stream.Handle));
            }
        }

        return _squaredTable!.Address;
    }
}
