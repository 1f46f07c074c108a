using System.Runtime.InteropServices;

namespace Tern.Compute.Cpu;

/// <summary>Native memory aligned to 64 bytes: a cache line and the widest vector.</summary>
internal sealed unsafe class CpuMemory : TensorMemory
{
    private const int Alignment = 64;

    private void* _address;
    private bool _disposed;

    public CpuMemory(DType dtype, nint elementCount)
        : base(dtype)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(elementCount);
        if (elementCount > 0)
        {
            Grow(elementCount);
        }
    }

    ~CpuMemory() => Dispose(false);

    protected override Tensor Handle(int rows, int columns)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new Tensor((nint)_address, DType, rows, columns);
    }

    protected override void Grow(nint elementCount)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        NativeMemory.AlignedFree(_address);
        _address = null;
        Capacity = 0;
        _address = NativeMemory.AlignedAlloc(checked((nuint)elementCount * (nuint)DType.ByteSize()), Alignment);
        Capacity = elementCount;
    }

    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
        Capacity = 0;
        _disposed = true;
    }
}
