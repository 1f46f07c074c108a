using System.Runtime.InteropServices;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>
/// A device's primary context, which it shares with everything else in the process that uses the runtime API, such as
/// PyTorch. Everything below holds it, so that it goes last.
/// </summary>
public sealed class CudaContext : SafeHandle
{
    /// <summary>The context that <see cref="Use"/> has last made current on this thread.</summary>
    [ThreadStatic]
    private static nint _current;

    public CudaContext(CudaDevice device)
        : base(0, true)
    {
        Device = device;
        CudaCall.SetDevice(device.ToString());
        CudaCall.Check(DriverApi.cuDevicePrimaryCtxRetain(out nint context, device.Handle));
        SetHandle(context);
        _current = 0;
        Use();
    }

    public CudaDevice Device { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>Memory that nothing has taken yet, of all processes.</summary>
    public long FreeByteCount
    {
        get
        {
            Use();
            CudaCall.Check(DriverApi.cuMemGetInfo(out nuint free, out _));
            return (long)free;
        }
    }

    /// <summary>Makes this the calling thread's context; cheap when it is already.</summary>
    public void Use()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        if (_current != handle)
        {
            CudaCall.SetDevice(Device.ToString());
            CudaCall.Check(DriverApi.cuCtxSetCurrent(handle));
            _current = handle;
        }
    }

    protected override bool ReleaseHandle()
    {
        _current = 0;
        return DriverApi.cuDevicePrimaryCtxRelease(Device.Handle) == 0;
    }

    /// <summary>For the release of what lives in this context, on whatever thread: false when the driver is gone.</summary>
    internal bool UseForRelease() => DriverApi.cuCtxSetCurrent(handle) == 0 && (_current = handle) == handle;
}

/// <summary>Owns one object that lives in a context, and holds the context until the object is gone.</summary>
public abstract class CudaObject : SafeHandle
{
    private readonly bool _holdsContext;

    private protected CudaObject(CudaContext context)
        : base(0, true)
    {
        Context = context;
        context.Use();
        context.DangerousAddRef(ref _holdsContext);
    }

    public CudaContext Context { get; }

    public override bool IsInvalid => handle == 0;

    /// <summary>The driver's handle.</summary>
    internal nint Handle
    {
        get
        {
            ObjectDisposedException.ThrowIf(IsClosed, this);
            return handle;
        }
    }

    protected sealed override bool ReleaseHandle()
    {
        bool released = Context.UseForRelease() && Release() == 0;
        if (_holdsContext)
        {
            Context.DangerousRelease();
        }

        return released;
    }

    /// <summary>Frees the object; returns the driver's result.</summary>
    private protected abstract int Release();
}
