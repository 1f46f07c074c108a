using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>
/// Token ids to the cross-entropy of chosen tokens and back: a <see cref="LlamaModel"/> with its output projection, for masked next-token
/// prediction. Only the states that predict something meet the vocabulary. Owns its weights and activations. One caller at a time.
/// </summary>
public sealed class MaskedLanguageNetwork : ITrainedModel, IDisposable
{
    private readonly IBackend _backend;
    private readonly LlamaModel _model;
    private readonly bool _causal;
    private readonly List<TensorMemory> _owned = [];
    private readonly TensorMemory _rowMemory;
    private readonly TensorMemory _labelMemory;
    private readonly TensorMemory _bestMemory;
    private readonly TensorMemory _predictingMemory;
    private readonly TensorMemory _lossMemory;
    private readonly TensorMemory _logSumExpMemory;
    private readonly TensorMemory _dPredictingMemory;
    private readonly TensorMemory _dHiddenMemory;
    private float[] _hostLosses = [];
    private int[] _hostBest = [];
    private Tensor _rows; // Int32 [1, M]
    private Tensor _labels; // Int32 [1, M]
    private Tensor _predicting; // [M, H]
    private Tensor _logSumExp; // [1, M]
    private int _tokenCount;

    /// <summary>Takes the weights over: they are disposed with the network. Tokens see the whole sequence unless <paramref name="causal"/>.</summary>
    public MaskedLanguageNetwork(IBackend backend, LlamaWeights weights, bool causal = false)
    {
        _backend = backend;
        _causal = causal;
        Weights = weights;
        _model = new LlamaModel(backend, weights);
        _rowMemory = Own(DType.Int32);
        _labelMemory = Own(DType.Int32);
        _bestMemory = Own(DType.Int32);
        _predictingMemory = Own(DType.Float32);
        _lossMemory = Own(DType.Float32);
        _logSumExpMemory = Own(DType.Float32);
        _dPredictingMemory = Own(DType.Float32);
        _dHiddenMemory = Own(DType.Float32);
    }

    public LlamaWeights Weights { get; }

    public AdapterLayout AdapterLayout => AdapterLayout.LanguageModel;

    public bool RecomputeActivations
    {
        get => _model.RecomputeActivations;
        set => _model.RecomputeActivations = value;
    }

    /// <summary>
    /// The sum of −log p(label) over M predictions, and how many labels were the most likely entry. The state in row
    /// <paramref name="rows"/>[m] of the packed tokens predicts <paramref name="labels"/>[m].
    /// </summary>
    public (double LossSum, int CorrectCount) Forward(ReadOnlySpan<int> tokens, ReadOnlySpan<int> sequenceStarts, ReadOnlySpan<int> rows, ReadOnlySpan<int> labels, bool keepForBackward = false, ReadOnlySpan<uint> dropoutKeys = default)
    {
        if (rows.Length != labels.Length)
        {
            throw new ArgumentException($"{rows.Length} rows for {labels.Length} labels", nameof(rows));
        }

        Tensor hidden = _model.Forward(tokens, sequenceStarts, _causal, keepForBackward, dropoutKeys);
        _tokenCount = tokens.Length;
        _rows = _rowMemory.Shape(1, rows.Length);
        _labels = _labelMemory.Shape(1, rows.Length);
        _predicting = _predictingMemory.Shape(rows.Length, hidden.Columns);
        _logSumExp = _logSumExpMemory.Shape(1, rows.Length);
        Tensor losses = _lossMemory.Shape(1, rows.Length), best = _bestMemory.Shape(1, rows.Length);
        _backend.Upload(rows, _rows);
        _backend.Upload(labels, _labels);
        _backend.EmbeddingForward(hidden, _rows, _predicting); // gathers rows
        if (!Weights.IsTrainable)
        {
            Weights.Prepare(Weights.OutputProjection);
        }

        _backend.CrossEntropyProductForward(_predicting, Weights.OutputProjection.Operand, _labels, _logSumExp, losses, best);
        return Sum(losses, best, labels);
    }

    /// <summary>Adds <paramref name="lossWeight"/> times the gradients of the last forward pass's sum to the weights'. Once per forward pass.</summary>
    public void Backward(float lossWeight)
    {
        Tensor dPredicting = _dPredictingMemory.Shape(_predicting.Rows, _predicting.Columns);
        Tensor dHidden = _dHiddenMemory.Shape(_tokenCount, _predicting.Columns);
        Parameter output = Weights.OutputProjection;
        _backend.CrossEntropyProductBackward(_predicting, output.Value, _labels, _logSumExp, lossWeight, dPredicting, output.Gradient);
        _backend.Fill(0f, dHidden);
        _backend.EmbeddingBackward(dPredicting, _rows, dHidden); // adds each row where it was gathered
        _model.Backward(dHidden);
    }

    /// <summary>Writes config.json and the weights, or the topmost adapter in the layout that MNTP's have.</summary>
    public void Save(string directory) => Weights.Save(directory, AdapterLayout);

    public void Dispose()
    {
        _owned.ForEach(o => o.Dispose());
        _owned.Clear();
        _model.Dispose();
        Weights.Dispose();
    }

    private (double LossSum, int CorrectCount) Sum(Tensor losses, Tensor best, ReadOnlySpan<int> labels)
    {
        if (_hostLosses.Length < labels.Length)
        {
            _hostLosses = new float[labels.Length];
            _hostBest = new int[labels.Length];
        }

        _backend.Download(losses, _hostLosses.AsSpan(0, labels.Length));
        _backend.Download(best, _hostBest.AsSpan(0, labels.Length));
        double sum = 0;
        int correct = 0;
        for (int m = 0; m < labels.Length; m++)
        {
            sum += _hostLosses[m];
            correct += _hostBest[m] == labels[m] ? 1 : 0;
        }

        return (sum, correct);
    }

    private TensorMemory Own(DType dtype)
    {
        TensorMemory memory = _backend.Allocate(dtype);
        _owned.Add(memory);
        return memory;
    }
}
