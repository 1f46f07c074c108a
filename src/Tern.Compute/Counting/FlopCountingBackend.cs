using System.Runtime.InteropServices;

namespace Tern.Compute.Counting;

/// <summary>
/// Counts the products that pass through it and hands every call on. Over a backend that computes it measures a run; over one that
/// only plans it tells a run's operations without running it: both counts come from the code that trains. Does not own the other backend.
/// </summary>
public sealed class FlopCountingBackend(IBackend inner) : IBackend
{
    // Of what was uploaded as sequence starts, by address: a device's memory cannot be read here.
    private readonly Dictionary<nint, (double All, double Causal)> _pairs = [];

    /// <summary>What was counted since it was made or cleared.</summary>
    public FlopCounts Counts { get; } = new();

    public string Name => inner.Name;

    public ProductPrecision Precision => inner.Precision;

    public DType ActivationType => inner.ActivationType;

    public TensorMemory Allocate(DType dtype, nint elementCount = 0) => inner.Allocate(dtype, elementCount);

    public void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        if (typeof(T) == typeof(int) && destination.Rows == 1)
        {
            _pairs[destination.Address] = CountPairs(MemoryMarshal.Cast<T, int>(source));
        }

        inner.Upload(source, destination);
    }

    public void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged => inner.Download(source, destination);

    public void Fill(float value, Tensor destination) => inner.Fill(value, destination);

    public void Copy(Tensor source, Tensor destination) => inner.Copy(source, destination);

    public void AddScaled(Tensor source, float scale, Tensor accumulateDestination) => inner.AddScaled(source, scale, accumulateDestination);

    public void MatMul(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination)
    {
        Counts.AddOther(2.0 * destination.Rows * destination.Columns * (transposeLeft ? left.Rows : left.Columns));
        inner.MatMul(left, transposeLeft, right, transposeRight, accumulate, destination);
    }

    public PreparedWeight Prepare(Tensor weight) => inner.Prepare(weight);

    public void ProjectForward(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination)
    {
        Counts.AddProjection(Product(input, weight.Matrix));
        inner.ProjectForward(input, weight, start, destination);
    }

    public void ProjectBackward(Tensor dOutput, Tensor input, Tensor weight, bool accumulate, Tensor dInput, Tensor accumulateDWeight)
    {
        Counts.AddProjection((accumulateDWeight.IsEmpty ? 1 : 2) * Product(input, weight));
        inner.ProjectBackward(dOutput, input, weight, accumulate, dInput, accumulateDWeight);
    }

    public void LoraForward(Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination)
    {
        Counts.AddAdapter(2.0 * input.Rows * a.Rows * (a.Columns + b.Rows));
        inner.LoraForward(input, a, b, scale, in dropout, projected, accumulateDestination);
    }

    public void LoraBackward(Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB)
    {
        double into = 2.0 * input.Rows * a.Rows * a.Columns, outOf = 2.0 * input.Rows * a.Rows * b.Rows;
        Counts.AddAdapter(into + outOf + (accumulateDA.IsEmpty ? 0 : into) + (accumulateDB.IsEmpty ? 0 : outOf));
        inner.LoraBackward(dOutput, input, a, b, projected, scale, in dropout, accumulateDInput, accumulateDA, accumulateDB);
    }

    public void GatedProjectForward(Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated)
    {
        Counts.AddProjection(Product(input, gate.Matrix) + Product(input, up.Matrix));
        inner.GatedProjectForward(input, gate, up, gateOutput, upOutput, activated);
    }

    public void MaxPoolProductForward(Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax)
    {
        Counts.AddHead(Product(hidden, weight.Matrix));
        inner.MaxPoolProductForward(hidden, weight, bias, sequenceStarts, scale, maxima, argMax);
    }

    public void MaxPoolProductBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias)
    {
        Counts.AddHead((accumulateDWeight.IsEmpty ? 2.0 : 4.0) * dMaxima.Rows * weight.Rows * weight.Columns);
        inner.MaxPoolProductBackward(dMaxima, argMax, hidden, weight, scale, accumulateDHidden, accumulateDWeight, accumulateDBias);
    }

    public void CrossEntropyProductForward(Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best)
    {
        Counts.AddHead(Product(hidden, weight.Matrix));
        inner.CrossEntropyProductForward(hidden, weight, labels, logSumExp, losses, best);
    }

    public void CrossEntropyProductBackward(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight)
    {
        Counts.AddHead((accumulateDWeight.IsEmpty ? 2 : 3) * Product(hidden, weight));
        inner.CrossEntropyProductBackward(hidden, weight, labels, logSumExp, lossWeight, dHidden, accumulateDWeight);
    }

    public void EmbeddingForward(Tensor table, Tensor tokens, Tensor destination) => inner.EmbeddingForward(table, tokens, destination);

    public void EmbeddingBackward(Tensor dOutput, Tensor tokens, Tensor accumulateDTable) => inner.EmbeddingBackward(dOutput, tokens, accumulateDTable);

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination) => inner.RmsNormForward(input, weight, epsilon, inverseRms, destination);

    public void RmsNormBackward(Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight) => inner.RmsNormBackward(dOutput, input, weight, inverseRms, accumulateDInput, accumulateDWeight);

    public void RopeForward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values) => inner.RopeForward(sequenceStarts, rotations, headSize, values);

    public void RopeBackward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues) => inner.RopeBackward(sequenceStarts, rotations, headSize, dValues);

    public void AttentionForward(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination)
    {
        Counts.AddAttention(4.0 * query.Columns * Pairs(sequenceStarts, causal));
        inner.AttentionForward(query, key, value, sequenceStarts, headCount, keyValueHeadCount, scale, causal, logSumExp, destination);
    }

    public void AttentionBackward(Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue)
    {
        Counts.AddAttention(10.0 * query.Columns * Pairs(sequenceStarts, causal));
        inner.AttentionBackward(dOutput, query, key, value, output, logSumExp, sequenceStarts, headCount, keyValueHeadCount, scale, causal, dQuery, dKey, dValue);
    }

    public void SwiGluForward(Tensor gate, Tensor up, Tensor destination) => inner.SwiGluForward(gate, up, destination);

    public void SwiGluBackward(Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp) => inner.SwiGluBackward(dOutput, gate, up, dGate, dUp);

    public void Log1pReluForward(Tensor maxima, Tensor destination) => inner.Log1pReluForward(maxima, destination);

    public void Log1pReluBackward(Tensor dOutput, Tensor maxima, Tensor dMaxima) => inner.Log1pReluBackward(dOutput, maxima, dMaxima);

    public void NormalizedMeanForward(Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination) => inner.NormalizedMeanForward(hidden, sequenceStarts, inverseNorms, destination);

    public void NormalizedMeanBackward(Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden) => inner.NormalizedMeanBackward(dOutput, hidden, inverseNorms, sequenceStarts, dHidden);

    public void InfoNceForward(Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses) => inner.InfoNceForward(scores, labels, inverseTemperature, logSumExp, losses);

    public void InfoNceBackward(Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores) => inner.InfoNceBackward(scores, labels, logSumExp, inverseTemperature, weight, accumulateDScores);

    public void KlDivergenceForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses) => inner.KlDivergenceForward(student, teacher, inverseTemperature, losses);

    public void KlDivergenceBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent) => inner.KlDivergenceBackward(student, teacher, inverseTemperature, weight, accumulateDStudent);

    public void MarginMseForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses) => inner.MarginMseForward(student, teacher, inverseTemperature, losses);

    public void MarginMseBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent) => inner.MarginMseBackward(student, teacher, inverseTemperature, weight, accumulateDStudent);

    public void GatherColumnsForward(Tensor source, Tensor columns, Tensor destination) => inner.GatherColumnsForward(source, columns, destination);

    public void GatherColumnsBackward(Tensor dOutput, Tensor columns, Tensor accumulateDSource) => inner.GatherColumnsBackward(dOutput, columns, accumulateDSource);

    public double FlopsForward(Tensor values, Tensor columnMeans) => inner.FlopsForward(values, columnMeans);

    public void FlopsBackward(Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues) => inner.FlopsBackward(values, columnMeans, weight, accumulateDValues);

    public double SumOfSquares(Tensor values) => inner.SumOfSquares(values);

    public double SumOfSquares(IReadOnlyList<Tensor> values) => inner.SumOfSquares(values);

    public void CountNonZeros(Tensor values, Span<int> counts) => inner.CountNonZeros(values, counts);

    public void AdamW(Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter) => inner.AdamW(gradient, gradientScale, in settings, learningRate, step, firstMoment, secondMoment, parameter);

    /// <summary>The other backend stays its owner's.</summary>
    public void Dispose()
    {
    }

    private static double Product(Tensor rows, Tensor weight) => 2.0 * rows.Rows * weight.Rows * weight.Columns;

    /// <summary>Pairs of a query row and a key row that attention looks at.</summary>
    private double Pairs(Tensor sequenceStarts, bool causal) => _pairs.TryGetValue(sequenceStarts.Address, out (double All, double Causal) pairs)
        ? causal ? pairs.Causal : pairs.All
        : throw new InvalidOperationException("attention over sequence starts that were not uploaded through this backend cannot be counted");

    private static (double All, double Causal) CountPairs(ReadOnlySpan<int> starts)
    {
        double all = 0, causal = 0;
        for (int b = 0; b + 1 < starts.Length; b++)
        {
            double length = starts[b + 1] - starts[b];
            all += length * length;
            causal += length * (length + 1) / 2;
        }

        return (all, causal);
    }
}
