using Tern.Compute;
using Tern.Cuda.Kernels;
using Tern.TestKit;
using Xunit;

namespace Tern.Cuda.Tests;

/// <summary>What goes wrong on a device is an exception that names the call, the error and the device, and often the place.</summary>
public sealed class DriverTests
{
    [EmulatedDeviceFact]
    public void AKernelThatWritesOutsideItsMemoryIsNamed()
    {
        using Device device = new();
        using KernelLibrary kernels = new(device.Stream);
        using CudaDeviceVariable source = new(device.Stream, 128), memory = new(device.Stream, 64);
        CudaException e = Assert.Throws<CudaException>(() => kernels.Launch("tern_log1p_relu_forward_f32", source.Address, 17L, memory.Address));
        Assert.Equal("cuLaunchKernel(tern_log1p_relu_forward_f32): CUDA_ERROR_ILLEGAL_ADDRESS (700) on cuda:0 (emulated): tern_log1p_relu_forward_f32: byte 64 of an allocation of 64 bytes was written; grid 1 x 1 x 1, block 256, 0 B shared", e.Message);
    }

    [EmulatedDeviceFact]
    public unsafe void HostMemoryAndFreedMemoryAreRefusedAsArguments()
    {
        using Device device = new();
        using KernelLibrary kernels = new(device.Stream);
        CudaDeviceVariable memory = new(device.Stream, 64);
        nint freed = memory.Address;
        memory.Dispose();
        float host = 0;
        foreach (nint address in new[] { freed, (nint)(&host) })
        {
            CudaException e = Assert.Throws<CudaException>(() => kernels.Launch("tern_log1p_relu_forward_f32", address, 1L, address));
            Assert.Contains("tern_log1p_relu_forward_f32: argument 0", e.Message, StringComparison.Ordinal);
            Assert.Contains("is not in live device memory", e.Message, StringComparison.Ordinal);
        }

        Assert.Throws<ObjectDisposedException>(() => memory.Address);
    }

    [EmulatedDeviceFact]
    public void TooMuchMemoryIsAnOutOfMemoryExceptionWithTheNumbers()
    {
        using Device device = new();
        long all = device.Context.Device.MemoryByteCount;
        OutOfMemoryException e = Assert.Throws<OutOfMemoryException>(() => new CudaDeviceVariable(device.Stream, all + 1));
        Assert.Contains($"{all >> 20} MiB asked for", e.Message, StringComparison.Ordinal);
        Assert.Contains("use smaller batches", e.Message, StringComparison.Ordinal);
    }

    [EmulatedDeviceFact]
    public void AnImageThatIsNotForTheDeviceIsRefusedWithTheCompilersLog()
    {
        using Device device = new();
        CudaException e = Assert.Throws<CudaException>(() => new CudaModule(device.Context, "garbage"u8, "garbage.ptx"));
        Assert.Contains("cuModuleLoadDataEx(garbage.ptx): CUDA_ERROR_INVALID_IMAGE (200) on cuda:0 (emulated)", e.Message, StringComparison.Ordinal);
        Assert.Contains("runs its own kernels only", e.Message, StringComparison.Ordinal);
    }

    [EmulatedDeviceFact]
    public void EventsMeasureWhatLiesBetweenThem()
    {
        using Device device = new();
        using CudaEvent start = new(device.Context), end = new(device.Context);
        start.Record(device.Stream);
        end.Record(device.Stream);
        end.Synchronize();
        Assert.True(end.Since(start) >= TimeSpan.Zero);
        using CudaEvent never = new(device.Context);
        Assert.Throws<CudaException>(() => never.Since(start));
    }

    [EmulatedDeviceFact]
    public void AnotherThreadWorksInTheSameContext()
    {
        using CudaBackend backend = new(CudaDevice.All[0]);
        using TensorMemory memory = backend.Allocate(DType.Float32);
        Tensor tensor = memory.Shape(1, 3);
        backend.Fill(2, tensor);
        float[] values = new float[3];
        Thread thread = new(() => backend.Download<float>(tensor, values));
        thread.Start();
        thread.Join();
        Assert.Equal([2f, 2f, 2f], values);
    }

    [EmulatedDeviceFact]
    public void TheDeviceIsDescribed()
    {
        CudaDevice device = CudaDevice.All[0];
        Assert.Equal("cuda:0 (emulated)", device.ToString());
        Assert.Equal(new Version(9, 0), device.ComputeCapability);
        Assert.True(device.MemoryByteCount > 0);
        Assert.Null(CudaDevice.WhyNone);
        Assert.Equal(new Version(13, 0), CudaDevice.DriverVersion);
    }
}
