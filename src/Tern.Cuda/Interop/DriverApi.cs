using System.Runtime.InteropServices;

namespace Tern.Cuda.Interop;

/// <summary>The functions of the CUDA driver API that the backend calls, by their own names. Results go through <see cref="CudaCall"/>.</summary>
internal static unsafe partial class DriverApi
{
    private const string Library = NativeLibraries.Driver;

    static DriverApi() => NativeLibraries.Use();

    // ---- driver and device -----------------------------------------------------------------------------------------

    [LibraryImport(Library)]
    public static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    public static partial int cuGetErrorName(int error, out byte* name);

    [LibraryImport(Library)]
    public static partial int cuGetErrorString(int error, out byte* text);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    public static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetAttribute(out int value, DeviceAttribute attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    public static partial int cuDeviceTotalMem(out nuint byteCount, int device);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetDefaultMemPool(out nint pool, int device);

    [LibraryImport(Library)]
    public static partial int cuMemPoolSetAttribute(nint pool, PoolAttribute attribute, void* value);

    // ---- context ----------------------------------------------------------------------------------------------------

    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    public static partial int cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Library)]
    public static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial int cuMemGetInfo(out nuint free, out nuint total);

    // ---- modules and kernels -----------------------------------------------------------------------------------------

    [LibraryImport(Library)]
    public static partial int cuModuleLoadDataEx(out nint module, byte* image, uint optionCount, JitOption* options, nint* values);

    [LibraryImport(Library)]
    public static partial int cuModuleUnload(nint module);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int cuModuleGetFunction(out nint function, nint module, string name);

    [LibraryImport(Library)]
    public static partial int cuFuncGetAttribute(out int value, FunctionAttribute attribute, nint function);

    [LibraryImport(Library)]
    public static partial int cuFuncSetAttribute(nint function, FunctionAttribute attribute, int value);

    /// <summary>Since CUDA 12.4.</summary>
    [LibraryImport(Library)]
    public static partial int cuFuncGetParamInfo(nint function, nuint index, out nuint offset, out nuint size);

    [LibraryImport(Library)]
    public static partial int cuLaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedByteCount, nint stream, void** parameters, void** extra);

    // ---- memory ------------------------------------------------------------------------------------------------------

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    public static partial int cuMemAlloc(out nint address, nuint byteCount);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    public static partial int cuMemFree(nint address);

    [LibraryImport(Library)]
    public static partial int cuMemAllocAsync(out nint address, nuint byteCount, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemFreeAsync(nint address, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemAllocHost_v2")]
    public static partial int cuMemAllocHost(out void* address, nuint byteCount);

    [LibraryImport(Library)]
    public static partial int cuMemFreeHost(void* address);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial int cuMemcpyHtoDAsync(nint destination, void* source, nuint byteCount, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    public static partial int cuMemcpyDtoHAsync(void* destination, nint source, nuint byteCount, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoDAsync_v2")]
    public static partial int cuMemcpyDtoDAsync(nint destination, nint source, nuint byteCount, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpy2DAsync_v2")]
    public static partial int cuMemcpy2DAsync(in Copy2D copy, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemsetD32Async(nint destination, uint value, nuint count, nint stream);

    [LibraryImport(Library)]
    public static partial int cuMemsetD2D32Async(nint destination, nuint pitchByteCount, uint value, nuint width, nuint height, nint stream);

    // ---- streams and events --------------------------------------------------------------------------------------------

    [LibraryImport(Library)]
    public static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial int cuStreamDestroy(nint stream);

    [LibraryImport(Library)]
    public static partial int cuStreamSynchronize(nint stream);

    [LibraryImport(Library)]
    public static partial int cuEventCreate(out nint @event, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial int cuEventDestroy(nint @event);

    [LibraryImport(Library)]
    public static partial int cuEventRecord(nint @event, nint stream);

    [LibraryImport(Library)]
    public static partial int cuEventSynchronize(nint @event);

    [LibraryImport(Library)]
    public static partial int cuEventElapsedTime(out float milliseconds, nint start, nint end);
}

/// <summary>CUdevice_attribute, those that are read.</summary>
internal enum DeviceAttribute
{
    MaxThreadsPerBlock = 1,
    MaxGridX = 5,
    MaxGridY = 6,
    MaxGridZ = 7,
    MultiprocessorCount = 16,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    L2ByteCount = 38,
    MaxSharedByteCountOptIn = 97,
    MemoryPoolsSupported = 115,
}

/// <summary>CUfunction_attribute, those that are read or set.</summary>
internal enum FunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedByteCount = 1,
    LocalByteCount = 3,
    RegisterCount = 4,
    MaxDynamicSharedByteCount = 8,
}

/// <summary>CUmemPool_attribute.</summary>
internal enum PoolAttribute
{
    ReleaseThreshold = 4,
}

/// <summary>CUjit_option, those that are given.</summary>
internal enum JitOption
{
    ErrorLogBuffer = 5,
    ErrorLogBufferByteCount = 6,
}

/// <summary>CUmemorytype.</summary>
internal enum MemoryType : uint
{
    Host = 1,
    Device = 2,
}

/// <summary>CUDA_MEMCPY2D.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Copy2D
{
    public nuint SourceXByteCount;
    public nuint SourceY;
    public MemoryType SourceMemoryType;
    public void* SourceHost;
    public nint SourceDevice;
    public nint SourceArray;
    public nuint SourcePitch;
    public nuint DestinationXByteCount;
    public nuint DestinationY;
    public MemoryType DestinationMemoryType;
    public void* DestinationHost;
    public nint DestinationDevice;
    public nint DestinationArray;
    public nuint DestinationPitch;
    public nuint WidthByteCount;
    public nuint Height;
}
