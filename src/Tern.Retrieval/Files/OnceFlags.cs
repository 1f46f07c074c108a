namespace Tern.Retrieval.Files;

/// <summary>A bit for each of many things that are checked when they are first used. Safe for concurrent use: two may do one check at once.</summary>
internal sealed class OnceFlags(long count)
{
    private readonly int[] _bits = new int[(count + 31) / 32];

    public bool IsSet(long number) => (Volatile.Read(ref _bits[number >> 5]) & (1 << (int)(number & 31))) != 0;

    public void Set(long number) => Interlocked.Or(ref _bits[number >> 5], 1 << (int)(number & 31));
}
