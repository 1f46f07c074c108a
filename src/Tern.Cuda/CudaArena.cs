using Tern.Compute;
using Tern.Compute.Memory;

namespace Tern.Cuda;

/// <summary>
/// Device memory for the intermediate values of one operation. It grows to what the largest operation takes and is never
/// given back, so that a steady loop allocates nothing. What it hands out is valid until <see cref="Reset"/>.
/// </summary>
internal sealed class CudaArena(CudaStream stream, MemoryMeter meter) : IDisposable
{
    private const long Alignment = 256;
    private readonly List<CudaDeviceVariable> _overflow = [];
    private CudaDeviceVariable? _block;
    private long _used;
    private long _wanted;

    /// <summary>Its size now.</summary>
    public long ByteCount => _block?.ByteCount ?? 0;

    public Tensor Take(DType dtype, int rows, int columns)
    {
        long byteCount = Math.Max(Alignment, ((((long)rows * columns * dtype.ByteSize()) + Alignment - 1) / Alignment) * Alignment);
        _wanted += byteCount;
        if (_used + byteCount <= ByteCount)
        {
            nint address = _block!.Address + (nint)_used;
            _used += byteCount;
            return new Tensor(address, dtype, rows, columns, isHost: false);
        }

        // Too small this once: what was handed out stays where it is, and the next operation finds one block for all.
        CudaDeviceVariable extra = new(stream, byteCount);
        _overflow.Add(extra);
        meter.Add(byteCount);
        return new Tensor(extra.Address, dtype, rows, columns, isHost: false);
    }

    /// <summary>Between operations.</summary>
    public void Reset()
    {
        if (_overflow.Count > 0)
        {
            Free();
            _block = new CudaDeviceVariable(stream, _wanted);
            meter.Add(_wanted);
        }

        _used = 0;
        _wanted = 0;
    }

    public void Dispose() => Free();

    private void Free()
    {
        meter.Add(-ByteCount - _overflow.Sum(v => v.ByteCount));
        _overflow.ForEach(v => v.Dispose());
        _overflow.Clear();
        _block?.Dispose();
        _block = null;
    }
}
