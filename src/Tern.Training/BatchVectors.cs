using System.Numerics;
using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Text;

namespace Tern.Training;

/// <summary>A batch's representations as the host sees them: for counting and for the collapse check. Keeps its memory.</summary>
internal sealed class BatchVectors(IBackend backend)
{
    private float[] _values = [];
    private int[] _argMax = [];

    /// <summary>Mean non-zeros of the queries and of the documents.</summary>
    public (double Queries, double Documents) NonZeros(Tensor representations, int queryCount)
    {
        ReadOnlySpan<float> values = OnHost(representations, ref _values);
        int split = queryCount * representations.Columns;
        return (
            CountNonZeros(values[..split]) / (double)queryCount,
            CountNonZeros(values[split..]) / (double)(representations.Rows - queryCount));
    }

    /// <summary><paramref name="latest"/>: those of the network's last call, the only ones of which it still knows the positions.</summary>
    /// <exception cref="TrainingCollapsedException">The vectors do not tell texts apart any more.</exception>
    public void CheckCollapse(int step, RetrieverNetwork network, Tensor representations, int queryCount, Tensor latest, TokenBatch latestSequences)
    {
        ReadOnlySpan<float> values = OnHost(representations, ref _values);
        CollapseCheck.Vectors(step, values, representations.Columns, queryCount);
        if (network.Contract.Kind == RepresentationKind.Sparse)
        {
            CollapseCheck.Positions(step, OnHost(latest, ref _values), OnHost(network.ArgMax, ref _argMax), latestSequences.SequenceStarts);
        }
    }

    internal static long CountNonZeros(ReadOnlySpan<float> values)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(values);
        long zeros = 0;

        // Lanes count up to the length of a block, so that an Int32 lane cannot overflow.
        const int blockLength = 1 << 20;
        for (int block = 0; block < vectors.Length; block += blockLength)
        {
            Vector<int> counts = Vector<int>.Zero;
            foreach (Vector<float> vector in vectors[block..Math.Min(block + blockLength, vectors.Length)])
            {
                counts -= Vector.Equals(vector, Vector<float>.Zero);
            }

            zeros += Vector.Sum(counts);
        }

        foreach (float value in values[(vectors.Length * Vector<float>.Count)..])
        {
            zeros += value == 0f ? 1 : 0;
        }

        return values.Length - zeros;
    }

    private ReadOnlySpan<T> OnHost<T>(Tensor tensor, ref T[] copy)
        where T : unmanaged
    {
        if (tensor.IsHost && tensor.IsContiguous)
        {
            return tensor.Span<T>();
        }

        int count = checked((int)tensor.ElementCount);
        if (copy.Length < count)
        {
            copy = new T[count];
        }

        backend.Download(tensor, copy.AsSpan(0, count));
        return copy.AsSpan(0, count);
    }
}
