using Tern.Compute;

namespace Tern.Model;

/// <summary>
/// The Llama body: token ids to hidden states after the final norm, over packed sequences without padding, seeing the
/// whole sequence or only what is before. Owns its activations, not its weights; what it returns is valid until its next
/// call. One caller at a time. In the steady state nothing is allocated.
/// </summary>
public sealed class LlamaModel : IDisposable
{
    private readonly IBackend _backend;
    private readonly LlamaConfig _config;
    private readonly RotaryTable _rotary;
    private readonly ProjectionPass _projections;
    private readonly List<LayerActivations> _layers = [];
    private readonly List<TensorMemory> _streams = []; // what enters each block, where blocks are computed again
    private readonly List<IDisposable> _owned = [];
    private readonly TensorMemory _tokenMemory;
    private readonly TensorMemory _startMemory;
    private readonly TensorMemory _residualMemory;
    private readonly TensorMemory _finalInverseRmsMemory;
    private readonly TensorMemory _hiddenMemory;
    private readonly TensorMemory _logitsMemory;
    private readonly TensorMemory _dResidualMemory;
    private readonly TensorMemory _dNormedMemory;
    private readonly TensorMemory _dActivatedMemory;
    private readonly TensorMemory _dAttendedMemory;
    private readonly TensorMemory _dQueryMemory;
    private readonly TensorMemory _dKeyMemory;
    private readonly TensorMemory _dValueMemory;

    private Tensor _tokens; // Int32 [1, T]
    private Tensor _rotations; // [positions, D]
    private Tensor _residual; // [T, H] what the final norm normalised
    private Tensor _finalInverseRms; // [1, T]
    private int _runLayerCount;
    private bool _causal;
    private bool _kept;
    private bool _recomputed;

    public LlamaModel(IBackend backend, LlamaWeights weights)
    {
        _backend = backend;
        _config = weights.Config;
        Weights = weights;
        _rotary = new RotaryTable(backend, _config);
        _owned.Add(_rotary);
        _projections = new ProjectionPass(backend);
        _owned.Add(_projections);
        _tokenMemory = Own(DType.Int32);
        _startMemory = Own(DType.Int32);
        _residualMemory = Own();
        _finalInverseRmsMemory = Own();
        _hiddenMemory = Own(backend.ActivationType);
        _logitsMemory = Own();
        _dResidualMemory = Own();
        _dNormedMemory = Own(backend.ActivationType);
        _dActivatedMemory = Own(backend.ActivationType);
        _dAttendedMemory = Own(backend.ActivationType);
        _dQueryMemory = Own(backend.ActivationType);
        _dKeyMemory = Own(backend.ActivationType);
        _dValueMemory = Own(backend.ActivationType);
    }

    public LlamaWeights Weights { get; }

    /// <summary>Int32 [1, B + 1], the sequence starts of the last forward pass.</summary>
    public Tensor SequenceStarts { get; private set; }

    /// <summary>True: no blocks run; hidden states are the normed embeddings. For ablations.</summary>
    public bool BypassBlocks { get; set; }

    /// <summary>
    /// True: of a forward pass only what enters each block is kept, and the backward computes each block but the last again:
    /// the same gradients bit for bit, for a third more time and one block's activations instead of all.
    /// </summary>
    public bool RecomputeActivations { get; set; }

    private float AttentionScale => 1f / MathF.Sqrt(_config.HeadSize);

