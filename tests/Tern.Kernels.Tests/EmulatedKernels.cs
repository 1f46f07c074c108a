using System.Runtime.InteropServices;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests;

/// <summary>A launch that the emulator ended, with its reason.</summary>
internal sealed class KernelFailedException(string message) : Exception(message);

/// <summary>
/// The kernels compiled for the CPU, from a library that `./build.sh native` made or that a test compiled from a changed
/// source. Launch shapes come from <see cref="KernelTable"/>. One launch at a time, as the library demands.
/// </summary>
internal sealed unsafe class EmulatedKernels : IDisposable
{
    private readonly nint _library;
    private readonly delegate* unmanaged<uint, uint, int, void> _configure;
    private readonly delegate* unmanaged<byte*, int> _find;
    private readonly delegate* unmanaged<int, uint, uint, uint, uint, uint, uint, uint, void**, int> _launch;
    private readonly delegate* unmanaged<byte*> _error;

    public EmulatedKernels(string path)
    {
        _library = NativeLibrary.Load(path);
        _configure = (delegate* unmanaged<uint, uint, int, void>)NativeLibrary.GetExport(_library, "tern_emulator_configure");
        _find = (delegate* unmanaged<byte*, int>)NativeLibrary.GetExport(_library, "tern_emulator_find");
        _launch = (delegate* unmanaged<int, uint, uint, uint, uint, uint, uint, uint, void**, int>)NativeLibrary.GetExport(_library, "tern_emulator_launch");
        _error = (delegate* unmanaged<byte*>)NativeLibrary.GetExport(_library, "tern_emulator_error");
    }

    public static string BuiltPath { get; } = Repository.PathOf("artifacts", "native", "emulator", "libtern_emulator.so");

    /// <summary>Why the kernels cannot be run here, or null.</summary>
    public static string? WhyNot => File.Exists(BuiltPath) ? null : "the emulated kernels are not built: './build.sh native' with cmake and a C++20 compiler on x86-64 Linux does";

    /// <summary>Names of the kernels launched so far.</summary>
    public HashSet<string> Launched { get; } = [];

    /// <summary>The order in which threads run: 0 in order, others drawn from the number.</summary>
    public uint Seed { get; set; }

    /// <summary>Names, parameter types and block sizes that the library itself reports.</summary>
    public IEnumerable<(string Name, string Signature, int Threads)> Kernels()
    {
        int count = ((delegate* unmanaged<int>)NativeLibrary.GetExport(_library, "tern_emulator_kernel_count"))();
        var name = NativeLibrary.GetExport(_library, "tern_emulator_kernel_name");
        var signature = NativeLibrary.GetExport(_library, "tern_emulator_kernel_signature");
        var threads = NativeLibrary.GetExport(_library, "tern_emulator_kernel_threads");
        return [.. Enumerable.Range(0, count).Select(i => (Text(((delegate* unmanaged<int, byte*>)name)(i)), Text(((delegate* unmanaged<int, byte*>)signature)(i)), (int)((delegate* unmanaged<int, uint>)threads)(i)))];
    }

    /// <summary>A hash of each launch's results, in order; what is in no fixed order (candidates of a top-k) is left out.</summary>
    public List<int> Digests { get; } = [];

    /// <summary>Launches with the arguments in the order of the table: matrices for pointers (null for absent), numbers for sizes and scalars.</summary>
    public void Launch(string kernel, params object?[] arguments) => Launch(KernelTable.All[kernel], arguments);

    /// <summary>As the other overload, in a shape that the table may not have.</summary>
    public void Launch(KernelDeclaration declaration, params object?[] arguments)
    {
        string kernel = declaration.Name;
        Assert.True(arguments.Length == declaration.Parameters.Length, $"{kernel}: {arguments.Length} arguments for {declaration.Parameters.Length} parameters");
        long[] slots = new long[arguments.Length];
        nint[] maps = new nint[arguments.Length];
        var sizes = new Dictionary<string, long>();
        for (int i = 0; i < arguments.Length; i++)
        {
            KernelParameter parameter = declaration.Parameters[i];
            switch (arguments[i])
            {
                case HostMatrix matrix when parameter.IsPointer:
                    slots[i] = matrix.Tensor.Address;
                    break;
                case TensorMap map when parameter.Type == "tensor_map":
                    maps[i] = map.Address;
                    break;
                case null when parameter.IsPointer:
                    break;
                case float value when parameter.Type == "f32":
                    slots[i] = BitConverter.SingleToUInt32Bits(value);
                    break;
                case IConvertible value when parameter.Type is "i32" or "i64" or "u32" or "u64":
                    slots[i] = value.ToInt64(null);
                    sizes[parameter.Name] = slots[i];
                    break;
                default:
                    throw new ArgumentException($"{kernel}: {arguments[i]?.GetType().Name} for parameter {parameter.Type} {parameter.Name}");
            }
        }

        uint[] grid = [.. declaration.Grid.Select(g => checked((uint)KernelTable.Evaluate(g, name => sizes[name]))), 1, 1, 1];
        uint sharedBytes = checked((uint)KernelTable.Evaluate(declaration.SharedBytes, name => sizes[name]));
        Launch(kernel, grid, (uint)declaration.Threads, sharedBytes, slots, maps);
        var digest = default(HashCode);
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i] is HostMatrix matrix && !declaration.Parameters[i].Type.StartsWith("const", StringComparison.Ordinal) && declaration.Parameters[i].Name is not ("keys" or "kept"))
            {
                digest.AddBytes(MemoryMarshal.AsBytes(matrix.Bits().AsSpan()));
            }
        }

        Digests.Add(digest.ToHashCode());
    }

    /// <summary>A map of a bf16 matrix in boxes of that many rows and 64 columns.</summary>
    public TensorMap Map(HostMatrix matrix, int boxRows)
    {
        TensorMap map = new();
        ((delegate* unmanaged<nint, nint, ulong, ulong, ulong, uint, void>)NativeLibrary.GetExport(_library, "tern_emulator_tensor_map"))(
            map.Address, matrix.Tensor.Address, (ulong)matrix.Tensor.Rows, (ulong)matrix.Tensor.Columns, (ulong)matrix.Tensor.RowPitch, (uint)boxRows);
        return map;
    }

    public void Dispose() => NativeLibrary.Free(_library);

    private static string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text)!;

    private void Launch(string kernel, uint[] grid, uint threads, uint sharedBytes, long[] slots, nint[] maps)
    {
        Launched.Add(kernel);
        int index;
        fixed (byte* name = System.Text.Encoding.UTF8.GetBytes(kernel + "\0"))
        {
            index = _find(name);
        }

        if (index < 0)
        {
            throw new EntryPointNotFoundException($"the library has no kernel {kernel}");
        }

        void** pointers = stackalloc void*[slots.Length];
        fixed (long* values = slots)
        {
            for (int i = 0; i < slots.Length; i++)
            {
                pointers[i] = maps[i] != 0 ? (void*)maps[i] : values + i;
            }

            _configure(Seed, 0, 1);
            if (_launch(index, grid[0], grid[1], grid[2], threads, 1, 1, sharedBytes, pointers) != 0)
            {
                throw new KernelFailedException(Text(_error()));
            }
        }
    }
}

/// <summary>A tensor map, passed to a kernel by value.</summary>
internal sealed unsafe class TensorMap : IDisposable
{
    public nint Address { get; } = (nint)NativeMemory.AlignedAlloc(128, 64);

    public void Dispose() => NativeMemory.AlignedFree((void*)Address);
}
