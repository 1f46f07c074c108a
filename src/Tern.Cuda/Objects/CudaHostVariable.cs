using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>Page-locked host memory: copies to and from it do not wait for the device.</summary>
internal sealed unsafe class CudaHostVariable : CudaObject
{
    public CudaHostVariable(CudaContext context, long byteCount)
        : base(context)
    {
        CudaCall.Check(DriverApi.cuMemAllocHost(out void* address, (nuint)byteCount));
        SetHandle((nint)address);
    }

    public nint Address => Handle;

    private protected override int Release() => DriverApi.cuMemFreeHost((void*)handle);
}