    /// <summary>
    /// Hidden states [T, H] after the final norm. Sequence b is <c>tokens[sequenceStarts[b] .. sequenceStarts[b + 1]]</c>.
    /// <paramref name="keepForBackward"/> keeps every block's activations; without it they share one block's memory.
    /// <paramref name="dropoutKeys"/>, one a sequence, turn the trainable adapter's dropout on: equal keys, equal masks, whatever else is in
    /// the batch.
    /// </summary>
    public Tensor Forward(ReadOnlySpan<int> tokens, ReadOnlySpan<int> sequenceStarts, bool causal, bool keepForBackward, ReadOnlySpan<uint> dropoutKeys = default)
    {
        int longest = CheckBatch(tokens, sequenceStarts);
        int hidden = _config.HiddenSize;
        _causal = causal;
        _kept = keepForBackward;
        _recomputed = keepForBackward && RecomputeActivations;
        _runLayerCount = BypassBlocks ? 0 : _config.LayerCount;
        if (!Weights.IsTrainable)
        {
            Weights.PrepareBlocks();
        }

        _projections.Begin(dropoutKeys, sequenceStarts);
        _rotations = _rotary.Get(longest);
        _tokens = _tokenMemory.Shape(1, tokens.Length);
        SequenceStarts = _startMemory.Shape(1, sequenceStarts.Length);
        _backend.Upload(tokens, _tokens);
        _backend.Upload(sequenceStarts, SequenceStarts);

        Tensor output = _hiddenMemory.Shape(tokens.Length, hidden);
        _residual = _residualMemory.Shape(tokens.Length, hidden);
        _finalInverseRms = _finalInverseRmsMemory.Shape(1, tokens.Length);
        for (int i = 0; i < _runLayerCount; i++)
        {
            Activations(i).Shape(tokens.Length, keepGates: keepForBackward || Weights.Adapters.Count > 0, ownsInput: !_recomputed);
        }

        _backend.EmbeddingForward(Weights.Embedding.Value, _tokens, StreamBefore(0));
        for (int i = 0; i < _runLayerCount; i++)
        {
            LayerForward(Weights.Layers[i], Entering(i), StreamBefore(i + 1));
        }

        _backend.RmsNormForward(_residual, Weights.FinalNorm.Value, _config.RmsNormEpsilon, _finalInverseRms, output);
        return output;
    }

    /// <summary>
    /// Adds the gradients of the last forward pass, which must have kept its activations, to the weights'. Frozen weights
    /// cost nothing. <paramref name="dHidden"/> is [T, H]. Once per forward pass: activations are overwritten.
    /// </summary>
    public void Backward(Tensor dHidden)
    {
        if (!_kept)
        {
            throw new InvalidOperationException("a backward pass needs a forward pass with keepForBackward before it, and each forward pass has only one");
        }

        Tensor dStream = _dResidualMemory.Shape(dHidden.Rows, dHidden.Columns);
        _backend.Fill(0f, dStream);
        _backend.RmsNormBackward(dHidden, _residual, Weights.FinalNorm.Value, _finalInverseRms, dStream, Weights.FinalNorm.Gradient);
        for (int i = _runLayerCount - 1; i >= 0; i--)
        {
            LayerActivations kept = Entering(i);
            if (_recomputed && i < _runLayerCount - 1)
            {
                LayerForward(Weights.Layers[i], kept, output: default);
            }

            LayerBackward(Weights.Layers[i], kept, dStream);
        }

        if (Weights.Embedding.IsTrainable)
        {
            _backend.EmbeddingBackward(dStream, _tokens, Weights.Embedding.Gradient);
        }

        _kept = false;
    }

    /// <summary>All logits [T, V] without scale or bias: for checks of small models, as the sparse head never needs them.</summary>
    public Tensor Logits(ReadOnlySpan<int> tokens, ReadOnlySpan<int> sequenceStarts, bool causal)
    {
        Tensor hidden = Forward(tokens, sequenceStarts, causal, keepForBackward: false);
        Tensor logits = _logitsMemory.Shape(tokens.Length, _config.VocabularySize);
        _backend.ProjectForward(hidden, Weights.OutputProjection.Operand, default, logits);
        return logits;
    }

    public void Dispose()
    {
        _layers.ForEach(l => l.Dispose());
        _streams.ForEach(s => s.Dispose());
        _owned.ForEach(o => o.Dispose());
        _layers.Clear();
        _streams.Clear();
        _owned.Clear();
    }

