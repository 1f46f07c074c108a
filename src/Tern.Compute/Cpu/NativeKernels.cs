using System.Runtime.InteropServices;

namespace Tern.Compute.Cpu;

/// <summary>The functions of <c>native/cpu/tern_cpu.h</c>, which says what they do. The library is optional.</summary>
internal static unsafe partial class NativeKernels
{
    public const int TileRows = 14;
    public const int TileColumns = 32;
    private const string Library = "tern_cpu";

    private static readonly int Features = ReadFeatures();

    public static bool IsLoaded => Features >= 0;

    public static bool HasBFloat16 => Features > 0 && (Features & 1) != 0;

    public static bool HasInt8 => Features > 0 && (Features & 2) != 0;

    [LibraryImport(Library, EntryPoint = "tern_bf16_pack_rows")]
    public static partial void PackRowsBFloat16(float* source, nint pitch, int rows, int depth, byte* destination, nint destinationPitch);

    [LibraryImport(Library, EntryPoint = "tern_bf16_pack_columns")]
    public static partial void PackColumnsBFloat16(float* source, nint pitch, int columns, int depth, byte* destination, nint panelPitch);

    [LibraryImport(Library, EntryPoint = "tern_bf16_pack_panel")]
    public static partial void PackPanelBFloat16(void* source, int elementSize, nint pitch, int transposed, int columns, int depth, byte* destination);

    [LibraryImport(Library, EntryPoint = "tern_bf16_multiply")]
    public static partial void MultiplyBFloat16(byte* left, nint rowStep, nint depthStep, int rows, int depth, byte* panel, float* start, nint startPitch, float* destination, nint pitch, float* after, PrefetchQueue* ahead);

    [LibraryImport(Library, EntryPoint = "tern_int8_pack_rows")]
    public static partial void PackRowsInt8(float* source, nint pitch, int rows, int depth, byte* destination, nint destinationPitch);

    [LibraryImport(Library, EntryPoint = "tern_int8_pack_panel")]
    public static partial void PackPanelInt8(void* source, int elementSize, nint pitch, int columns, int depth, byte* destination);

    [LibraryImport(Library, EntryPoint = "tern_int8_multiply")]
    public static partial void MultiplyInt8(byte* left, nint rowStep, int rows, int depth, byte* panel, float* start, nint startPitch, float* destination, nint pitch);

    [LibraryImport(Library, EntryPoint = "tern_bf16_peak")]
    public static partial long PeakBFloat16(long rounds);

    [LibraryImport(Library, EntryPoint = "tern_int8_peak")]
    public static partial long PeakInt8(long rounds);

    [LibraryImport(Library, EntryPoint = "tern_cpu_features")]
    private static partial int CpuFeatures();

    /// <summary>The processor's features, or −1 without the library.</summary>
    private static int ReadFeatures()
    {
        try
        {
            return CpuFeatures();
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return -1;
        }
    }
}
