using System.Runtime.InteropServices;
using Tern.Compute;

namespace Tern.Model.Checkpoints;

/// <summary>Turns the tensors of a checkpoint into parameters: mapped where possible, otherwise widened and uploaded.</summary>
internal static class WeightLoader
{
    private const int BlockElementCount = 1 << 20;

    public static LlamaWeights Load(IBackend backend, string directory, bool trainable)
    {
        LlamaConfig config = LlamaConfig.Load(directory);
        Checkpoint checkpoint = Checkpoint.Open(directory);
        var owned = new List<IDisposable> { checkpoint };
        try
        {
            IReadOnlyList<ParameterLayout> layouts = ParameterLayout.Of(config, checkpoint.Contains(ParameterLayout.TermBiasName));
            CheckNames(checkpoint, config, layouts);
            bool onHost = IsHost(backend);
            var parameters = new List<Parameter>();
            foreach (ParameterLayout layout in layouts)
            {
                (SafetensorsFile file, SafetensorsEntry entry) = checkpoint.Find(layout.Name);
                CheckShape(file, entry, layout);
                Tensor value = !trainable && onHost && TryMap(file, entry, layout, out Tensor mapped) ? mapped : Read(backend, file, entry, layout, trainable, owned);
                parameters.Add(new Parameter(layout.Name, value, trainable ? LlamaWeights.AllocateGradient(backend, layout, owned) : default, layout.IsVector));
            }

            return new LlamaWeights(backend, config, parameters, owned, onHost ? parameter => Release(checkpoint, parameter) : null);
        }
        catch
        {
            owned.ForEach(o => o.Dispose());
            throw;
        }
    }

    /// <summary>A mapped weight that was laid out elsewhere is not read again soon: its pages need not stay in memory.</summary>
    private static void Release(Checkpoint checkpoint, Parameter parameter)
    {
        if (checkpoint.Contains(parameter.Name))
        {
            (SafetensorsFile file, SafetensorsEntry entry) = checkpoint.Find(parameter.Name);
            if (parameter.Value.Address == file.Address(entry))
            {
                file.Release(entry);
            }
        }
    }

    private static bool IsHost(IBackend backend)
    {
        using TensorMemory memory = backend.Allocate(DType.Float32, 1);
        return memory.Shape(1, 1).IsHost;
    }

    /// <summary>A tensor that the model would not use is an error: the result would differ from what was trained.</summary>
    private static void CheckNames(Checkpoint checkpoint, LlamaConfig config, IReadOnlyList<ParameterLayout> layouts)
    {
        HashSet<string> known = [.. layouts.Select(l => l.Name)];
        foreach (string name in checkpoint.Names)
        {
            // Older exports carry the rotary table, and some tied models a copy of the embedding as lm_head.
            bool harmless = name.EndsWith(".rotary_emb.inv_freq", StringComparison.Ordinal) || (config.TieWordEmbeddings && name == ParameterLayout.OutputProjectionName);
            if (!harmless && !known.Contains(name))
            {
                throw new InvalidDataException($"{checkpoint.Find(name).File.Path}: tensor '{name}' is not part of the Llama model that {LlamaConfig.FileName} describes ({config.LayerCount} layers)");
            }
        }
    }

    internal static void CheckShape(SafetensorsFile file, SafetensorsEntry entry, ParameterLayout layout)
    {
        long[] expected = layout.IsVector ? [layout.Columns] : [layout.Rows, layout.Columns];
        if (!entry.Shape.SequenceEqual(expected))
        {
            throw new InvalidDataException($"{file.Path}: tensor '{entry.Name}' is {entry.ShapeText}, but {LlamaConfig.FileName} asks for [{string.Join(", ", expected)}]");
        }

        if (entry.DType is not ("F32" or "BF16" or "F16"))
        {
            throw new InvalidDataException($"{file.Path}: tensor '{entry.Name}' is {entry.DType}; F32, BF16 and F16 are supported");
        }
    }

