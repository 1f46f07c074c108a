using System.Runtime.CompilerServices;
using Tern.Compute.Memory;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The managed CPU backend: forwards each operation to its class and shares one worker pool among them.</summary>
public sealed class CpuBackend : IBackend, IMeteredBackend
{
    private readonly WorkerPool _pool;
    private readonly ProductKernels _float32 = SimdPaths.Current.Kernels.Products;
    private readonly ProductKernels _projections;
    private readonly ProductKernels _prepared;

    /// <summary>A backend with that many threads, the caller's included; 0 for one per processor.</summary>
    /// <exception cref="NotSupportedException">This machine has no products of that precision; the message says why.</exception>
    public CpuBackend(int threadCount = 0, ProductPrecision precision = ProductPrecision.Float32)
    {
        if (ProductPrecisions.WhyNot(precision) is { } reason)
        {
            throw new NotSupportedException($"{precision.ToName()} products: {reason}");
        }

        Precision = precision;
        _projections = precision == ProductPrecision.BFloat16 ? ProductKernels.BFloat16 : _float32;
        _prepared = precision == ProductPrecision.Int8 ? ProductKernels.Int8 : _projections;
        _pool = new WorkerPool(threadCount);
    }

    public string Name => "cpu";

    public ProductPrecision Precision { get; }

    public MemoryMeter TensorMemory { get; } = new();

    public MemoryMeter Workspace => _pool.Workspace;

    /// <summary>Threads that work inside an operation, the caller's included.</summary>
    public int ThreadCount => _pool.ThreadCount;

