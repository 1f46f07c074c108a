using System.Runtime.CompilerServices;
using Tern.Compute;
using Tern.Compute.Memory;
using Tern.Cuda.Interop;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>
/// The operations on one GPU: products by cuBLAS, all else by the kernels of <c>native/kernels</c>, on one stream, so that
/// an operation starts when the one before it is done. Calls return before the device has finished, except
/// <see cref="Download"/> and the two that return a number. Deterministic: the same calls give the same bits. Tensors with
/// gaps between their rows are taken as they are where the kernel has a pitch, and through a copy otherwise.
/// </summary>
public sealed partial class CudaBackend : IBackend, IMeteredBackend, IDeviceMemory
{
    private readonly CudaContext _context;
    private readonly CudaStream _stream;
    private readonly CudaBlas _blas;
    private readonly KernelLibrary _kernels;
    private readonly CudaArena _arena;
    private readonly CudaHostVariable _numbers;

    /// <exception cref="NotSupportedException">The device, or this build, has no kernels or no products of that precision; the message says why.</exception>
    /// <exception cref="DllNotFoundException">cuBLAS is not installed.</exception>
    public CudaBackend(CudaDevice device, ProductPrecision precision = ProductPrecision.Float32)
    {
        if (WhyNot(precision) is { } reason)
        {
            throw new NotSupportedException($"{device}: {reason}");
        }

        Precision = precision;
        _context = new CudaContext(device);
        try
        {
            KeepPool(device);
            _stream = new CudaStream(_context);
            _kernels = new KernelLibrary(_stream);
            _blas = new CudaBlas(_stream);
            _arena = new CudaArena(_stream, Workspace);
            _numbers = new CudaHostVariable(_context, sizeof(double));
        }
        catch
        {
            _blas?.Dispose();
            _kernels?.Dispose();
            _stream?.Dispose();
            _context.Dispose();
            throw;
        }
    }

    public string Name => "cuda";

    public CudaDevice Device => _context.Device;

    public ProductPrecision Precision { get; }

    /// <summary>BFloat16 with products of that type.</summary>
    public DType ActivationType => OperandType;

    public MemoryMeter TensorMemory { get; } = new();

    public MemoryMeter Workspace { get; } = new();

    /// <summary>Memory that nothing has taken yet.</summary>
    public long FreeByteCount => _context.FreeByteCount;

    /// <summary>Kernels launched so far, those of cuBLAS not counted.</summary>
    public long LaunchCount => _kernels.LaunchCount;

    /// <summary>Products by cuBLAS so far.</summary>
    public long ProductCount => _blas.ProductCount;

    /// <summary>Waits for the device so far.</summary>
    public long WaitCount => _stream.WaitCount;

    /// <summary>cuBLAS's version, as 120304 for 12.3.4.</summary>
    public int BlasVersion => _blas.Version;

    /// <summary>An event to time operations with; the caller disposes it.</summary>
    public CudaEvent CreateEvent() => new(_context);

    /// <summary>Puts an event behind everything that was called so far.</summary>
    public void Record(CudaEvent mark) => mark.Record(_stream);

    /// <summary>Why a precision is not available on GPUs, in words; null when it is.</summary>
    public static string? WhyNot(ProductPrecision precision) =>
        precision == ProductPrecision.Int8 ? "products in 8 bits are for CPUs only; use f32 or bf16" : null;

    public TensorMemory Allocate(DType dtype, nint elementCount = 0) => new CudaMemory(_stream, TensorMemory, dtype, elementCount);

    public unsafe void Upload<T>(ReadOnlySpan<T> source, Tensor destination)
        where T : unmanaged
    {
        using CudaRange range = Begin();
        CheckTransfer<T>(source.Length, destination);
        fixed (T* start = source)
        {
            if (source.Length == 0)
            {
                return;
            }

            // The driver has copied pageable memory aside when it returns.
            if (destination.IsContiguous)
            {
                CudaCall.Check(DriverApi.cuMemcpyHtoDAsync(destination.Address, start, (nuint)source.Length * (nuint)sizeof(T), _stream.Handle));
            }
            else
            {
                CopyRows(new Copy2D { SourceMemoryType = MemoryType.Host, SourceHost = start, SourcePitch = RowByteCount(destination), DestinationMemoryType = MemoryType.Device, DestinationDevice = destination.Address, DestinationPitch = PitchByteCount(destination) }, destination);
            }
        }
    }

