using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>
/// All weights of one model on one backend, with Hugging Face's names. Frozen weights stay in the mapped file where they
/// can (Float32 and BFloat16 on a host backend); trainable ones are Float32 with a gradient each. Owns its memory and the
/// mapped files; tensors are valid until disposal. Not thread-safe while gradients or values are written.
/// </summary>
public sealed class LlamaWeights : IDisposable
{
    private readonly IBackend _backend;
    // Parameters from which on memory counts more than a query's first microseconds.
    private const long LargeElementCount = 100_000_000;

    private readonly List<IDisposable> _owned;
    private readonly Action<Parameter>? _release;
    private bool _preparedBlocks;

    internal LlamaWeights(IBackend backend, LlamaConfig config, IReadOnlyList<Parameter> parameters, List<IDisposable> owned, Action<Parameter>? release = null)
    {
        _release = release;
        _backend = backend;
        _owned = owned;
        Config = config;
        Parameters = parameters;
        IsTrainable = parameters.Any(p => p.IsTrainable);
        ElementCount = parameters.Sum(p => (long)p.Value.ElementCount);
        Dictionary<string, Parameter> byName = parameters.ToDictionary(p => p.Name, StringComparer.Ordinal);
        Embedding = byName["model.embed_tokens.weight"];
        FinalNorm = byName["model.norm.weight"];
        OutputProjection = byName.GetValueOrDefault(ParameterLayout.OutputProjectionName, Embedding);
        TermBias = byName.GetValueOrDefault(ParameterLayout.TermBiasName, Parameter.None);
        Layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => Layer(FormattableString.Invariant($"model.layers.{i}."), byName))];
    }

    public LlamaConfig Config { get; }

    /// <summary>Every weight once, in file order.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    public IReadOnlyList<LlamaLayer> Layers { get; }

    /// <summary>[V, H]</summary>
    public Parameter Embedding { get; }

    /// <summary>[1, H]</summary>
    public Parameter FinalNorm { get; }

    /// <summary>[V, H]; the embedding itself when tied.</summary>
    public Parameter OutputProjection { get; }

    /// <summary>[1, V], or <see cref="Parameter.None"/>.</summary>
    public Parameter TermBias { get; }

    /// <summary>True when any weight has a gradient.</summary>
    public bool IsTrainable { get; }

    /// <summary>Weights in all, each counted once.</summary>
    public long ElementCount { get; }

    /// <summary>Reads config.json and the safetensors files of a Hugging Face directory.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or a tensor missing, of another shape or of an unsupported type.</exception>
    public static LlamaWeights Load(IBackend backend, string directory, bool trainable = false) => WeightLoader.Load(backend, directory, trainable);

    /// <summary>Draws weights for training from scratch.</summary>
    public static LlamaWeights Random(IBackend backend, LlamaConfig config, LlamaInitialization initialization, bool trainable)
    {
        config.Validate(nameof(LlamaConfig));
        initialization.Validate(config);
        var owned = new List<IDisposable>();
        try
        {
            var parameters = new List<Parameter>();
            foreach (ParameterLayout layout in ParameterLayout.Of(config, initialization.TermBias is not null))
            {
                float[] values = new float[checked(layout.Rows * layout.Columns)];
                initialization.Fill(layout, config, values);
                Tensor value = Allocate(backend, DType.Float32, layout, owned);
                backend.Upload<float>(values, value);
                parameters.Add(new Parameter(layout.Name, value, trainable ? AllocateGradient(backend, layout, owned) : default, layout.IsVector));
            }

            return new LlamaWeights(backend, config, parameters, owned);
        }
        catch
        {
            owned.ForEach(o => o.Dispose());
            throw;
        }
    }

    /// <summary>Writes config.json and model.safetensors, each aside and then renamed. Weights keep their element type.</summary>
    public void Save(string directory)
    {
        Config.Save(directory);
        SafetensorsWriter.Write(Path.Combine(directory, Checkpoint.FileName), [.. Parameters.Select(p => new SafetensorsSource(p.Name, DTypeName(p), p.FileShape, stream => Visit(p, stream.Write)))]);
    }

    /// <summary>Hash of config, names, types, shapes and bytes, as 32 hexadecimal digits. Reads every weight.</summary>
    public string Fingerprint()
    {
        var fingerprint = new WeightsFingerprint(Config);
        foreach (Parameter parameter in Parameters)
        {
            fingerprint.Begin(parameter.Name, DTypeName(parameter), parameter.FileShape);
            Visit(parameter, fingerprint.Append);
        }

        return fingerprint.ToString();
    }

    public void ZeroGradients()
    {
        // By index: an interface's enumerator would be allocated in every step.
        for (int i = 0; i < Parameters.Count; i++)
        {
            if (Parameters[i].IsTrainable)
            {
                _backend.Fill(0f, Parameters[i].Gradient);
            }
        }
    }

    /// <summary>
    /// Lays the blocks' frozen projections out for their products, once: a query then does not pay for it. Not where this
    /// would make a large checkpoint larger in memory: BFloat16 weights multiplied in Float32 stay as they are mapped.
    /// </summary>
    internal void PrepareBlocks()
    {
        if (_preparedBlocks)
        {
            return;
        }

        _preparedBlocks = true;
        foreach (LlamaLayer layer in Layers)
        {
            foreach (Parameter parameter in (ReadOnlySpan<Parameter>)[layer.Query, layer.Key, layer.Value, layer.AttentionOutput, layer.Gate, layer.Up, layer.Down])
            {
                Prepare(parameter);
            }
        }
    }

    /// <summary>Lays one frozen projection out, if it is not and should be.</summary>
    internal void Prepare(Parameter parameter)
    {
        bool grows = parameter.Value.DType == DType.BFloat16 && _backend.Precision == ProductPrecision.Float32;
        if (parameter.Prepared is null && !(grows && ElementCount > LargeElementCount))
        {
            parameter.Prepared = _backend.Prepare(parameter.Value);
            _owned.Add(parameter.Prepared);
            _release?.Invoke(parameter);
        }
    }

    public void Dispose()
    {
        _owned.ForEach(o => o.Dispose());
        _owned.Clear();
    }

    internal static Tensor Allocate(IBackend backend, DType dtype, ParameterLayout layout, List<IDisposable> owned)
    {
        TensorMemory memory = backend.Allocate(dtype, (nint)layout.Rows * layout.Columns);
        owned.Add(memory);
        return memory.Shape(layout.Rows, layout.Columns);
    }

    internal static Tensor AllocateGradient(IBackend backend, ParameterLayout layout, List<IDisposable> owned)
    {
        Tensor gradient = Allocate(backend, DType.Float32, layout, owned);
        backend.Fill(0f, gradient);
        return gradient;
    }

    private static string DTypeName(Parameter parameter) => parameter.Value.DType == DType.BFloat16 ? "BF16" : "F32";

    private static LlamaLayer Layer(string prefix, Dictionary<string, Parameter> byName) => new()
    {
        AttentionNorm = byName[prefix + "input_layernorm.weight"],
        Query = byName[prefix + "self_attn.q_proj.weight"],
        Key = byName[prefix + "self_attn.k_proj.weight"],
        Value = byName[prefix + "self_attn.v_proj.weight"],
        AttentionOutput = byName[prefix + "self_attn.o_proj.weight"],
        FeedForwardNorm = byName[prefix + "post_attention_layernorm.weight"],
        Gate = byName[prefix + "mlp.gate_proj.weight"],
        Up = byName[prefix + "mlp.up_proj.weight"],
        Down = byName[prefix + "mlp.down_proj.weight"],
    };

    /// <summary>Hands a weight's bytes over in blocks of rows, wherever it lives.</summary>
    private void Visit(Parameter parameter, ReadOnlySpanAction visit)
    {
        Tensor value = parameter.Value;
        int blockRows = Math.Max(1, (1 << 20) / Math.Max(1, value.Columns));
        byte[] copy = value.IsHost ? [] : new byte[(long)Math.Min(blockRows, value.Rows) * value.Columns * value.DType.ByteSize()];
        for (int row = 0; row < value.Rows; row += blockRows)
        {
            Tensor block = value.SliceRows(row, Math.Min(blockRows, value.Rows - row));
            if (block.IsHost)
            {
                visit(block.DType == DType.BFloat16 ? MemoryMarshal.AsBytes(block.Span<ushort>()) : MemoryMarshal.AsBytes(block.Span<float>()));
                continue;
            }

            Span<byte> bytes = copy.AsSpan(0, checked((int)block.ElementCount) * block.DType.ByteSize());
            if (block.DType == DType.BFloat16)
            {
                _backend.Download(block, MemoryMarshal.Cast<byte, ushort>(bytes));
            }
            else
            {
                _backend.Download(block, MemoryMarshal.Cast<byte, float>(bytes));
            }

            visit(bytes);
        }
    }

    private delegate void ReadOnlySpanAction(ReadOnlySpan<byte> bytes);
}
