using Tern.Compute;
using Tern.Model;
using Tern.Text;

namespace Tern.Training;

/// <summary>A batch's representations as the host sees them: for counting and for the collapse check. Keeps its memory.</summary>
internal sealed class BatchVectors(IBackend backend)
{
    private float[] _values = [];
    private int[] _argMax = [];
    private int[] _counts = [];

    /// <summary>Mean non-zeros of the queries and of the documents.</summary>
    public (double Queries, double Documents) NonZeros(Tensor representations, int queryCount)
    {
        if (_counts.Length != representations.Rows)
        {
            _counts = new int[representations.Rows];
        }

        backend.CountNonZeros(representations, _counts);
        return (Mean(_counts.AsSpan(0, queryCount)), Mean(_counts.AsSpan(queryCount)));
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

    private static double Mean(ReadOnlySpan<int> counts)
    {
        long sum = 0;
        foreach (int count in counts)
        {
            sum += count;
        }

        return sum / (double)counts.Length;
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
