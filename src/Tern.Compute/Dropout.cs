namespace Tern.Compute;

/// <summary>
/// Which elements of a matrix are dropped: a pure function of a key for each row, the column and <paramref name="Key"/>, so that a
/// backward replays its forward's mask without keeping it, and a row's mask depends neither on the batch nor on the threads.
/// Element [row, column] is kept when <see cref="Hash"/> is at least <see cref="Threshold"/>, and then scaled by <see cref="Scale"/>.
/// </summary>
/// <param name="Rate">The part that is dropped, from 0 (none) to below 1.</param>
/// <param name="Key">Sets one use apart from the others of the same rows.</param>
/// <param name="RowKeys">Int32 [1, rows], see <see cref="RowKey"/>; not read when the rate is 0.</param>
public readonly record struct Dropout(float Rate, uint Key, Tensor RowKeys)
{
    private const uint ColumnStep = 0x9E3779B9;

    /// <summary>False: every element is kept as it is.</summary>
    public bool IsActive => Rate > 0f;

    /// <summary>rate · 2³².</summary>
    public uint Threshold => (uint)(Rate * 4294967296.0);

    /// <summary>1 / (1 − rate).</summary>
    public float Scale => 1f / (1f - Rate);

    /// <summary>The key of a row: the token at that place of a sequence with that key.</summary>
    public static int RowKey(uint sequenceKey, int position) => (int)Mix(sequenceKey + ((uint)position * 0x85EBCA6B));

    /// <summary>mix(rowKey ^ (Key + column · 0x9E3779B9)), modulo 2³².</summary>
    public uint Hash(int rowKey, int column) => Mix((uint)rowKey ^ (Key + ((uint)column * ColumnStep)));

    /// <summary>x ^= x ≫ 16, · 0x7FEB352D, ^= ≫ 15, · 0x846CA68B, ^= ≫ 16: every input bit reaches every output bit.</summary>
    public static uint Mix(uint x)
    {
        x ^= x >> 16;
        x *= 0x7FEB352D;
        x ^= x >> 15;
        x *= 0x846CA68B;
        return x ^ (x >> 16);
    }
}
