using System.Runtime.InteropServices;
using Tern.Compute;

namespace Tern.Model.Checkpoints;

/// <summary>
/// Model directories with random weights, of any size: weights are drawn, hashed and written in blocks, so that memory
/// does not grow with the model. For trials of loading, memory and speed without a download.
/// </summary>
public static class RandomCheckpoint
{
    private const int BlockElementCount = 1 << 20;

    /// <summary>Bytes that the weights will take on disk.</summary>
    public static long ByteCount(LlamaConfig config, DType dtype) =>
        ParameterLayout.Of(config, hasTermBias: false).Sum(layout => ElementCount(layout) * TypeOf(layout, dtype).ByteSize());

    /// <summary>
    /// Writes config.json, model.safetensors and retriever.json, whose fingerprint is that of the weights. They are those of
    /// <see cref="LlamaWeights.Random"/> for the same initialization, matrices rounded to <paramref name="dtype"/>: seed and
    /// shape decide every bit, threads none. Cancelled, it leaves config.json at most.
    /// </summary>
    /// <param name="threads">0: all processors.</param>
    /// <param name="progress">Called with the bytes written so far.</param>
    /// <exception cref="ArgumentException">The type is neither Float32 nor BFloat16, or the initialization asks for a term bias.</exception>
    /// <exception cref="IOException">The disk has too little room for the whole; nothing was written.</exception>
    public static void Write(string directory, LlamaConfig config, RetrieverContract contract, LlamaInitialization initialization, DType dtype, int threads = 0, Action<long>? progress = null, CancellationToken cancellationToken = default)
    {
        if (dtype is not (DType.Float32 or DType.BFloat16) || initialization.TermBias is not null || contract.HasTermBias)
        {
            throw new ArgumentException($"random checkpoints are Float32 or BFloat16 and without a term bias, not {dtype}{(contract.HasTermBias ? " with has_term_bias" : "")}");
        }

        config.Validate(nameof(LlamaConfig));
        initialization.Validate(config);
        CheckRoom(directory, ByteCount(config, dtype));
        config.Save(directory);
        var fingerprint = new WeightsFingerprint(config);
        var blocks = new BlockWriter(config, initialization, threads > 0 ? threads : Environment.ProcessorCount, fingerprint, progress, cancellationToken);
        SafetensorsWriter.Write(
            Path.Combine(directory, Checkpoint.FileName),
            [.. ParameterLayout.Of(config, hasTermBias: false).Select(layout => Source(layout, TypeOf(layout, dtype), fingerprint, blocks))]);
        (contract with { Fingerprint = fingerprint.ToString() }).Save(directory);
    }

    private static SafetensorsSource Source(ParameterLayout layout, DType dtype, WeightsFingerprint fingerprint, BlockWriter blocks)
    {
        string typeName = dtype == DType.BFloat16 ? "BF16" : "F32";
        long[] shape = layout.IsVector ? [layout.Columns] : [layout.Rows, layout.Columns];
        return new SafetensorsSource(layout.Name, typeName, shape, stream =>
        {
            fingerprint.Begin(layout.Name, typeName, shape);
            blocks.Write(layout, dtype, stream);
        });
    }

    // Vectors are operands of norms, which are Float32.
    private static DType TypeOf(ParameterLayout layout, DType dtype) => layout.IsVector ? DType.Float32 : dtype;

    private static long ElementCount(ParameterLayout layout) => (long)layout.Rows * layout.Columns;

    private static void CheckRoom(string directory, long byteCount)
    {
        // The directory may be to be made: its nearest ancestor is on the same disk.
        string? existing = Path.GetFullPath(directory);
        while (existing is not null && !Directory.Exists(existing))
        {
            existing = Path.GetDirectoryName(existing);
        }

        long free = existing is null ? long.MaxValue : new DriveInfo(existing).AvailableFreeSpace;
        if (free < byteCount)
        {
            throw new IOException(FormattableString.Invariant($"{directory}: the weights take {byteCount / 1e9:0.00} GB and the disk has {free / 1e9:0.00} GB free: make room, choose another disk, or a smaller shape"));
        }
    }

    /// <summary>Draws as many blocks at once as there are threads, then hashes and writes them in order.</summary>
    private sealed class BlockWriter(LlamaConfig config, LlamaInitialization initialization, int threads, WeightsFingerprint fingerprint, Action<long>? progress, CancellationToken cancellationToken)
    {
        private readonly float[][] _values = [.. Enumerable.Range(0, threads).Select(_ => new float[BlockElementCount])];
        private readonly byte[][] _bytes = [.. Enumerable.Range(0, threads).Select(_ => new byte[BlockElementCount * sizeof(float)])];
        private long _written;

        public void Write(ParameterLayout layout, DType dtype, Stream stream)
        {
            long count = ElementCount(layout);
            for (long first = 0; first < count; first += (long)threads * BlockElementCount)
            {
                cancellationToken.ThrowIfCancellationRequested();
                long start = first;
                int blockCount = (int)Math.Min(threads, (count - start + BlockElementCount - 1) / BlockElementCount);
                Parallel.For(0, blockCount, block => Draw(layout, dtype, block, start + ((long)block * BlockElementCount), count));
                for (int block = 0; block < blockCount; block++)
                {
                    long elements = Math.Min(BlockElementCount, count - start - ((long)block * BlockElementCount));
                    ReadOnlySpan<byte> bytes = _bytes[block].AsSpan(0, (int)elements * dtype.ByteSize());
                    fingerprint.Append(bytes);
                    stream.Write(bytes);
                    _written += bytes.Length;
                }

                progress?.Invoke(_written);
            }
        }

        private void Draw(ParameterLayout layout, DType dtype, int block, long first, long count)
        {
            Span<float> values = _values[block].AsSpan(0, (int)Math.Min(BlockElementCount, count - first));
            initialization.Fill(layout, config, values, first);
            if (dtype == DType.Float32)
            {
                MemoryMarshal.AsBytes(values).CopyTo(_bytes[block]);
                return;
            }

            BFloat16Rounding.Round(values, MemoryMarshal.Cast<byte, ushort>(_bytes[block].AsSpan()));
        }
    }
}
