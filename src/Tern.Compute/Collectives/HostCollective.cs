using System.Numerics;

namespace Tern.Compute.Collectives;

/// <summary>
/// The way of a collective whose carrier moves host memory: tensors of a device go through a copy. A sum's part is computed by its own
/// rank, in the order of the ranks, and then given to all.
/// </summary>
internal abstract unsafe class HostCollective(IBackend backend, int rank, int rankCount) : ICollective
{
    private readonly List<float[]> _copies = [];

    public int Rank => rank;

    public int RankCount => rankCount;

    public abstract string Transport { get; }

    public void AllReduce(Tensor values) => OnHost(values, floats =>
    {
        SumParts(floats, values.ElementCount);
        GatherParts(floats, values.ElementCount);
    });

    public void ReduceScatter(Tensor values) => OnHost(values, floats => SumParts(floats, values.ElementCount));

    public void AllGather(Tensor values) => OnHost(values, floats => GatherParts(floats, values.ElementCount));

    public void Broadcast(Tensor values, int root) => OnHost(values, floats => Send(floats, values.ElementCount, root));

    public abstract void Exchange(ReadOnlySpan<byte> own, Span<byte> all);

    public abstract void Abort(string reason);

    public abstract void Dispose();

    protected abstract void SumParts(float* values, nint count);

    protected abstract void GatherParts(float* values, nint count);

    protected abstract void Send(float* values, nint count, int root);

    protected nint PartStart(nint count, int of) => CollectiveParts.PartStart(count, of, rankCount);

    /// <summary>Memory of this thread's that stays, for so many floats.</summary>
    protected Span<float> Scratch(int slot, nint count)
    {
        while (_copies.Count <= slot)
        {
            _copies.Add([]);
        }

        if (_copies[slot].Length < count)
        {
            _copies[slot] = GC.AllocateUninitializedArray<float>(checked((int)count), pinned: true);
        }

        return _copies[slot].AsSpan(0, (int)count);
    }

    protected static void Add(ReadOnlySpan<float> addend, Span<float> sum)
    {
        int i = 0;
        for (; i <= sum.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            (new Vector<float>(sum[i..]) + new Vector<float>(addend[i..])).CopyTo(sum[i..]);
        }

        for (; i < sum.Length; i++)
        {
            sum[i] += addend[i];
        }
    }

    private void OnHost(Tensor values, HostWork work)
    {
        if (values.IsHost)
        {
            fixed (float* floats = values.Span<float>())
            {
                work(floats);
            }

            return;
        }

        Span<float> copy = Scratch(0, values.ElementCount);
        backend.Download(values, copy);
        fixed (float* floats = copy)
        {
            work(floats);
        }

        backend.Upload<float>(copy, values);
    }

    private delegate void HostWork(float* values);
}
