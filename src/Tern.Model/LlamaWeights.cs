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
    private readonly List<IDisposable> _owned;
    private readonly List<LiveAdapter> _adapters = [];
    private string? _frozenFingerprint;
    private readonly Action<Parameter>? _release;
    private bool _preparedBlocks;

    internal LlamaWeights(IBackend backend, LlamaConfig config, IReadOnlyList<Parameter> parameters, List<IDisposable> owned, Action<Parameter>? release = null)
    {
        _release = release;
        _backend = backend;
        _owned = owned;
        Config = config;
        Parameters = parameters;
        TrainableParameters = [.. parameters.Where(p => p.IsTrainable)];
        ElementCount = parameters.Sum(p => (long)p.Value.ElementCount);
        Dictionary<string, Parameter> byName = parameters.ToDictionary(p => p.Name, StringComparer.Ordinal);
        Embedding = byName["model.embed_tokens.weight"];
        FinalNorm = byName["model.norm.weight"];
        OutputProjection = byName.GetValueOrDefault(ParameterLayout.OutputProjectionName, Embedding);
        TermBias = byName.GetValueOrDefault(ParameterLayout.TermBiasName, Parameter.None);
        Layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => Layer(FormattableString.Invariant($"model.layers.{i}."), byName))];
    }

    public LlamaConfig Config { get; }

    /// <summary>Every weight once, in file order, without the adapters'.</summary>
    public IReadOnlyList<Parameter> Parameters { get; }

    /// <summary>What has a gradient: all weights, or the topmost adapter's, or nothing.</summary>
    public IReadOnlyList<Parameter> TrainableParameters { get; private set; }

    /// <summary>Live adapters, lowest first.</summary>
    public IReadOnlyList<LiveAdapter> Adapters => _adapters;

    public IReadOnlyList<LlamaLayer> Layers { get; }

    /// <summary>[V, H]</summary>
    public Parameter Embedding { get; }

    /// <summary>[1, H]</summary>
    public Parameter FinalNorm { get; }

    /// <summary>[V, H]; the embedding itself when tied.</summary>
    public Parameter OutputProjection { get; }

    /// <summary>[1, V], or <see cref="Parameter.None"/>.</summary>
    public Parameter TermBias { get; }

    /// <summary>True when anything has a gradient.</summary>
    public bool IsTrainable => TrainableParameters.Count > 0;

    /// <summary>Weights in all, each counted once, adapters included.</summary>
    public long ElementCount { get; private set; }

    /// <summary>Reads config.json and the safetensors files of a Hugging Face directory.</summary>
    /// <exception cref="InvalidDataException">A file is damaged, or a tensor missing, of another shape or of an unsupported type.</exception>
    public static LlamaWeights Load(IBackend backend, string directory, bool trainable = false) => WeightLoader.Load(backend, directory, trainable);

    /// <summary>
    /// Reads a base and puts its adapters above it, live. <paramref name="trainable"/>: the topmost adapter where there is one, otherwise
    /// all weights.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is damaged, or an adapter does not fit what it lies on.</exception>
    public static LlamaWeights LoadStack(IBackend backend, AdapterStack stack, bool trainable = false)
    {
        LlamaWeights weights = Load(backend, stack.BaseDirectory, trainable && stack.Adapters.Count == 0);
        try
        {
            for (int i = 0; i < stack.Adapters.Count; i++)
            {
                weights.AddAdapter(stack.Adapters[i], stack.Names[i], trainable && i == stack.Adapters.Count - 1);
            }

            return weights;
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

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

    /// <summary>Puts an adapter that was read from files above what is there: trainable, or frozen.</summary>
    /// <param name="below">How its config is to name what lies below it when it is saved.</param>
    /// <exception cref="InvalidDataException">It changes a weight that the model lacks or has in another shape; both are named.</exception>
    public LiveAdapter AddAdapter(LoraAdapter stored, string below, bool trainable) =>
        Add(AdapterFactory.FromFiles(_backend, this, stored, below, trainable, _owned));

    /// <summary>Puts a new adapter above what is there: trainable, and without effect until it was trained.</summary>
    /// <param name="below">How its config is to name what lies below it when it is saved.</param>
    public LiveAdapter AddAdapter(LoraSettings settings, string below) => Add(AdapterFactory.New(_backend, this, settings, below, _owned));

    /// <summary>
    /// Writes config.json and model.safetensors, each aside and then renamed; weights keep their element type. With adapters it
    /// writes the topmost one in PEFT's <paramref name="layout"/> in place of the weights, which stay where they are.
    /// </summary>
    public void Save(string directory, AdapterLayout layout = AdapterLayout.LanguageModel)
    {
        Config.Save(directory);
        if (_adapters is [.., LiveAdapter top])
        {
            LoraAdapterFile.Write(directory, top.Config, layout, asTorch: false, [.. top.Parameters.Select(p => new LoraAdapterFile.Half(AdapterFactory.StoredName(p), p.Value.Rows, p.Value.Columns, () => Floats(p)))]);
            return;
        }

        SafetensorsWriter.Write(Path.Combine(directory, Checkpoint.FileName), [.. Parameters.Select(p => new SafetensorsSource(p.Name, DTypeName(p), p.FileShape, stream => Visit(p, stream.Write)))]);
    }

    /// <summary>
    /// Hash of config, names, types, shapes and bytes, as 32 hexadecimal digits, the adapters' included. Reads every weight; those
    /// below a trainable adapter once.
    /// </summary>
    public string Fingerprint()
    {
        if (_adapters.Count == 0)
        {
            return FingerprintOf(new WeightsFingerprint(Config), Parameters);
        }

        var fingerprint = new WeightsFingerprint(_frozenFingerprint ??= FingerprintOf(new WeightsFingerprint(Config), Parameters));
        foreach (LiveAdapter adapter in _adapters)
        {
            foreach (AdaptedProjection projection in adapter.Projections)
            {
                fingerprint.Append(MemoryMarshal.AsBytes([projection.Scale]));
            }

            FingerprintOf(fingerprint, adapter.Parameters);
        }

        return fingerprint.ToString();
    }

    /// <summary>The file that <see cref="Save"/> has put the trainable weights in, to read them back.</summary>
    public Checkpoint OpenTrained(string directory) => _adapters.Count > 0 ? Checkpoint.OpenFile(Path.Combine(directory, LoraAdapter.SafetensorsName)) : Checkpoint.Open(directory);

    /// <summary>The name of a trainable weight in that file.</summary>
    public string TrainedName(Parameter parameter, AdapterLayout layout) => _adapters.Count > 0 ? LoraAdapterFile.Prefix(layout) + AdapterFactory.StoredName(parameter) : parameter.Name;

    public void ZeroGradients()
    {
        // By index: an interface's enumerator would be allocated in every step.
        for (int i = 0; i < TrainableParameters.Count; i++)
        {
            _backend.Fill(0f, TrainableParameters[i].Gradient);
        }
    }

    /// <summary>Lays the blocks' frozen projections out for their products, once: a query then does not pay for it.</summary>
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

    /// <summary>Lays one frozen projection out, if it is not.</summary>
    internal void Prepare(Parameter parameter)
    {
        if (parameter.Prepared is null)
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

    private LiveAdapter Add(LiveAdapter adapter)
    {
        if (Parameters.Any(p => p.IsTrainable) || (_adapters.Any(a => a.IsTrainable) && adapter.IsTrainable))
        {
            throw new InvalidOperationException("an adapter lies on frozen weights: load the model with trainable: false, and train one adapter at a time");
        }

        foreach (AdaptedProjection projection in adapter.Projections)
        {
            projection.Weight.Adapters.Add(projection);
        }

        _adapters.Add(adapter);
        TrainableParameters = [.. _adapters.Where(a => a.IsTrainable).SelectMany(a => a.Parameters)];
        ElementCount += adapter.ElementCount;
        return adapter;
    }

    private string FingerprintOf(WeightsFingerprint fingerprint, IEnumerable<Parameter> parameters)
    {
        foreach (Parameter parameter in parameters)
        {
            fingerprint.Begin(parameter.Name, DTypeName(parameter), parameter.FileShape);
            Visit(parameter, fingerprint.Append);
        }

        return fingerprint.ToString();
    }

    private float[] Floats(Parameter parameter)
    {
        float[] values = new float[parameter.Value.ElementCount];
        _backend.Download<float>(parameter.Value, values);
        return values;
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
