using Tern.Compute;
using Tern.Compute.Memory;

namespace Tern.Cuda;

/// <summary>Memory on the device behind tensors. What replaces it when it grows is taken in the stream's order, without waiting.</summary>
internal sealed class CudaMemory : TensorMemory
{
    private readonly CudaStream _stream;
    private readonly MemoryMeter _meter;
    private CudaDeviceVariable? _variable;
    private bool _disposed;

    public CudaMemory(CudaStream stream, MemoryMeter meter, DType dtype, nint elementCount)
        : base(dtype)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(elementCount);
        _stream = stream;
        _meter = meter;
        if (elementCount > 0)
        {
            Grow(elementCount);
        }
    }

    protected override Tensor Handle(int rows, int columns)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new Tensor(_variable?.Address ?? 0, DType, rows, columns, isHost: false);
    }

    protected override void Grow(nint elementCount)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _stream.Context.Use();
        _variable?.Dispose();
        Forget();
        _variable = new CudaDeviceVariable(_stream, checked((long)elementCount * DType.ByteSize()));
        Capacity = elementCount;
        _meter.Add(_variable.ByteCount);
    }

    protected override void Dispose(bool disposing)
    {
        // The variable frees itself when the collector finds both.
        if (disposing)
        {
            _variable?.Dispose();
        }

        Forget();
        _disposed = true;
    }

    private void Forget()
    {
        _meter.Add(-(long)Capacity * DType.ByteSize());
        _variable = null;
        Capacity = 0;
    }
}
