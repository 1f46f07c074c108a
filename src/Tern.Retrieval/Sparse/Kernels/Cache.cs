using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Tern.Retrieval.Kernels;

/// <summary>Asks for memory before it is read; any address is allowed.</summary>
internal static unsafe class Cache
{
    public const int LineSize = 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(void* address)
    {
        if (Sse.IsSupported)
        {
            Sse.Prefetch0(address);
        }
    }

    /// <summary>Asks for all lines from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(byte* start, byte* end)
    {
        for (start = (byte*)((nuint)start & ~(nuint)(LineSize - 1)); start < end; start += LineSize)
        {
            Prefetch(start);
        }
    }
}
