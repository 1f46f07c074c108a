using Tern.Compute;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>
/// cuBLAS on one stream, with a workspace of its own, so that it allocates nothing and gives the same bits in every run.
/// Float32 products are in Float32 (no TF32); BFloat16 ones add up in Float32.
/// </summary>
internal sealed unsafe class CudaBlas : IDisposable
{
    private const long WorkspaceByteCount = 32L << 20; // what cuBLAS recommends for Hopper
    private readonly CudaContext _context;
    private readonly CudaDeviceVariable _workspace;
    private readonly nint _handle;

    /// <exception cref="DllNotFoundException">cuBLAS is not installed; the message says what was looked for.</exception>
    public CudaBlas(CudaStream stream)
    {
        if (WhyNot is { } reason)
        {
            throw new DllNotFoundException(reason);
        }

        _context = stream.Context;
        CudaCall.CheckBlas(BlasApi.cublasCreate(out _handle));
        _workspace = new CudaDeviceVariable(stream, WorkspaceByteCount);
        CudaCall.CheckBlas(BlasApi.cublasSetStream(_handle, stream.Handle));
        CudaCall.CheckBlas(BlasApi.cublasSetWorkspace(_handle, _workspace.Address, (nuint)WorkspaceByteCount));
        CudaCall.CheckBlas(BlasApi.cublasGetVersion(_handle, out int version));
        Version = version;
    }

    public int Version { get; }

    public long ProductCount { get; private set; }

    /// <summary>What to do where cuBLAS is not installed; null where it is.</summary>
    public static string? WhyNot => NativeLibraries.Find(NativeLibraries.Blas) != 0
        ? null
        : $"cuBLAS not found ({NativeLibraries.Searched(NativeLibraries.Blas)}): install the CUDA toolkit's libcublas, or name its file in {NativeLibraries.OverrideVariable(NativeLibraries.Blas)}";

    /// <summary>
    /// destination = scale · op(left) · op(right) + keep · destination. left and right are of one type, the destination of
    /// that type or Float32.
    /// </summary>
    public void Multiply(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, float scale, float keep, Tensor destination)
    {
        int inner = transposeLeft ? left.Rows : left.Columns;
        if (destination.ElementCount == 0)
        {
            return;
        }

        ProductCount++;

        // cuBLAS has columns where Tern has rows: the transposed product, of the operands in reverse order.
        int status = BlasApi.cublasGemmEx(_handle, Operation(transposeRight), Operation(transposeLeft), destination.Columns, destination.Rows, inner, &scale, right.Address, TypeOf(right), Pitch(right), left.Address, TypeOf(left), Pitch(left), &keep, destination.Address, TypeOf(destination), Pitch(destination), BlasCompute.Float32, -1);
        if (status != 0)
        {
            CudaCall.CheckBlas(status, $"cublasGemmEx({left}{(transposeLeft ? "ᵀ" : "")} · {right}{(transposeRight ? "ᵀ" : "")} → {destination})");
        }
    }

    public void Dispose()
    {
        if (_context.UseForRelease())
        {
            _ = BlasApi.cublasDestroy(_handle);
        }

        _workspace.Dispose();
    }

    private static BlasOperation Operation(bool transpose) => transpose ? BlasOperation.Transpose : BlasOperation.None;

    private static BlasType TypeOf(Tensor tensor) => tensor.DType == DType.BFloat16 ? BlasType.BFloat16 : BlasType.Float32;

    private static int Pitch(Tensor tensor) => Math.Max(1, tensor.RowPitch);
}