    public TensorMemory Allocate(DType dtype, nint elementCount = 0) => new CpuMemory(dtype, elementCount, TensorMemory);

    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        CheckTransfer<T>(source.Length, destination);
        for (int row = 0; row < destination.Rows; row++)
        {
            source.Slice(row * destination.Columns, destination.Columns).CopyTo(destination.Row<T>(row));
        }
    }

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        CheckTransfer<T>(destination.Length, source);
        for (int row = 0; row < source.Rows; row++)
        {
            source.Row<T>(row).CopyTo(destination.Slice(row * source.Columns, source.Columns));
        }
    }

    public void Fill(float value, Tensor destination) => Elements.Fill(_pool, value, destination);

    public void Copy(Tensor source, Tensor destination) => Elements.Copy(_pool, source, destination);

    public void AddScaled(Tensor source, float scale, Tensor accumulateDestination) => Elements.AddScaled(_pool, source, scale, accumulateDestination);

    public void MatMul(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination) =>
        MatrixProduct.Multiply(_float32, _pool, left, transposeLeft, right, transposeRight, accumulate, destination);

    public PreparedWeight Prepare(Tensor weight) => MatrixProduct.Prepare(_prepared, _pool, weight, narrow: weight.DType == DType.BFloat16 && _prepared == _float32);

    public void ProjectForward(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination) =>
        MatrixProduct.Project(_projections, _pool, input, weight, start, destination);

    public void ProjectBackward(Tensor dOutput, Tensor input, Tensor weight, bool accumulate, Tensor dInput, Tensor accumulateDWeight)
    {
        MatrixProduct.Multiply(_projections, _pool, dOutput, false, weight, false, accumulate, dInput);
        if (!accumulateDWeight.IsEmpty)
        {
            MatrixProduct.Multiply(_projections, _pool, dOutput, true, input, false, true, accumulateDWeight);
        }
    }

    public void LoraForward(Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination) =>
        Lora.Forward(_projections, _pool, input, a, b, scale, dropout, projected, accumulateDestination);

    public void LoraBackward(Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB) =>
        Lora.Backward(_projections, _pool, dOutput, input, a, b, projected, scale, dropout, accumulateDInput, accumulateDA, accumulateDB);

    public void CrossEntropyProductForward(Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best) =>
        CrossEntropyProduct.Forward(_projections, _pool, hidden, weight, labels, logSumExp, losses, best);

    public void CrossEntropyProductBackward(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight) =>
        CrossEntropyProduct.Backward(_projections, _pool, hidden, weight, labels, logSumExp, lossWeight, dHidden, accumulateDWeight);

    public void GatedProjectForward(Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated) =>
        MatrixProduct.ProjectGated(_projections, _pool, input, gate, up, gateOutput, upOutput, activated);

    public void MaxPoolProductForward(Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax) =>
        MaxPoolProduct.Forward(_projections, _pool, hidden, weight, bias, sequenceStarts, scale, maxima, argMax);

    public void MaxPoolProductBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias) =>
        MaxPoolProduct.Backward(_pool, dMaxima, argMax, hidden, weight, scale, accumulateDHidden, accumulateDWeight, accumulateDBias);

    public void EmbeddingForward(Tensor table, Tensor tokens, Tensor destination) => Embedding.Forward(_pool, table, tokens, destination);

    public void EmbeddingBackward(Tensor dOutput, Tensor tokens, Tensor accumulateDTable) => Embedding.Backward(_pool, dOutput, tokens, accumulateDTable);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination) =>
        RmsNorm.Forward(_pool, input, weight, epsilon, inverseRms, destination);

    public void RmsNormBackward(Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight) =>
        RmsNorm.Backward(_pool, dOutput, input, weight, inverseRms, accumulateDInput, accumulateDWeight);

    public void RopeForward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values) =>
        Rope.Forward(_pool, sequenceStarts, rotations, headSize, values);

    public void RopeBackward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues) =>
        Rope.Backward(_pool, sequenceStarts, rotations, headSize, dValues);

    public void AttentionForward(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination) =>
        Attention.Forward(_pool, query, key, value, sequenceStarts, headCount, keyValueHeadCount, scale, causal, Precision == ProductPrecision.BFloat16, logSumExp, destination);

    public void AttentionBackward(Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue) =>
        Attention.Backward(_pool, dOutput, query, key, value, output, logSumExp, sequenceStarts, headCount, keyValueHeadCount, scale, causal, Precision == ProductPrecision.BFloat16, dQuery, dKey, dValue);

    public void SwiGluForward(Tensor gate, Tensor up, Tensor destination) => SwiGlu.Forward(_pool, gate, up, destination);

    public void SwiGluBackward(Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) => SwiGlu.Backward(_pool, dOutput, gate, up, dGate, dUp);

    public void Log1pReluForward(Tensor maxima, Tensor destination) => Log1pRelu.Forward(_pool, maxima, destination);

    public void Log1pReluBackward(Tensor dOutput, Tensor maxima, Tensor dMaxima) => Log1pRelu.Backward(_pool, dOutput, maxima, dMaxima);

    public void NormalizedMeanForward(Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination) =>
        NormalizedMean.Forward(_pool, hidden, sequenceStarts, inverseNorms, destination);

    public void NormalizedMeanBackward(Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden) =>
        NormalizedMean.Backward(_pool, dOutput, hidden, inverseNorms, sequenceStarts, dHidden);

    public void InfoNceForward(Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses) =>
        InfoNce.Forward(_pool, scores, labels, inverseTemperature, logSumExp, losses);

    public void InfoNceBackward(Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores) =>
        InfoNce.Backward(_pool, scores, labels, logSumExp, inverseTemperature, weight, accumulateDScores);

    public void KlDivergenceForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses) =>
        KlDivergence.Forward(_pool, student, teacher, inverseTemperature, losses);

    public void KlDivergenceBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent) =>
        KlDivergence.Backward(_pool, student, teacher, inverseTemperature, weight, accumulateDStudent);

    public void MarginMseForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses) =>
        MarginMse.Forward(_pool, student, teacher, inverseTemperature, losses);

    public void MarginMseBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent) =>
        MarginMse.Backward(_pool, student, teacher, inverseTemperature, weight, accumulateDStudent);

    public void GatherColumnsForward(Tensor source, Tensor columns, Tensor destination) => GatherColumns.Forward(_pool, source, columns, destination);

    public void GatherColumnsBackward(Tensor dOutput, Tensor columns, Tensor accumulateDSource) => GatherColumns.Backward(_pool, dOutput, columns, accumulateDSource);

    public double FlopsForward(Tensor values, Tensor columnMeans) => Flops.Forward(_pool, values, columnMeans);

    public void FlopsBackward(Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues) =>
        Flops.Backward(_pool, values, columnMeans, weight, accumulateDValues);

    public double SumOfSquares(Tensor values) => SquaredSum.Compute(_pool, values);

    public void AdamW(Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter) =>
        AdamWUpdate.Apply(_pool, gradient, gradientScale, settings, learningRate, step, firstMoment, secondMoment, parameter);

    public void Dispose() => _pool.Dispose();

    private static void CheckTransfer<T>(int length, Tensor tensor)
        where T : unmanaged
    {
        if (!tensor.IsHost || length != tensor.ElementCount || Unsafe.SizeOf<T>() != tensor.DType.ByteSize())
        {
            throw new ArgumentException($"cannot transfer {length} elements of {typeof(T).Name} to or from {tensor}");
        }
    }
}
