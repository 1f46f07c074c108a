using System.Runtime.InteropServices;

namespace Tern.Compute.Cpu;

/// <summary>
/// Native memory aligned to 64 bytes: a cache line and the widest vector. Large tensors ask Linux for huge pages: operations
/// that visit rows here and there wait for address translation otherwise, and those that walk many tensors at once too.
/// </summary>
internal sealed unsafe partial class CpuMemory : TensorMemory
{
    private const nuint Alignment = 64, HugePage = 2 << 20, SmallestLarge = 4 * HugePage;
    private const int AdviceHugePage = 14;

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
        nuint byteCount = checked((nuint)elementCount * (nuint)DType.ByteSize());
        bool large = byteCount >= SmallestLarge;
        _address = NativeMemory.AlignedAlloc(byteCount, large ? HugePage : Alignment);
        Capacity = elementCount;
        if (large && OperatingSystem.IsLinux())
        {
            _ = AdviseMemory(_address, byteCount & ~(HugePage - 1), AdviceHugePage);
        }
    }

    /// <summary>A wish: a system without huge pages, or with none left, answers with an error that changes nothing.</summary>
    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int AdviseMemory(void* address, nuint byteCount, int advice);

    protected override void Dispose(bool disposing)
    {
        NativeMemory.AlignedFree(_address);
        _address = null;
        Capacity = 0;
        _disposed = true;
    }
}
