using System.Runtime.InteropServices;

namespace Tern.Cuda.Interop;

/// <summary>NVTX's nested ranges, shown by Nsight Systems and Nsight Compute.</summary>
internal static partial class RangeApi
{
    private const string Library = NativeLibraries.Ranges;

    static RangeApi() => NativeLibraries.Use();

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int nvtxRangePushA(string message);

    [LibraryImport(Library)]
    public static partial int nvtxRangePop();
}
