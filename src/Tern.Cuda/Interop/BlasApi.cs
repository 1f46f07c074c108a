using System.Runtime.InteropServices;

namespace Tern.Cuda.Interop;

/// <summary>The functions of cuBLAS that the backend calls, by their own names.</summary>
internal static unsafe partial class BlasApi
{
    private const string Library = NativeLibraries.Blas;

    static BlasApi() => NativeLibraries.Use();

    [LibraryImport(Library, EntryPoint = "cublasCreate_v2")]
    public static partial int cublasCreate(out nint handle);

    [LibraryImport(Library, EntryPoint = "cublasDestroy_v2")]
    public static partial int cublasDestroy(nint handle);

    [LibraryImport(Library, EntryPoint = "cublasSetStream_v2")]
    public static partial int cublasSetStream(nint handle, nint stream);

    [LibraryImport(Library, EntryPoint = "cublasSetWorkspace_v2")]
    public static partial int cublasSetWorkspace(nint handle, nint workspace, nuint byteCount);

    [LibraryImport(Library, EntryPoint = "cublasGetVersion_v2")]
    public static partial int cublasGetVersion(nint handle, out int version);

    [LibraryImport(Library)]
    public static partial byte* cublasGetStatusString(int status);

    [LibraryImport(Library)]
    public static partial int cublasGemmEx(
        nint handle,
        BlasOperation operationA,
        BlasOperation operationB,
        int m,
        int n,
        int k,
        void* alpha,
        nint a,
        BlasType typeA,
        int pitchA,
        nint b,
        BlasType typeB,
        int pitchB,
        void* beta,
        nint c,
        BlasType typeC,
        int pitchC,
        BlasCompute compute,
        int algorithm);
}

/// <summary>cublasOperation_t.</summary>
internal enum BlasOperation
{
    None = 0,
    Transpose = 1,
}

/// <summary>cudaDataType, those that are used.</summary>
internal enum BlasType
{
    Float32 = 0,
    BFloat16 = 14,
}

/// <summary>cublasComputeType_t: sums in Float32, Float32 operands as they are (no TF32).</summary>
internal enum BlasCompute
{
    Float32 = 68,
}
