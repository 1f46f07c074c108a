using Tern.Model;

namespace Tern.Cli.Benches.Kernels;

/// <summary>The sizes of one batch through one block of a model: packed sequences of equal length.</summary>
internal sealed record KernelShape(string Name, LlamaConfig Config, int Sequences, int Length)
{
    public int Tokens => Sequences * Length;

    public int Hidden => Config.HiddenSize;

    public int Intermediate => Config.IntermediateSize;

    public int Vocabulary => Config.VocabularySize;

    /// <summary>Columns of all query heads together.</summary>
    public int QueryColumns => Config.HeadCount * Config.HeadSize;

    /// <summary>Columns of all key/value heads together.</summary>
    public int KeyColumns => Config.KeyValueHeadCount * Config.HeadSize;

    /// <summary>A published model's shape by its name in <see cref="LlamaShapes"/>.</summary>
    public static KernelShape Of(string name, int sequences, int length) => new(name, LlamaShapes.All[name], sequences, length);
}
