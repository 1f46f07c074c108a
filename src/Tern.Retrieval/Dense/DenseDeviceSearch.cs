using Tern.Compute;

namespace Tern.Retrieval;

/// <summary>
/// Many queries at once on a device that keeps the rows: it leaves those that can be among the best, given how far its sums can be
/// from <see cref="DotProduct"/>'s, and these are scored again here. So hits and bits are those of single searches.
/// </summary>
internal sealed unsafe class DenseDeviceSearch : IDisposable
{
    private const float LargestScore = 1e37f;

    private readonly DenseVectors _vectors;
    private readonly ICandidateRows _rows;
    private readonly double _greatestNorm;

    public DenseDeviceSearch(ICandidateBackend backend, DenseVectors vectors, float* norms)
    {
        _vectors = vectors;
        for (int i = 0; i < vectors.Count; i++)
        {
            _greatestNorm = Math.Max(_greatestNorm, norms[i]);
        }

        _rows = backend.KeepRows(new Tensor((nint)vectors.Rows, DType.Float32, vectors.Count, vectors.Dimension));
    }

    /// <summary>The candidates of each query; null where the device cannot tell them.</summary>
    public int[]?[] Candidates(IReadOnlyList<float[]> queries, int k)
    {
        int dimension = _vectors.Dimension;
        double unit = dimension * DotProduct.UnitRoundoff, error = (unit / (1 - unit)) + DotProduct.RelativeError(dimension);
        var operand = new float[queries.Count * dimension];
        var slacks = new float[queries.Count];
        var isLarge = new bool[queries.Count];
        for (int i = 0; i < queries.Count; i++)
        {
            queries[i].CopyTo(operand.AsSpan(i * dimension));
            double most = Math.Sqrt(queries[i].Sum(value => (double)value * value)) * _greatestNorm;
            isLarge[i] = !(most < LargestScore);
            slacks[i] = isLarge[i] ? 0 : ScanQuantizer.RoundUp((2 * error * most) + (most / (1 << 20)) + 1e-37);
        }

        int[]?[] found = _rows.Candidates(operand, k, slacks);
        for (int i = 0; i < found.Length; i++)
        {
            found[i] = isLarge[i] ? null : found[i];
        }

        return found;
    }

    public void Dispose() => _rows.Dispose();
}
