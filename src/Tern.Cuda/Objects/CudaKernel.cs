using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>
/// One kernel. Every launch is checked against what the compiler and the device allow before the driver sees it, as the
/// driver's own answer (invalid argument, out of resources) names nothing.
/// </summary>
public sealed unsafe class CudaKernel
{
    private const int SharedWithoutAsking = 48 * 1024;
    private readonly CudaModule _module;
    private readonly nint _function;
    private int _sharedAllowed = SharedWithoutAsking;

    internal CudaKernel(CudaModule module, nint function, string name)
    {
        _module = module;
        _function = function;
        Name = name;
        MaxThreadsPerBlock = Attribute(FunctionAttribute.MaxThreadsPerBlock);
        SharedByteCount = Attribute(FunctionAttribute.SharedByteCount);
        RegisterCount = Attribute(FunctionAttribute.RegisterCount);
        LocalByteCount = Attribute(FunctionAttribute.LocalByteCount);
        ParameterByteCounts = ReadParameterByteCounts();
    }

    public string Name { get; }

    /// <summary>The most threads of one block, given the registers that the kernel takes.</summary>
    public int MaxThreadsPerBlock { get; }

    /// <summary>Shared memory that it declares itself.</summary>
    public int SharedByteCount { get; }

    public int RegisterCount { get; }

    /// <summary>Memory of a thread for what does not fit in registers; not 0 means spills or indexed arrays.</summary>
    public int LocalByteCount { get; }

    /// <summary>Sizes of its parameters; null with drivers older than CUDA 12.4, which do not tell.</summary>
    public IReadOnlyList<int>? ParameterByteCounts { get; }

    /// <summary>Puts a launch into the stream. Arguments in the kernel's order, each of its exact size.</summary>
    /// <exception cref="ArgumentException">The grid, the block, the shared memory or the arguments do not fit the kernel.</exception>
    public void Launch(CudaStream stream, LaunchShape shape, params ReadOnlySpan<KernelArgument> arguments)
    {
        Check(shape);
        CheckArguments(arguments);
        if (shape.SharedByteCount > _sharedAllowed)
        {
            CudaCall.Check(DriverApi.cuFuncSetAttribute(_function, FunctionAttribute.MaxDynamicSharedByteCount, shape.SharedByteCount));
            _sharedAllowed = shape.SharedByteCount;
        }

        fixed (KernelArgument* first = arguments)
        {
            void** addresses = stackalloc void*[Math.Max(1, arguments.Length)];
            for (int i = 0; i < arguments.Length; i++)
            {
                addresses[i] = first + i;
            }

            int result = DriverApi.cuLaunchKernel(_function, (uint)shape.GridX, (uint)shape.GridY, (uint)shape.GridZ, (uint)shape.Block, 1, 1, (uint)shape.SharedByteCount, stream.Handle, addresses, null);
            if (result != 0)
            {
                CudaCall.Throw(result, $"cuLaunchKernel({Name})", shape.ToString());
            }
        }
    }

    public override string ToString() => $"{Name}: {RegisterCount} registers, {SharedByteCount} B shared, {LocalByteCount} B local, at most {MaxThreadsPerBlock} threads";

    private void Check(LaunchShape shape)
    {
        CudaDevice device = _module.Context.Device;
        if (shape.Block < 1 || shape.Block > MaxThreadsPerBlock)
        {
            throw new ArgumentException($"{Name}: blocks of {shape.Block} threads; it runs with at most {MaxThreadsPerBlock} ({RegisterCount} registers each)");
        }

        if (shape.GridX < 1 || shape.GridY < 1 || shape.GridZ < 1 || shape.GridX > device.MaxGrid.X || shape.GridY > device.MaxGrid.Y || shape.GridZ > device.MaxGrid.Z)
        {
            throw new ArgumentException($"{Name}: a grid of {shape.GridX} x {shape.GridY} x {shape.GridZ} blocks; {device} takes 1 to {device.MaxGrid.X} x {device.MaxGrid.Y} x {device.MaxGrid.Z}");
        }

        if (shape.SharedByteCount < 0 || shape.SharedByteCount + SharedByteCount > device.MaxSharedByteCount)
        {
            throw new ArgumentException($"{Name}: {SharedByteCount} + {shape.SharedByteCount} bytes of shared memory; {device} has {device.MaxSharedByteCount} for a block");
        }
    }

    private void CheckArguments(ReadOnlySpan<KernelArgument> arguments)
    {
        if (ParameterByteCounts is not { } expected)
        {
            return;
        }

        bool same = arguments.Length == expected.Count;
        for (int i = 0; same && i < arguments.Length; i++)
        {
            same = arguments[i].ByteCount == expected[i];
        }

        if (!same)
        {
            string given = string.Join(", ", arguments.ToArray().Select(a => a.ByteCount));
            throw new ArgumentException($"{Name}: arguments of {given} bytes for parameters of {string.Join(", ", expected)}");
        }
    }

    private int Attribute(FunctionAttribute attribute)
    {
        CudaCall.Check(DriverApi.cuFuncGetAttribute(out int value, attribute, _function));
        return value;
    }

    private int[]? ReadParameterByteCounts()
    {
        try
        {
            List<int> sizes = [];
            while (DriverApi.cuFuncGetParamInfo(_function, (nuint)sizes.Count, out _, out nuint size) == 0)
            {
                sizes.Add((int)size);
            }

            return [.. sizes];
        }
        catch (EntryPointNotFoundException)
        {
            return null;
        }
    }
}

/// <summary>Blocks of a launch in up to three dimensions, threads of a block, and dynamic shared memory.</summary>
public readonly record struct LaunchShape(int GridX, int Block, int SharedByteCount = 0, int GridY = 1, int GridZ = 1)
{
    public override string ToString() => $"grid {GridX} x {GridY} x {GridZ}, block {Block}, {SharedByteCount} B shared";
}

/// <summary>A kernel's argument by value: pointers and 64-bit integers, 32-bit integers, floats.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct KernelArgument
{
    private readonly long _bits; // little-endian: an argument of 4 bytes is its lower half
    private readonly long _byteCount;

    private KernelArgument(long bits, int byteCount)
    {
        _bits = bits;
        _byteCount = byteCount;
    }

    public int ByteCount => (int)_byteCount;

    /// <summary>Its value as an integer.</summary>
    internal long Integer => _byteCount == 4 ? (int)_bits : _bits;

    /// <summary>A tensor's address; an empty tensor is the null pointer.</summary>
    public static implicit operator KernelArgument(Tensor tensor) => new(tensor.Address, 8);

    public static implicit operator KernelArgument(nint address) => new(address, 8);

    public static implicit operator KernelArgument(long value) => new(value, 8);

    public static implicit operator KernelArgument(int value) => new((uint)value, 4);

    public static implicit operator KernelArgument(uint value) => new(value, 4);

    public static implicit operator KernelArgument(bool value) => new(value ? 1 : 0, 4);

    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), 4);
}