    /// <summary>A handle on the mapped bytes themselves, when the backend can read them as they are.</summary>
    private static bool TryMap(SafetensorsFile file, SafetensorsEntry entry, ParameterLayout layout, out Tensor mapped)
    {
        DType dtype = entry.DType == "F32" ? DType.Float32 : DType.BFloat16;
        nint address = file.Address(entry);
        mapped = new Tensor(address, dtype, layout.Rows, layout.Columns);

        // Vectors are operands of norms, which are Float32; a file may place tensors at any byte.
        return address % dtype.ByteSize() == 0 && (entry.DType == "F32" || (entry.DType == "BF16" && !layout.IsVector));
    }

    private static Tensor Read(IBackend backend, SafetensorsFile file, SafetensorsEntry entry, ParameterLayout layout, bool widen, List<IDisposable> owned)
    {
        bool keepBFloat16 = entry.DType == "BF16" && !widen && !layout.IsVector;
        Tensor value = LlamaWeights.Allocate(backend, keepBFloat16 ? DType.BFloat16 : DType.Float32, layout, owned);
        ReadInto(backend, file, entry, layout, value);
        return value;
    }

    /// <summary>Copies a tensor of the file, widened unless the destination is BFloat16 too, a block of rows at a time.</summary>
    internal static unsafe void ReadInto(IBackend backend, SafetensorsFile file, SafetensorsEntry entry, ParameterLayout layout, Tensor destination)
    {
        bool keepBFloat16 = destination.DType == DType.BFloat16;
        int blockRows = Math.Max(1, BlockElementCount / layout.Columns);
        float[] widened = keepBFloat16 ? [] : new float[(long)Math.Min(blockRows, layout.Rows) * layout.Columns];
        ushort[] kept = keepBFloat16 ? new ushort[(long)Math.Min(blockRows, layout.Rows) * layout.Columns] : [];
        int byteSize = entry.DType == "F32" ? 4 : 2;
        for (int row = 0; row < layout.Rows; row += blockRows)
        {
            Tensor block = destination.SliceRows(row, Math.Min(blockRows, layout.Rows - row));
            int count = checked((int)block.ElementCount);
            var bytes = new ReadOnlySpan<byte>((byte*)file.Address(entry) + (long)row * layout.Columns * byteSize, checked(count * byteSize));
            if (keepBFloat16)
            {
                bytes.CopyTo(MemoryMarshal.AsBytes(kept.AsSpan()));
                backend.Upload<ushort>(kept.AsSpan(0, count), block);
            }
            else
            {
                Widen(entry.DType, bytes, widened.AsSpan(0, count));
                backend.Upload<float>(widened.AsSpan(0, count), block);
            }
        }
    }

    /// <summary>A whole tensor as floats.</summary>
    /// <exception cref="InvalidDataException">Its type is not F32, F16 or BF16.</exception>
    internal static unsafe float[] ReadFloats(SafetensorsFile file, SafetensorsEntry entry)
    {
        if (entry.DType is not ("F32" or "BF16" or "F16"))
        {
            throw new InvalidDataException($"{file.Path}: tensor '{entry.Name}' is {entry.DType}; F32, BF16 and F16 are supported");
        }

        float[] values = new float[entry.ByteCount / SafetensorsFile.ElementByteCount(entry.DType)];
        Widen(entry.DType, new ReadOnlySpan<byte>((byte*)file.Address(entry), checked((int)entry.ByteCount)), values);
        return values;
    }

    internal static void Widen(string dtype, ReadOnlySpan<byte> bytes, Span<float> destination)
    {
        if (dtype == "F32")
        {
            bytes.CopyTo(MemoryMarshal.AsBytes(destination));
            return;
        }

        for (int i = 0; i < destination.Length; i++)
        {
            ushort bits = MemoryMarshal.Read<ushort>(bytes[(2 * i)..]);
            destination[i] = dtype == "BF16" ? BitConverter.UInt32BitsToSingle((uint)bits << 16) : (float)BitConverter.UInt16BitsToHalf(bits);
        }
    }
}
