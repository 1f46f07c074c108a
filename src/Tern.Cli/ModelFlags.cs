using System.CommandLine;
using Tern.Compute;

namespace Tern.Cli;

/// <summary>The options of every verb that runs a model.</summary>
internal sealed class ModelFlags
{
    private readonly Option<string> _backend = Flags.Choice("--backend", "What computes.", "cpu", [.. Backends.Available.Select(b => b.Name)]);
    private readonly Option<int> _threads = Flags.Threads();
    private readonly Option<int>? _batchTokens;

    /// <param name="encodes">False for training, where the batch size is not a matter of memory alone.</param>
    public ModelFlags(bool encodes = true)
    {
        if (encodes)
        {
            _batchTokens = Flags.Count("--batch-tokens", "Tokens that go through the network at once. Results do not depend on it.", new ModelOptions().MaxBatchTokens);
        }
    }

    public void AddTo(Command command)
    {
        command.Add(_backend);
        command.Add(_threads);
        if (_batchTokens is not null)
        {
            command.Add(_batchTokens);
        }
    }

    public ModelOptions Read(ParseResult parsed) => new()
    {
        Backend = parsed.GetRequiredValue(_backend),
        Threads = parsed.GetValue(_threads),
        MaxBatchTokens = _batchTokens is null ? new ModelOptions().MaxBatchTokens : parsed.GetValue(_batchTokens),
    };
}
