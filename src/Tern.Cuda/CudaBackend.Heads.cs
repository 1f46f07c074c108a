using Tern.Compute;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>The ends of the two heads, and the columns that losses pick from scores.</summary>
public sealed partial class CudaBackend
{
    private static readonly KernelFamily InverseNormsKernel = new("tern_inverse_norms");
    private static readonly KernelFamily NormalizedMeanForwardKernel = new("tern_normalized_mean_forward");
    private static readonly KernelFamily NormalizedMeanBackwardKernel = new("tern_normalized_mean_backward");

    public void Log1pReluForward(Tensor maxima, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckDevice(maxima, DType.Float32);
        CheckSameShape(maxima, destination);
        Tensor result = DenseUnset(destination);
        Launch("tern_log1p_relu_forward_f32", Dense(maxima), (long)maxima.ElementCount, result);
        CopyBack(result, destination);
    }

    public void Log1pReluBackward(Tensor dOutput, Tensor maxima, Tensor dMaxima)
    {
        using CudaRange range = Begin();
        CheckDevice(maxima, DType.Float32);
        CheckSameShape(maxima, dOutput);
        CheckSameShape(maxima, dMaxima);
        Tensor result = DenseUnset(dMaxima);
        Launch("tern_log1p_relu_backward_f32", Dense(dOutput), Dense(maxima), (long)maxima.ElementCount, result);
        CopyBack(result, dMaxima);
    }

    public void NormalizedMeanForward(Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckStarts(sequenceStarts, destination.Rows);
        CheckColumns(hidden, destination);
        CheckVector(inverseNorms, hidden.Rows);
        Launch(InverseNormsKernel.For(hidden), hidden, (long)hidden.RowPitch, hidden.Rows, hidden.Columns, inverseNorms);
        Launch(NormalizedMeanForwardKernel.For(hidden), hidden, (long)hidden.RowPitch, inverseNorms, sequenceStarts, destination.Rows, hidden.Columns, (long)destination.RowPitch, destination);
    }

    public void NormalizedMeanBackward(Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden)
    {
        using CudaRange range = Begin();
        CheckStarts(sequenceStarts, dOutput.Rows);
        CheckColumns(hidden, dOutput);
        CheckVector(inverseNorms, hidden.Rows);
        CheckSameShape(hidden, dHidden);
        Launch(NormalizedMeanBackwardKernel.For(hidden), dOutput, (long)dOutput.RowPitch, hidden, (long)hidden.RowPitch, inverseNorms, sequenceStarts, dOutput.Rows, hidden.Rows, hidden.Columns, (long)dHidden.RowPitch, dHidden);
    }

    public void CountNonZeros(Tensor values, Span<int> counts)
    {
        using CudaRange range = Begin();
        CheckDevice(values, DType.Float32);
        ArgumentOutOfRangeException.ThrowIfNotEqual(counts.Length, values.Rows);
        Tensor rows = _arena.Take(DType.Int32, 1, values.Rows);
        Launch("tern_compaction_count_f32", values, (long)values.RowPitch, values.Rows, values.Columns, rows);
        ReadIntegers(rows, counts);
    }

    public void GatherColumnsForward(Tensor source, Tensor columns, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckSameShape(columns, destination);
        Tensor result = DenseUnset(destination);
        Launch("tern_gather_columns_forward_f32", source, (long)source.RowPitch, Dense(columns), columns.Rows, columns.Columns, result);
        CopyBack(result, destination);
    }

    public void GatherColumnsBackward(Tensor dOutput, Tensor columns, Tensor accumulateDSource)
    {
        using CudaRange range = Begin();
        CheckSameShape(columns, dOutput);
        Launch("tern_gather_columns_backward_f32", Dense(dOutput), Dense(columns), columns.Rows, columns.Columns, (long)accumulateDSource.RowPitch, accumulateDSource);
    }

    private static void CheckColumns(Tensor first, Tensor second)
    {
        if (first.Columns != second.Columns)
        {
            throw new ArgumentException($"{first} and {second} must have as many columns");
        }
    }

    private static void CheckStarts(Tensor sequenceStarts, int sequenceCount)
    {
        CheckDevice(sequenceStarts, DType.Int32);
        if (sequenceStarts.ElementCount != sequenceCount + 1)
        {
            throw new ArgumentException($"{sequenceStarts}: the starts of {sequenceCount} sequences are {sequenceCount + 1} numbers");
        }
    }

    private static void CheckVector(Tensor vector, int count)
    {
        CheckDevice(vector, DType.Float32);
        if (vector.ElementCount != count || !vector.IsContiguous)
        {
            throw new ArgumentException($"{vector}: {count} numbers in a row are needed");
        }
    }
}