    /// <summary>One block: from the residual stream in <c>kept.Input</c> to that in <paramref name="output"/>, which without a backward may be the same memory, and is empty when only what is kept is wanted.</summary>
    private void LayerForward(LlamaLayer layer, LayerActivations kept, Tensor output)
    {
        float epsilon = _config.RmsNormEpsilon;
        _backend.RmsNormForward(kept.Input, layer.AttentionNorm.Value, epsilon, kept.AttentionInverseRms, kept.AttentionNormed);
        _projections.Forward(kept.AttentionNormed, layer.Query, ProjectionPlace.Query, kept, default, kept.Query);
        _projections.Forward(kept.AttentionNormed, layer.Key, ProjectionPlace.Key, kept, default, kept.Key);
        _projections.Forward(kept.AttentionNormed, layer.Value, ProjectionPlace.Value, kept, default, kept.Value);
        _backend.RopeForward(SequenceStarts, _rotations, _config.HeadSize, kept.Query);
        _backend.RopeForward(SequenceStarts, _rotations, _config.HeadSize, kept.Key);
        _backend.AttentionForward(kept.Query, kept.Key, kept.Value, SequenceStarts, _config.HeadCount, _config.KeyValueHeadCount, AttentionScale, _causal, kept.LogSumExp, kept.Attended);
        _projections.Forward(kept.Attended, layer.AttentionOutput, ProjectionPlace.AttentionOutput, kept, kept.Input, kept.Middle);

        _backend.RmsNormForward(kept.Middle, layer.FeedForwardNorm.Value, epsilon, kept.FeedForwardInverseRms, kept.FeedForwardNormed);
        _projections.ForwardGated(kept.FeedForwardNormed, layer, kept);
        if (!output.IsEmpty)
        {
            _projections.Forward(kept.Activated, layer.Down, ProjectionPlace.Down, kept, kept.Middle, output);
        }
        else
        {
            // What the adapters keep is wanted, not their sum: it goes to memory that the backward has not yet begun to use.
            _projections.AddAdapters(kept.Activated, layer.Down, ProjectionPlace.Down, kept, _dNormedMemory.Shape(kept.Middle.Rows, kept.Middle.Columns));
        }
    }

    /// <summary>The block in reverse. dStream [T, H] is the gradient after the block on entry and that before it on return.</summary>
    private void LayerBackward(LlamaLayer layer, LayerActivations kept, Tensor dStream)
    {
        int tokenCount = dStream.Rows;
        Tensor dNormed = _dNormedMemory.Shape(tokenCount, _config.HiddenSize);

        // stream = middle + down(silu(gate) · up): the sum passes its gradient to both.
        Tensor dActivated = _dActivatedMemory.Shape(tokenCount, _config.IntermediateSize);
        _projections.Backward(dStream, kept.Activated, layer.Down, ProjectionPlace.Down, kept, accumulate: false, dActivated);
        _backend.SwiGluBackward(dActivated, kept.Gate, kept.Up, kept.Gate, kept.Up);
        _projections.Backward(kept.Gate, kept.FeedForwardNormed, layer.Gate, ProjectionPlace.Gate, kept, accumulate: false, dNormed);
        _projections.Backward(kept.Up, kept.FeedForwardNormed, layer.Up, ProjectionPlace.Up, kept, accumulate: true, dNormed);
        _backend.RmsNormBackward(dNormed, kept.Middle, layer.FeedForwardNorm.Value, kept.FeedForwardInverseRms, dStream, layer.FeedForwardNorm.Gradient);

        // middle = input + output(attention(...)).
        Tensor dAttended = _dAttendedMemory.Shape(tokenCount, kept.Attended.Columns);
        Tensor dQuery = _dQueryMemory.Shape(tokenCount, kept.Query.Columns);
        Tensor dKey = _dKeyMemory.Shape(tokenCount, kept.Key.Columns);
        Tensor dValue = _dValueMemory.Shape(tokenCount, kept.Value.Columns);
        _projections.Backward(dStream, kept.Attended, layer.AttentionOutput, ProjectionPlace.AttentionOutput, kept, accumulate: false, dAttended);
        _backend.AttentionBackward(dAttended, kept.Query, kept.Key, kept.Value, kept.Attended, kept.LogSumExp, SequenceStarts, _config.HeadCount, _config.KeyValueHeadCount, AttentionScale, _causal, dQuery, dKey, dValue);
        _backend.RopeBackward(SequenceStarts, _rotations, _config.HeadSize, dQuery);
        _backend.RopeBackward(SequenceStarts, _rotations, _config.HeadSize, dKey);
        _projections.Backward(dQuery, kept.AttentionNormed, layer.Query, ProjectionPlace.Query, kept, accumulate: false, dNormed);
        _projections.Backward(dKey, kept.AttentionNormed, layer.Key, ProjectionPlace.Key, kept, accumulate: true, dNormed);
        _projections.Backward(dValue, kept.AttentionNormed, layer.Value, ProjectionPlace.Value, kept, accumulate: true, dNormed);
        _backend.RmsNormBackward(dNormed, kept.Input, layer.AttentionNorm.Value, kept.AttentionInverseRms, dStream, layer.AttentionNorm.Gradient);
    }

