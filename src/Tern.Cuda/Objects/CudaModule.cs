using System.Diagnostics.CodeAnalysis;
using System.Text;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>Compiled kernels on a device: PTX, which the driver compiles now, or a cubin.</summary>
public sealed unsafe class CudaModule : CudaObject
{
    private const int LogByteCount = 8192;

    /// <exception cref="CudaException">The driver refuses the image; the message has its compiler's log.</exception>
    public CudaModule(CudaContext context, ReadOnlySpan<byte> image, string name)
        : base(context)
    {
        // PTX is text, which ends in a zero.
        byte[] terminated = [.. image, 0];
        byte[] log = new byte[LogByteCount];
        fixed (byte* start = terminated, logStart = log)
        {
            JitOption* options = stackalloc[] { JitOption.ErrorLogBuffer, JitOption.ErrorLogBufferByteCount };
            nint* values = stackalloc[] { (nint)logStart, LogByteCount };
            int result = DriverApi.cuModuleLoadDataEx(out nint module, start, 2, options, values);
            if (result != 0)
            {
                CudaCall.Throw(result, $"cuModuleLoadDataEx({name})", Encoding.UTF8.GetString(log).TrimEnd('\0', '\n'));
            }

            SetHandle(module);
        }

        Name = name;
    }

    public string Name { get; }

    /// <summary>The kernel of that name with its launch limits, which lives as long as the module; false when it has none.</summary>
    public bool TryKernel(string name, [NotNullWhen(true)] out CudaKernel? kernel)
    {
        Context.Use();
        int result = DriverApi.cuModuleGetFunction(out nint function, Handle, name);
        if (result is not (0 or CudaCall.NotFound))
        {
            CudaCall.Throw(result, $"cuModuleGetFunction({name})", $"in {Name}");
        }

        kernel = result == 0 ? new CudaKernel(this, function, name) : null;
        return result == 0;
    }

    private protected override int Release() => DriverApi.cuModuleUnload(handle);
}
