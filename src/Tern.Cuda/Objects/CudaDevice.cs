using System.Runtime.InteropServices;
using System.Text;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>One GPU as the driver describes it.</summary>
public sealed record CudaDevice
{
    private CudaDevice()
    {
    }

    public required int Ordinal { get; init; }

    public required string Name { get; init; }

    /// <summary>Major and minor compute capability, such as 9.0.</summary>
    public required Version ComputeCapability { get; init; }

    public required int MultiprocessorCount { get; init; }

    public required long MemoryByteCount { get; init; }

    public required int L2ByteCount { get; init; }

    /// <summary>Shared memory that one block may ask for.</summary>
    public required int MaxSharedByteCount { get; init; }

    /// <summary>Largest grid in x, y and z.</summary>
    public required (int X, int Y, int Z) MaxGrid { get; init; }

    /// <summary>True where memory can be allocated and freed in a stream's order.</summary>
    public required bool HasMemoryPools { get; init; }

    internal int Handle { get; private init; }

    /// <summary>The GPUs of this machine; none where there is no driver, or one that finds none.</summary>
    public static IReadOnlyList<CudaDevice> All { get; } = Enumerate(out Absence);

    /// <summary>Why <see cref="All"/> is empty, in one line; null when it is not.</summary>
    public static string? WhyNone => Absence;

    private static readonly string? Absence;

    /// <summary>The version of CUDA that the driver supports, such as 12.8.</summary>
    public static Version DriverVersion
    {
        get
        {
            CudaCall.Check(DriverApi.cuDriverGetVersion(out int version));
            return new Version(version / 1000, version % 1000 / 10);
        }
    }

    public override string ToString() => $"cuda:{Ordinal} ({Name})";

    private static IReadOnlyList<CudaDevice> Enumerate(out string? absence)
    {
        if (NativeLibraries.Find(NativeLibraries.Driver) == 0)
        {
            absence = $"no NVIDIA driver: {NativeLibraries.Searched(NativeLibraries.Driver)} not found; install the driver (https://www.nvidia.com/drivers), version 525 or later";
            return [];
        }

        try
        {
            CudaCall.Check(DriverApi.cuInit(0));
            CudaCall.Check(DriverApi.cuDeviceGetCount(out int count));
            absence = count > 0 ? null : "the NVIDIA driver finds no GPU; CUDA_VISIBLE_DEVICES may hide it";
            return [.. Enumerable.Range(0, count).Select(Describe)];
        }
        catch (Exception e) when (e is CudaException or EntryPointNotFoundException)
        {
            absence = $"the NVIDIA driver does not work: {e.Message}";
            return [];
        }
    }

    private static unsafe CudaDevice Describe(int ordinal)
    {
        const int MaxName = 256;
        byte* name = stackalloc byte[MaxName];
        CudaCall.Check(DriverApi.cuDeviceGet(out int device, ordinal));
        CudaCall.Check(DriverApi.cuDeviceGetName(name, MaxName, device));
        CudaCall.Check(DriverApi.cuDeviceTotalMem(out nuint byteCount, device));
        return new CudaDevice
        {
            Ordinal = ordinal,
            Handle = device,
            Name = Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name)),
            ComputeCapability = new Version(Attribute(DeviceAttribute.ComputeCapabilityMajor), Attribute(DeviceAttribute.ComputeCapabilityMinor)),
            MultiprocessorCount = Attribute(DeviceAttribute.MultiprocessorCount),
            MemoryByteCount = (long)byteCount,
            L2ByteCount = Attribute(DeviceAttribute.L2ByteCount),
            MaxSharedByteCount = Attribute(DeviceAttribute.MaxSharedByteCountOptIn),
            MaxGrid = (Attribute(DeviceAttribute.MaxGridX), Attribute(DeviceAttribute.MaxGridY), Attribute(DeviceAttribute.MaxGridZ)),
            HasMemoryPools = Attribute(DeviceAttribute.MemoryPoolsSupported) != 0,
        };

        int Attribute(DeviceAttribute attribute)
        {
            CudaCall.Check(DriverApi.cuDeviceGetAttribute(out int value, attribute, device));
            return value;
        }
    }
}
