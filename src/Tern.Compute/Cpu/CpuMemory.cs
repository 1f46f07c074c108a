namespace Tern.Compute.Cpu;

/// <summary>A tensor's memory in the host.</summary>
internal sealed unsafe class CpuMemory : TensorMemory
{
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
        AlignedMemory.Free(_address);
        _address = null;
        Capacity = 0;
        _address = AlignedMemory.Allocate(checked((nuint)elementCount * (nuint)DType.ByteSize()));
        Capacity = elementCount;
    }

    protected override void Dispose(bool disposing)
    {
        AlignedMemory.Free(_address);
        _address = null;
        Capacity = 0;
        _disposed = true;
    }
}