    public unsafe void Download<T>(Tensor source, Span<T> destination)
        where T : unmanaged
    {
        using CudaRange range = Begin();
        CheckTransfer<T>(destination.Length, source);
        fixed (T* start = destination)
        {
            if (destination.Length > 0 && source.IsContiguous)
            {
                CudaCall.Check(DriverApi.cuMemcpyDtoHAsync(start, source.Address, (nuint)destination.Length * (nuint)sizeof(T), _stream.Handle));
            }
            else if (destination.Length > 0)
            {
                CopyRows(new Copy2D { SourceMemoryType = MemoryType.Device, SourceDevice = source.Address, SourcePitch = PitchByteCount(source), DestinationMemoryType = MemoryType.Host, DestinationHost = start, DestinationPitch = RowByteCount(source) }, source);
            }

            _stream.Synchronize();
        }
    }

    public void Dispose()
    {
        if (_context.IsClosed)
        {
            return;
        }

        _stream.Synchronize();
        _numbers.Dispose();
        _squaredTable?.Dispose();
        _arena.Dispose();
        _blas.Dispose();
        _kernels.Dispose();
        _stream.Dispose();
        _context.Dispose();
    }

    /// <summary>The start of an operation: this thread's context, an empty arena, a range of the operation's name.</summary>
    private CudaRange Begin([CallerMemberName] string name = "")
    {
        _context.Use();
        _arena.Reset();
        return CudaRange.Start(name);
    }

    private void Launch(string kernel, params ReadOnlySpan<KernelArgument> arguments) => _kernels.Launch(kernel, arguments);

    /// <summary>The integers that an operation left on the device; waits for them.</summary>
    private unsafe void ReadIntegers(Tensor integers, Span<int> destination)
    {
        fixed (int* start = destination)
        {
            CudaCall.Check(DriverApi.cuMemcpyDtoHAsync(start, integers.Address, (nuint)destination.Length * sizeof(int), _stream.Handle));
            _stream.Synchronize();
        }
    }

    /// <summary>The double that an operation left on the device; waits for it.</summary>
    private unsafe double ReadNumber(Tensor number)
    {
        CudaCall.Check(DriverApi.cuMemcpyDtoHAsync((void*)_numbers.Address, number.Address, sizeof(double), _stream.Handle));
        _stream.Synchronize();
        return *(double*)_numbers.Address;
    }

    private unsafe void CopyRows(Copy2D copy, Tensor shape)
    {
        copy.WidthByteCount = RowByteCount(shape);
        copy.Height = (nuint)shape.Rows;
        CudaCall.Check(DriverApi.cuMemcpy2DAsync(copy, _stream.Handle));
    }

    private static nuint RowByteCount(Tensor tensor) => (nuint)tensor.Columns * (nuint)tensor.DType.ByteSize();

    private static nuint PitchByteCount(Tensor tensor) => (nuint)tensor.RowPitch * (nuint)tensor.DType.ByteSize();

    /// <summary>Freed memory stays with the process's pool: taking it again then costs no call into the kernel.</summary>
    private static unsafe void KeepPool(CudaDevice device)
    {
        if (device.HasMemoryPools)
        {
            ulong all = ulong.MaxValue;
            CudaCall.Check(DriverApi.cuDeviceGetDefaultMemPool(out nint pool, device.Handle));
            CudaCall.Check(DriverApi.cuMemPoolSetAttribute(pool, PoolAttribute.ReleaseThreshold, &all));
        }
    }

    private static void CheckTransfer<T>(int length, Tensor tensor)
        where T : unmanaged
    {
        if (tensor.IsHost || length != tensor.ElementCount || Unsafe.SizeOf<T>() != tensor.DType.ByteSize())
        {
            throw new ArgumentException($"cannot transfer {length} elements of {typeof(T).Name} to or from {tensor}");
        }
    }
}
