using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>
/// Device memory. Taken from and given back to the driver's pool in the stream's order where the device has one, so that
/// neither waits for the device; work put into that stream before it is freed may still use it.
/// </summary>
public sealed class CudaDeviceVariable : CudaObject
{
    private readonly CudaStream _stream;
    private readonly bool _pooled;
    private readonly bool _holdsStream;

    /// <exception cref="OutOfMemoryException">The device has too little memory left; the message says how much.</exception>
    public CudaDeviceVariable(CudaStream stream, long byteCount)
        : base(stream.Context)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(byteCount, 1);
        _stream = stream;
        stream.DangerousAddRef(ref _holdsStream);
        _pooled = Context.Device.HasMemoryPools;
        int result = _pooled
            ? DriverApi.cuMemAllocAsync(out nint address, (nuint)byteCount, stream.Handle)
            : DriverApi.cuMemAlloc(out address, (nuint)byteCount);
        if (result == CudaCall.OutOfMemory)
        {
            throw new OutOfMemoryException($"{Context.Device}: {byteCount >> 20} MiB asked for, {Context.FreeByteCount >> 20} of {Context.Device.MemoryByteCount >> 20} MiB are free; use smaller batches");
        }

        CudaCall.Check(result, $"{(_pooled ? "cuMemAllocAsync" : "cuMemAlloc")}({byteCount})");
        ByteCount = byteCount;
        SetHandle(address);
    }

    public long ByteCount { get; }

    /// <summary>The device address.</summary>
    public nint Address => Handle;

    private protected override int Release()
    {
        int result = _pooled ? DriverApi.cuMemFreeAsync(handle, _stream.DangerousGetHandle()) : DriverApi.cuMemFree(handle);
        if (_holdsStream)
        {
            _stream.DangerousRelease();
        }

        return result;
    }
}
