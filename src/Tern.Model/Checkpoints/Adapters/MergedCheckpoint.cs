using System.Runtime.InteropServices;
using Tern.Compute;

namespace Tern.Model.Checkpoints;

/// <summary>Writes a model whose weights have adapters added: weight + Σ Scale · B · A, in Float32, one weight in memory at a time.</summary>
public static class MergedCheckpoint
{
    private const int BlockElementCount = 1 << 20;

    /// <summary>
    /// Writes config.json, model.safetensors and retriever.json, whose fingerprint is that of the merged weights; adapters are
    /// added in the given order. Without <paramref name="dtype"/> each weight keeps the base's type.
    /// </summary>
    /// <param name="contract">Its fingerprint and golden vectors are replaced and dropped: they are of other weights.</param>
    /// <param name="foldScale">Multiply the final norm by the contract's logit scale, which is then 1: for readers that know no such scale.</param>
    /// <param name="progress">Called with the bytes written so far.</param>
    /// <exception cref="InvalidDataException">An adapter changes a weight that the base lacks or has in another shape; names both.</exception>
    public static void Write(IBackend backend, string baseDirectory, IReadOnlyList<LoraAdapter> adapters, RetrieverContract contract, string directory, DType? dtype = null, Action<long>? progress = null, bool foldScale = false, CancellationToken cancellationToken = default)
    {
        LlamaConfig config = LlamaConfig.Load(baseDirectory);
        using Checkpoint checkpoint = Checkpoint.Open(baseDirectory);
        IReadOnlyList<ParameterLayout> layouts = ParameterLayout.Of(config, checkpoint.Contains(ParameterLayout.TermBiasName));
        Check(adapters, layouts, baseDirectory);
        config.Save(directory);
        float normFactor = foldScale ? contract.LogitScale : 1f;
        if (foldScale && (contract.Kind != RepresentationKind.Sparse || contract.HasTermBias))
        {
            throw new InvalidDataException($"{baseDirectory}: only the logit scale of a sparse model without a term bias can be folded into the final norm");
        }

        contract = contract with { LogitScale = contract.LogitScale / normFactor };
        var fingerprint = new WeightsFingerprint(config);
        long written = 0;
        SafetensorsWriter.Write(Path.Combine(directory, Checkpoint.FileName), [.. layouts.Select(Source)]);
        (contract with { Fingerprint = fingerprint.ToString(), Golden = [] }).Save(directory);

        SafetensorsSource Source(ParameterLayout layout)
        {
            (SafetensorsFile file, SafetensorsEntry entry) = checkpoint.Find(layout.Name);
            WeightLoader.CheckShape(file, entry, layout);

            // Vectors are operands of norms, which are Float32.
            DType type = layout.IsVector ? DType.Float32 : dtype ?? (entry.DType == "F32" ? DType.Float32 : DType.BFloat16);
            string typeName = type == DType.BFloat16 ? "BF16" : "F32";
            return new SafetensorsSource(layout.Name, typeName, entry.Shape, stream =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                fingerprint.Begin(layout.Name, typeName, entry.Shape);
                using TensorMemory memory = backend.Allocate(DType.Float32, (nint)layout.Rows * layout.Columns);
                Tensor weight = memory.Shape(layout.Rows, layout.Columns);
                WeightLoader.ReadInto(backend, file, entry, layout, weight);
                foreach (LoraAdapter adapter in adapters)
                {
                    if (adapter.Pairs.TryGetValue(layout.Name, out LoraPair? pair))
                    {
                        Add(backend, pair, weight);
                    }
                }

                if (normFactor != 1f && layout.Name == "model.norm.weight")
                {
                    // Only the output projection reads what this norm makes: scaled rows are scaled logits.
                    float[] values = new float[layout.Columns];
                    backend.Download<float>(weight, values);
                    backend.Upload<float>([.. values.Select(v => v * normFactor)], weight);
                }

                WriteRows(backend, weight, type, bytes =>
                {
                    fingerprint.Append(bytes);
                    stream.Write(bytes);
                    written += bytes.Length;
                });
                progress?.Invoke(written);
            });
        }
    }

    /// <summary>weight [outputs, inputs] += scale · B · A.</summary>
    internal static void Add(IBackend backend, LoraPair pair, Tensor weight)
    {
        using TensorMemory aMemory = backend.Allocate(DType.Float32), bMemory = backend.Allocate(DType.Float32), productMemory = backend.Allocate(DType.Float32);
        Tensor a = aMemory.Shape(pair.Rank, pair.Inputs), b = bMemory.Shape(pair.Outputs, pair.Rank), product = productMemory.Shape(pair.Outputs, pair.Inputs);
        backend.Upload<float>(pair.A, a);
        backend.Upload<float>(pair.B, b);
        backend.MatMul(b, false, a, false, false, product);
        backend.AddScaled(product, pair.Scale, weight);
    }

    private static void Check(IReadOnlyList<LoraAdapter> adapters, IReadOnlyList<ParameterLayout> layouts, string baseDirectory)
    {
        Dictionary<string, ParameterLayout> known = layouts.ToDictionary(l => l.Name, StringComparer.Ordinal);
        foreach (LoraAdapter adapter in adapters)
        {
            foreach ((string name, LoraPair pair) in adapter.Pairs)
            {
                if (!known.TryGetValue(name, out ParameterLayout? layout))
                {
                    throw new InvalidDataException($"{adapter.Directory}: changes {name}, which {baseDirectory} does not have: they do not belong together");
                }

                if (layout.Rows != pair.Outputs || layout.Columns != pair.Inputs)
                {
                    throw new InvalidDataException($"{adapter.Directory}: {name} is [{layout.Rows}, {layout.Columns}] in {baseDirectory}, but the adapter was made for [{pair.Outputs}, {pair.Inputs}]: they do not belong together");
                }
            }
        }
    }

    private static void WriteRows(IBackend backend, Tensor weight, DType type, Action<ReadOnlySpan<byte>> write)
    {
        int blockRows = Math.Max(1, BlockElementCount / weight.Columns);
        float[] values = new float[(long)Math.Min(blockRows, weight.Rows) * weight.Columns];
        ushort[] rounded = type == DType.BFloat16 ? new ushort[values.Length] : [];
        for (int row = 0; row < weight.Rows; row += blockRows)
        {
            Tensor block = weight.SliceRows(row, Math.Min(blockRows, weight.Rows - row));
            Span<float> floats = values.AsSpan(0, checked((int)block.ElementCount));
            backend.Download(block, floats);
            if (type == DType.Float32)
            {
                write(MemoryMarshal.AsBytes(floats));
                continue;
            }

            Span<ushort> halves = rounded.AsSpan(0, floats.Length);
            BFloat16Rounding.Round(floats, halves);
            write(MemoryMarshal.AsBytes(halves));
        }
    }
}
