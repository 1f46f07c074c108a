namespace Tern.Compute.Memory;

/// <summary>
/// Takes every call and computes nothing: memory has addresses but no bytes behind them. What would run on a real backend runs over
/// this one to see how much it allocates, so that a plan cannot differ from the code. Downloads give zeros.
/// </summary>
public sealed class PlanningBackend : IBackend, IMeteredBackend
{
    private const long TaskBytes = 1 << 20;
    private const long LargestPackedWeight = 1 << 21; // elements that a product lays out before its tasks
    private const int EntryBytes = 6 * sizeof(float); // of the sparse head's backward: two lists of row, entry and gradient

    private readonly int _threadCount;
    private readonly double _activeShare;

    /// <param name="threadCount">Threads of the backend that is planned for.</param>
    /// <param name="activeShare">The part of a sparse batch's entries that carries gradient; it decides the head's workspace.</param>
    /// <param name="activationType">That of the backend that is planned for.</param>
    public PlanningBackend(int threadCount = 1, double activeShare = 0.5, DType activationType = DType.Float32)
    {
        ActivationType = activationType;
        _threadCount = threadCount;
        _activeShare = activeShare;
        Workspace.Add(TaskBytes * threadCount);
    }

    public string Name => "plan";

    public ProductPrecision Precision => ProductPrecision.Float32;

    public DType ActivationType { get; }

    public MemoryMeter TensorMemory { get; } = new();

    public MemoryMeter Workspace { get; } = new();

    /// <summary>Memory of weights in the form in which they are multiplied with.</summary>
    public MemoryMeter LaidOutWeights { get; } = new();

    public TensorMemory Allocate(DType dtype, nint elementCount = 0) => new PlannedMemory(TensorMemory, dtype, elementCount);

    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
    }

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged => destination.Clear();

    public void Fill(float value, Tensor destination)
    {
    }

    public void Copy(Tensor source, Tensor destination)
    {
    }

    public void AddScaled(Tensor source, float scale, Tensor accumulateDestination)
    {
    }

    public void MatMul(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination) => Pack(right.ElementCount);

    public PreparedWeight Prepare(Tensor weight) => new PlannedWeight(LaidOutWeights, weight);

    public void ProjectForward(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination) => Pack(weight.Matrix.ElementCount);

    public void ProjectBackward(Tensor dOutput, Tensor input, Tensor weight, bool accumulate, Tensor dInput, Tensor accumulateDWeight) => Pack(weight.ElementCount);

    public void LoraForward(Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination)
    {
    }

    public void LoraBackward(Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB)
    {
    }

    public void GatedProjectForward(Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated) => Pack(gate.Matrix.ElementCount, 2);

    public void MaxPoolProductForward(Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax) =>
        Use(hidden.ElementCount * sizeof(float));

    public void MaxPoolProductBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias) =>
        Use((long)(_activeShare * dMaxima.ElementCount * EntryBytes));

    public void CrossEntropyProductForward(Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best)
    {
    }

    public void CrossEntropyProductBackward(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight)
    {
    }

    public void EmbeddingForward(Tensor table, Tensor tokens, Tensor destination)
    {
    }

    public void EmbeddingBackward(Tensor dOutput, Tensor tokens, Tensor accumulateDTable)
    {
    }

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination)
    {
    }

    public void RmsNormBackward(Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight)
    {
    }

    public void RopeForward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values)
    {
    }

    public void RopeBackward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues)
    {
    }

    public void AttentionForward(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination)
    {
    }

    public void AttentionBackward(Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue)
    {
    }

    public void SwiGluForward(Tensor gate, Tensor up, Tensor destination)
    {
    }

    public void SwiGluBackward(Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp)
    {
    }

    public void Log1pReluForward(Tensor maxima, Tensor destination)
    {
    }

    public void Log1pReluBackward(Tensor dOutput, Tensor maxima, Tensor dMaxima)
    {
    }

    public void NormalizedMeanForward(Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination)
    {
    }

    public void NormalizedMeanBackward(Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden)
    {
    }

    public void InfoNceForward(Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses)
    {
    }

    public void InfoNceBackward(Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores)
    {
    }

    public void KlDivergenceForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
    }

    public void KlDivergenceBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
    }

    public void MarginMseForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
    }

    public void MarginMseBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
    }

    public void GatherColumnsForward(Tensor source, Tensor columns, Tensor destination)
    {
    }

    public void GatherColumnsBackward(Tensor dOutput, Tensor columns, Tensor accumulateDSource)
    {
    }

    public double FlopsForward(Tensor values, Tensor columnMeans) => 0;

    public void FlopsBackward(Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues)
    {
    }

    public double SumOfSquares(Tensor values) => 0;

    public void CountNonZeros(Tensor values, Span<int> counts) => counts.Clear();

    public void AdamW(Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter)
    {
    }

    public void Dispose()
    {
    }

    private void Pack(long elementCount, int operands = 1) => Use(elementCount <= LargestPackedWeight ? operands * elementCount * sizeof(float) : 0);

    /// <summary>The largest buffer is kept and used for all.</summary>
    private void Use(long byteCount)
    {
        long fixedBytes = TaskBytes * _threadCount;
        Workspace.Add(Math.Max(0, byteCount + (byteCount / 8) - (Workspace.ByteCount - fixedBytes)));
    }

    private sealed class PlannedMemory : TensorMemory
    {
        private static long s_next = 1 << 20;
        private readonly MemoryMeter _meter;
        private nint _address;

        public PlannedMemory(MemoryMeter meter, DType dtype, nint elementCount)
            : base(dtype)
        {
            _meter = meter;
            if (elementCount > 0)
            {
                Grow(elementCount);
            }
        }

        protected override Tensor Handle(int rows, int columns) => new(_address, DType, rows, columns, isHost: false);

        protected override void Grow(nint elementCount)
        {
            long added = (long)(elementCount - Capacity) * DType.ByteSize();
            Capacity = elementCount;
            _meter.Add(added);
            _address = (nint)Interlocked.Add(ref s_next, (long)elementCount * DType.ByteSize());
        }

        protected override void Dispose(bool disposing)
        {
            _meter.Add(-(long)Capacity * DType.ByteSize());
            Capacity = 0;
        }
    }

    private sealed class PlannedWeight : PreparedWeight
    {
        private readonly MemoryMeter _meter;

        public PlannedWeight(MemoryMeter meter, Tensor weight)
        {
            _meter = meter;
            Rows = weight.Rows;
            Columns = weight.Columns;
            ByteCount = (long)weight.ElementCount * weight.DType.ByteSize();
            meter.Add(ByteCount);
        }

        public override int Rows { get; }

        public override int Columns { get; }

        public override long ByteCount { get; }

        protected override void Dispose(bool disposing) => _meter.Add(-ByteCount);
    }
}
