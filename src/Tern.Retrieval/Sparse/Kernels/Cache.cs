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
}
