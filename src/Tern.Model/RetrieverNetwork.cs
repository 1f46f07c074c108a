using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>
/// Token ids to sparse or dense representations and back: a <see cref="LlamaModel"/> with the head that the contract
/// names. Owns its weights and activations. One caller at a time. A text's representation has the same bits whatever it
/// is batched with, if the backend keeps that promise.
/// </summary>
public sealed class RetrieverNetwork : ITrainedModel, IDisposable
{
    private readonly LlamaModel _model;
    private readonly IRepresentationHead _head;

    /// <summary>Takes the weights over: they are disposed with the network.</summary>
    /// <exception cref="ArgumentException">Contract and weights disagree about the term bias.</exception>
    public RetrieverNetwork(IBackend backend, LlamaWeights weights, RetrieverContract contract)
    {
        bool hasBias = !weights.TermBias.Value.IsEmpty;
        if (contract.Kind == RepresentationKind.Sparse && contract.HasTermBias != hasBias)
        {
            throw new ArgumentException($"the contract says has_term_bias {contract.HasTermBias}, but the weights have {(hasBias ? "a" : "no")} tensor {ParameterLayout.TermBiasName}", nameof(contract));
        }

        Backend = backend;
        Contract = contract;
        Weights = weights;
        _model = new LlamaModel(backend, weights);
        _head = contract switch
        {
            { Kind: RepresentationKind.Sparse } => new SparseHead(backend, weights, contract.LogitScale),
            { Pooling: DensePooling.NormalizedMean, NormalizeVectors: false } => new DenseHead(backend, weights.Config),
            _ => new LinearPoolingHead(backend, weights.Config, contract.Pooling, contract.NormalizeVectors),
        };
    }

    public IBackend Backend { get; }

    /// <summary>Golden vectors and the fingerprint are renewed by <see cref="Save"/> when the weights are trainable.</summary>
    public RetrieverContract Contract { get; internal set; }

    public LlamaWeights Weights { get; }

    /// <summary>How its adapter is named in files: as the paper's system names those of its heads.</summary>
    public AdapterLayout AdapterLayout => Contract.Kind == RepresentationKind.Dense ? AdapterLayout.Body : AdapterLayout.LanguageModel;

    /// <summary>Length of a representation: the vocabulary (sparse) or the hidden size (dense).</summary>
    public int Dimension => _head.Dimension;

    /// <summary>Ablation: embedding, final norm and head alone.</summary>
    public bool BypassBlocks
    {
        get => _model.BypassBlocks;
        set => _model.BypassBlocks = value;
    }

    /// <summary>Activation checkpointing: see <see cref="LlamaModel.RecomputeActivations"/>.</summary>
    public bool RecomputeActivations
    {
        get => _model.RecomputeActivations;
        set => _model.RecomputeActivations = value;
    }

    /// <summary>
    /// Sparse: Int32 [B, V], the row in the last batch's tokens at which each entry had its maximum, −1 for an empty
    /// sequence. Dense: empty.
    /// </summary>
    public Tensor ArgMax => _head.ArgMax;

    /// <summary>
    /// Reads a model directory: config.json, safetensors, retriever.json. A directory with an adapter in place of weights is read with what it
    /// lies on, adapters live; <paramref name="trainable"/> then means the topmost adapter, otherwise all weights.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is damaged, missing a part, or contradicts another; names the file and what to do.</exception>
    public static RetrieverNetwork Load(IBackend backend, string directory, bool trainable = false)
    {
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{directory}: no such model directory");
        }

        RetrieverContract contract = RetrieverContract.Load(directory);
        LlamaWeights weights = LlamaWeights.LoadStack(backend, AdapterStack.Open(directory), trainable);
        try
        {
            return new RetrieverNetwork(backend, weights, contract);
        }
        catch (ArgumentException e)
        {
            weights.Dispose();
            throw new InvalidDataException($"{Path.Combine(directory, RetrieverContract.FileName)}: {e.Message}", e);
        }
    }

    /// <summary>
    /// Representations [B, <see cref="Dimension"/>], valid until the next call. Sequence b is
    /// <c>tokens[sequenceStarts[b] .. sequenceStarts[b + 1]]</c>, specials included; an empty one gives zeros.
    /// </summary>
    /// <param name="dropoutKeys">One a sequence turns the dropout of a trainable adapter on: equal keys, equal masks.</param>
    public Tensor Forward(ReadOnlySpan<int> tokens, ReadOnlySpan<int> sequenceStarts, bool keepForBackward = false, ReadOnlySpan<uint> dropoutKeys = default)
    {
        Tensor hidden = _model.Forward(tokens, sequenceStarts, Contract.Causal, keepForBackward, dropoutKeys);
        return _head.Forward(hidden, _model.SequenceStarts, sequenceStarts, keepForBackward);
    }

    /// <summary>
    /// Adds the gradients of a loss to the weights', given its derivative [B, <see cref="Dimension"/>] with respect to the
    /// representations of the last forward pass, which must have been told to keep what this needs. Once per forward pass;
    /// the representations are no longer valid afterwards.
    /// </summary>
    public void Backward(Tensor dRepresentations) => _model.Backward(_head.Backward(dRepresentations));

    /// <summary>
    /// Writes config.json, model.safetensors (with adapters: adapter_config.json and adapter_model.safetensors of the topmost) and
    /// retriever.json, each aside and then renamed. The tokenizer's file is the caller's to copy.
    /// </summary>
    public void Save(string directory)
    {
        if (Weights.IsTrainable)
        {
            this.RenewGolden();
        }

        Contract = Contract with { Fingerprint = Weights.Fingerprint() };
        Weights.Save(directory, AdapterLayout);
        Contract.Save(directory);
    }

    public void Dispose()
    {
        _head.Dispose();
        _model.Dispose();
        Weights.Dispose();
    }
}
