using System.Runtime.InteropServices;
using Tern.Compute.Cpu;
using Tern.Compute.Threading;

namespace Tern.Benchmarks.Products;

/// <summary>One implementation of the Float32 product; the same operands go through each.</summary>
internal interface IProductLibrary : IDisposable
{
    /// <summary>Column heading.</summary>
    string Name { get; }

    /// <summary>Version and the kernel that it chose.</summary>
    string Description { get; }

    /// <summary>Milliseconds that its idle threads go on spinning, in which nobody else can be measured.</summary>
    int SpinMilliseconds { get; }

    void SetThreads(int count);

    void Multiply(ProductOperands operands);
}

internal sealed class TernProduct(ProductKernels kernels, string path) : IProductLibrary
{
    private WorkerPool _pool = new(1);

    public string Name => "Tern";

    public string Description => $"path {path}";

    public int SpinMilliseconds => 0;

    public WorkerPool Pool => _pool;

    public void SetThreads(int count)
    {
        _pool.Dispose();
        _pool = new WorkerPool(count);
    }

    public void Multiply(ProductOperands o) =>
        MatrixProduct.Multiply(kernels, _pool, o.Left.Tensor, o.Shape.TransposeLeft, o.Right.Tensor, o.Shape.TransposeRight, o.Shape.Accumulates, o.Destination.Tensor);

    public void Dispose() => _pool.Dispose();
}

/// <summary>A library with cblas_sgemm: OpenBLAS, or another one that has its thread functions under its own names.</summary>
internal sealed unsafe class OpenBlasProduct : IProductLibrary
{
    private const int RowMajor = 101, Plain = 111, Transposed = 112;
    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> _sgemm;
    private readonly delegate* unmanaged<int, void> _setThreads;

    /// <exception cref="DllNotFoundException">There is no such library.</exception>
    public OpenBlasProduct(string path)
    {
        nint library = NativeLibrary.Load(path);
        _sgemm = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)NativeLibrary.GetExport(library, "cblas_sgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
        string kernel = Text(library, "openblas_get_corename"), config = Text(library, "openblas_get_config");
        Description = $"{string.Join(' ', config.Split(' ').Take(2))}, kernel {kernel}";
    }

    public string Name => "OpenBLAS";

    public string Description { get; }

    // Its threads poll for 2^26 ticks of the time stamp counter.
    public int SpinMilliseconds => 60;

    public void SetThreads(int count) => _setThreads(count);

    public void Multiply(ProductOperands o)
    {
        ProductShape s = o.Shape;
        _sgemm(
            RowMajor, s.TransposeLeft ? Transposed : Plain, s.TransposeRight ? Transposed : Plain, s.M, s.N, s.K,
            1f, o.Left.Address, o.Left.Tensor.Columns, o.Right.Address, o.Right.Tensor.Columns, s.Accumulates ? 1f : 0f, o.Destination.Address, s.N);
    }

    public void Dispose() => _setThreads(1);

    private static string Text(nint library, string function) =>
        Marshal.PtrToStringAnsi((nint)((delegate* unmanaged<byte*>)NativeLibrary.GetExport(library, function))()) ?? "";
}

internal sealed unsafe class OneDnnProduct : IProductLibrary
{
    private readonly delegate* unmanaged<byte, byte, nint, nint, nint, float, float*, nint, float*, nint, float, float*, nint, int> _sgemm;
    private readonly delegate* unmanaged<int, void> _setThreads;

    /// <exception cref="DllNotFoundException">There is no such library, or no OpenMP runtime for its threads.</exception>
    public OneDnnProduct(string path)
    {
        nint library = NativeLibrary.Load(path);
        _sgemm = (delegate* unmanaged<byte, byte, nint, nint, nint, float, float*, nint, float*, nint, float, float*, nint, int>)NativeLibrary.GetExport(library, "dnnl_sgemm");
        _setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(NativeLibrary.Load("libgomp.so.1"), "omp_set_num_threads");
        int* version = ((delegate* unmanaged<int*>)NativeLibrary.GetExport(library, "dnnl_version"))();
        Description = $"oneDNN {version[0]}.{version[1]}.{version[2]}, OpenMP";
    }

    public string Name => "oneDNN";

    public string Description { get; }

    public int SpinMilliseconds => 60;

    public void SetThreads(int count) => _setThreads(count);

    public void Multiply(ProductOperands o)
    {
        ProductShape s = o.Shape;
        int status = _sgemm(
            (byte)(s.TransposeLeft ? 'T' : 'N'), (byte)(s.TransposeRight ? 'T' : 'N'), s.M, s.N, s.K,
            1f, o.Left.Address, o.Left.Tensor.Columns, o.Right.Address, o.Right.Tensor.Columns, s.Accumulates ? 1f : 0f, o.Destination.Address, s.N);
        if (status != 0)
        {
            throw new InvalidOperationException($"dnnl_sgemm gave status {status}");
        }
    }

    public void Dispose() => _setThreads(1);
}
