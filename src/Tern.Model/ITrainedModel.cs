using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>What a trainer needs of a model besides the loss that it minimises.</summary>
public interface ITrainedModel
{
    LlamaWeights Weights { get; }

    /// <summary>How its adapter is named in files.</summary>
    AdapterLayout AdapterLayout { get; }

    /// <summary>True: blocks are computed again in the backward pass instead of keeping their activations.</summary>
    bool RecomputeActivations { get; set; }

    /// <summary>Writes the model's own files, each aside and then renamed.</summary>
    void Save(string directory);
}
