using Tern.Compute.Memory;

namespace Tern.Compute.Cpu;

/// <summary>A tensor's memory in the host.</summary>
internal sealed unsafe class CpuMemory : TensorMemory
{
    private readonly MemoryMeter? _meter;
    private void* _address;
    private bool _disposed;

    public CpuMemory(DType dtype, nint elementCount, MemoryMeter? meter = null)
        : base(dtype)
    {
        _meter = meter;
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
        Free();
        nuint byteCount = checked((nuint)elementCount * (nuint)DType.ByteSize());
        _address = AlignedMemory.Allocate(byteCount);
        Capacity = elementCount;
        _meter?.Add((long)byteCount);
    }

    protected override void Dispose(bool disposing)
    {
        Free();
        _disposed = true;
    }

    private void Free()
    {
        AlignedMemory.Free(_address);
        _address = null;
        _meter?.Add(-(long)Capacity * DType.ByteSize());
        Capacity = 0;
    }
}
