namespace Tern.Training;

/// <summary>A permutation of items for every epoch, a pure function of seed and epoch. Keeps that of the last epoch asked for.</summary>
internal sealed class EpochOrder(ulong seed, int count)
{
    private const ulong Stream = 1;

    private readonly int[] _order = new int[count];
    private long _epoch = -1;

    /// <summary>Batches of that size in an epoch; the few items left over sit it out.</summary>
    public int BatchCount(int batchSize) => _order.Length / batchSize;

    /// <summary>The items of the n-th batch, and its epoch.</summary>
    public ReadOnlySpan<int> Batch(long batchNumber, int batchSize, out long epoch)
    {
        epoch = batchNumber / BatchCount(batchSize);
        Permute(epoch);
        return _order.AsSpan((int)(batchNumber % BatchCount(batchSize)) * batchSize, batchSize);
    }

    private void Permute(long epoch)
    {
        if (epoch == _epoch)
        {
            return;
        }

        SeededRandom random = new(seed, Stream, (ulong)epoch);
        for (int i = 0; i < _order.Length; i++)
        {
            int j = random.Below(i + 1);
            _order[i] = _order[j];
            _order[j] = i;
        }

        _epoch = epoch;
    }
}
