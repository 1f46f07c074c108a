using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>A queue of work on the device: what is put into it runs in order.</summary>
public sealed class CudaStream : CudaObject
{
    private const uint NonBlocking = 1; // does not wait for the legacy default stream of other libraries

    public CudaStream(CudaContext context)
        : base(context)
    {
        CudaCall.Check(DriverApi.cuStreamCreate(out nint stream, NonBlocking));
        SetHandle(stream);
    }

    /// <summary>Calls of <see cref="Synchronize"/> so far.</summary>
    public long WaitCount { get; private set; }

    /// <summary>Waits until everything put in so far is done. Errors of kernels that ran meanwhile come out here.</summary>
    public void Synchronize()
    {
        Context.Use();
        WaitCount++;
        CudaCall.Check(DriverApi.cuStreamSynchronize(Handle));
    }

    private protected override int Release() => DriverApi.cuStreamDestroy(handle);
}

/// <summary>A mark in a stream that knows when it was passed.</summary>
public sealed class CudaEvent : CudaObject
{
    public CudaEvent(CudaContext context)
        : base(context)
    {
        CudaCall.Check(DriverApi.cuEventCreate(out nint mark, 0));
        SetHandle(mark);
    }

    public void Record(CudaStream stream)
    {
        Context.Use();
        CudaCall.Check(DriverApi.cuEventRecord(Handle, stream.Handle));
    }

    public void Synchronize()
    {
        Context.Use();
        CudaCall.Check(DriverApi.cuEventSynchronize(Handle));
    }

    /// <summary>Time on the device from another event to this one; both must have been passed.</summary>
    public TimeSpan Since(CudaEvent start)
    {
        Context.Use();
        CudaCall.Check(DriverApi.cuEventElapsedTime(out float milliseconds, start.Handle, Handle));
        return TimeSpan.FromMilliseconds(milliseconds);
    }

    private protected override int Release() => DriverApi.cuEventDestroy(handle);
}
