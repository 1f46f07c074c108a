using System.Runtime.CompilerServices;

namespace Tern.Compute.Cpu;

/// <summary>
/// What will be packed soon: the operand's part of the next panel and of the next block of rows. Register tiles ask for it
/// a few lines at a time beside their multiply-adds, so that packing finds it in the cache: processors do not foresee short
/// pieces of distant rows. Requests have no effect on results. The native library knows the same layout.
/// </summary>
internal unsafe struct PrefetchQueue
{
    public const int LineByteCount = 64;

    public PrefetchRegion Panel;
    public PrefetchRegion Block;

    /// <summary>Requests, of two lines each, beside one register tile.</summary>
    public nint TileShare;

    /// <summary>The next requests: the first one's address, the bytes from one to the next, and how many of at most <paramref name="most"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Take(int most, out byte* line, out nint step)
    {
        nint count = Math.Min(TileShare, most);
        return (int)(Panel.Strips > 0 ? Panel.Take(count, out line, out step) : Block.Take(count, out line, out step));
    }
}

/// <summary>Rows of some bytes at a pitch, asked for strip by strip of two lines.</summary>
internal unsafe struct PrefetchRegion
{
    private const int StripByteCount = 2 * PrefetchQueue.LineByteCount;

    public byte* Strip;
    public nint Pitch;
    public nint Row;
    public nint Rows;
    public nint Strips;

    /// <summary>No rows, or rows of no bytes, are an empty region.</summary>
    public PrefetchRegion(byte* address, nint pitch, int rows, nint width)
    {
        Strip = address;
        Pitch = pitch;
        Rows = rows;
        Strips = rows > 0 && width > 0 ? (width + StripByteCount - 1) / StripByteCount : 0;
    }

    /// <summary>A part of a matrix.</summary>
    public static PrefetchRegion Of(Tensor matrix, int row, int rows, int column, int columns)
    {
        int size = matrix.DType.ByteSize();
        nint pitch = (nint)matrix.RowPitch * size;
        return new((byte*)matrix.Address + (row * pitch) + ((nint)column * size), pitch, rows, (nint)columns * size);
    }

    /// <summary>Bytes one after the other.</summary>
    public static PrefetchRegion Bytes(byte* address, nint count) => new(address, StripByteCount, (int)((count + StripByteCount - 1) / StripByteCount), StripByteCount);

    public readonly nint RequestCount => Rows * Strips;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public nint Take(nint most, out byte* line, out nint step)
    {
        step = Pitch;
        line = Strip + (Row * Pitch);
        if (Strips == 0)
        {
            return 0;
        }

        nint count = Math.Min(most, Rows - Row);
        Row += count;
        if (Row == Rows)
        {
            Row = 0;
            Strip += StripByteCount;
            Strips--;
        }

        return count;
    }
}