    /// <summary>Where the residual stream before a block is kept; behind the last block it is what the final norm reads.</summary>
    private Tensor StreamBefore(int layer)
    {
        if (layer == _runLayerCount)
        {
            return _residual;
        }

        if (!_recomputed)
        {
            return Activations(layer).Input;
        }

        while (_streams.Count <= layer)
        {
            _streams.Add(_backend.Allocate(DType.Float32));
        }

        return _streams[layer].Shape(_tokens.Columns, _config.HiddenSize);
    }

    /// <summary>The block's activations with its input in place.</summary>
    private LayerActivations Entering(int layer)
    {
        LayerActivations activations = Activations(layer);
        activations.Input = StreamBefore(layer);
        return activations;
    }

    /// <summary>Without a backward, and where blocks are computed again, all blocks share one block's memory.</summary>
    private LayerActivations Activations(int layer)
    {
        int index = _kept && !_recomputed ? layer : 0;
        while (_layers.Count <= index)
        {
            _layers.Add(new LayerActivations(_backend, _config));
        }

        return _layers[index];
    }

    private TensorMemory Own(DType dtype = DType.Float32)
    {
        TensorMemory memory = _backend.Allocate(dtype);
        _owned.Add(memory);
        return memory;
    }

    /// <summary>Checks ids and starts; returns the length of the longest sequence.</summary>
    private int CheckBatch(ReadOnlySpan<int> tokens, ReadOnlySpan<int> sequenceStarts)
    {
        if (sequenceStarts.Length < 2 || sequenceStarts[0] != 0 || sequenceStarts[^1] != tokens.Length)
        {
            throw new ArgumentException($"sequenceStarts must go from 0 to the token count {tokens.Length}, with at least one sequence", nameof(sequenceStarts));
        }

        int longest = 0;
        for (int b = 1; b < sequenceStarts.Length; b++)
        {
            int length = sequenceStarts[b] - sequenceStarts[b - 1];
            ArgumentOutOfRangeException.ThrowIfNegative(length, nameof(sequenceStarts));
            longest = Math.Max(longest, length);
        }

        foreach (int token in tokens)
        {
            if ((uint)token >= (uint)_config.VocabularySize)
            {
                throw new ArgumentException($"token id {token} is outside the vocabulary of {_config.VocabularySize}; tokenizer and model do not belong together", nameof(tokens));
            }
        }

        return longest;
    }
}
