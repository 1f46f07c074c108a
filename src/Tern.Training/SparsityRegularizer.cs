using System.Text.Json.Serialization;
using Tern.Compute;

namespace Tern.Training;

/// <summary>What sparse vectors pay for their weights. m_v is the mean weight of term v over N vectors.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RegularizerKind>))]
public enum RegularizerKind
{
    /// <summary>Σ m_v²: terms that many vectors have pay most.</summary>
    Flops,

    /// <summary>Σ m_v: the mean L1 norm.</summary>
    L1,

    /// <summary>
    /// Σ w_v m_v² with w_v = 1 / (1 + (x^(log_0.1 2) − 1)^10), x the part of the batch's vectors that have term v: only terms whose
    /// posting lists would be long pay (DF-FLOPS, arXiv 2505.15070, there with frequencies of a collection).
    /// </summary>
    DocumentFrequencyFlops,
}

/// <summary>The regulariser of a batch's vectors and its gradient. Keeps its memory from batch to batch.</summary>
internal sealed class SparsityRegularizer(IBackend backend, RegularizerKind kind) : IDisposable
{
    private readonly TensorMemory _means = backend.Allocate(DType.Float32);
    private readonly TensorMemory _partMeans = backend.Allocate(DType.Float32);
    private float[] _hostMeans = [];
    private float[] _hostRows = [];
    private int[] _frequencies = [];

    /// <summary>Part of the vectors at which a term pays half of what FLOPS asks.</summary>
    private const double HalfwayFrequency = 0.1;

    private const double Steepness = 10;

    /// <summary>
    /// The regulariser over the rows of all parts together; adds <paramref name="weight"/> times its gradient to dValues. values and dValues
    /// are [rows, V].
    /// </summary>
    public double Apply(Tensor values, ReadOnlySpan<(int Start, int Count)> parts, double weight, Tensor accumulateDValues)
    {
        int total = 0;
        foreach ((_, int count) in parts)
        {
            total += count;
        }

        Tensor means = _means.Shape(1, values.Columns);
        double loss = Means(values, parts, total, means);
        loss = kind switch
        {
            RegularizerKind.L1 => LinearLoss(means),
            RegularizerKind.DocumentFrequencyFlops => WeighByFrequency(values, parts, total, means),
            _ => loss,
        };
        foreach ((int start, int count) in parts)
        {
            backend.FlopsBackward(values.SliceRows(start, count), means, (float)(weight * count / total), accumulateDValues.SliceRows(start, count));
        }

        return loss;
    }

    /// <summary>1 for terms that every vector has, ½ at a tenth of them, towards 0 for rare ones.</summary>
    internal static double FrequencyWeight(double frequency) => frequency <= 0 ? 0 : 1 / (1 + Math.Pow(Math.Max(Math.Pow(frequency, Math.Log(2) / Math.Log(HalfwayFrequency)) - 1, 0), Steepness));

    public void Dispose()
    {
        _means.Dispose();
        _partMeans.Dispose();
    }

    /// <summary>Column means over all parts; returns the sum of their squares.</summary>
    private double Means(Tensor values, ReadOnlySpan<(int Start, int Count)> parts, int total, Tensor means)
    {
        if (parts is [(int start, int count)])
        {
            return backend.FlopsForward(values.SliceRows(start, count), means);
        }

        Tensor part = _partMeans.Shape(1, values.Columns);
        backend.Fill(0f, means);
        foreach ((int first, int rows) in parts)
        {
            backend.FlopsForward(values.SliceRows(first, rows), part);
            backend.AddScaled(part, (float)rows / total, means);
        }

        return backend.SumOfSquares(means);
    }

    /// <summary>The gradient of FLOPS is 2 m_v / N where a weight is: with ½ in place of the means it is that of L1.</summary>
    private double LinearLoss(Tensor means)
    {
        double sum = 0;
        foreach (float mean in OnHost(means, ref _hostMeans))
        {
            sum += mean;
        }

        backend.Fill(0.5f, means);
        return sum;
    }

    /// <summary>Replaces each mean by w_v · m_v; returns Σ w_v m_v².</summary>
    private double WeighByFrequency(Tensor values, ReadOnlySpan<(int Start, int Count)> parts, int total, Tensor means)
    {
        Span<int> frequencies = Count(values, parts);
        Span<float> host = OnHost(means, ref _hostMeans);
        double sum = 0;
        for (int v = 0; v < host.Length; v++)
        {
            double weight = FrequencyWeight((double)frequencies[v] / total);
            sum += weight * host[v] * host[v];
            host[v] = (float)(weight * host[v]);
        }

        backend.Upload<float>(host, means);
        return sum;
    }

    private Span<int> Count(Tensor values, ReadOnlySpan<(int Start, int Count)> parts)
    {
        if (_frequencies.Length != values.Columns)
        {
            _frequencies = new int[values.Columns];
        }

        _frequencies.AsSpan().Clear();
        foreach ((int start, int count) in parts)
        {
            for (int row = start; row < start + count; row++)
            {
                Span<float> weights = OnHost(values.SliceRows(row, 1), ref _hostRows);
                for (int v = 0; v < weights.Length; v++)
                {
                    _frequencies[v] += weights[v] != 0f ? 1 : 0;
                }
            }
        }

        return _frequencies;
    }

    private Span<float> OnHost(Tensor row, ref float[] copy)
    {
        if (copy.Length != row.Columns)
        {
            copy = new float[row.Columns];
        }

        backend.Download<float>(row, copy);
        return copy;
    }
}
