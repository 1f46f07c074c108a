using System.CommandLine;
using Tern.Compute;

namespace Tern.Cli;

/// <summary>The options of every verb that runs a model.</summary>
internal sealed class ModelFlags
{
    private readonly Option<string> _device = Flags.Device();
    private readonly Option<int> _threads = Flags.Threads();
    private readonly Option<string> _precision;
    private readonly Option<int>? _batchTokens;

    /// <param name="encodes">False for training, where the batch size is not a matter of memory alone.</param>
    public ModelFlags(bool encodes = true)
    {
        _precision = encodes
            ? Flags.Choice("--precision", "Products: f32, bf16 (half the time or less, 8 significant bits), int8 (8-bit weights), or auto: the coarsest that the model allows and this machine has.", "auto", "auto", "f32", "bf16", "int8")
            : Flags.Choice("--precision", "Products: f32, or bf16 (operands rounded to 8 significant bits; sums, weights and moments stay f32).", "f32", "f32", "bf16");
        if (encodes)
        {
            _batchTokens = Flags.Count("--batch-tokens", "Tokens that go through the network at once. Results do not depend on it.", new ModelOptions().MaxBatchTokens);
        }
    }

    public void AddTo(Command command)
    {
        command.Add(_device);
        command.Add(_threads);
        command.Add(_precision);
        if (_batchTokens is not null)
        {
            command.Add(_batchTokens);
        }
    }

    /// <exception cref="UsageException">There is no such device, or it has no such products.</exception>
    public ModelOptions Read(ParseResult parsed)
    {
        BackendFactory device = Flags.ReadDevice(parsed, _device);
        return new ModelOptions
        {
            Precision = ReadPrecision(parsed.GetRequiredValue(_precision), device),
            Backend = device.Name,
            Threads = parsed.GetValue(_threads),
            MaxBatchTokens = _batchTokens is null ? new ModelOptions().MaxBatchTokens : parsed.GetValue(_batchTokens),
        };
    }

    private static ProductPrecision? ReadPrecision(string name, BackendFactory device)
    {
        if (!ProductPrecisions.TryParse(name, out ProductPrecision precision))
        {
            return null;
        }

        return device.WhyNot(precision) is { } reason ? throw new UsageException($"--precision {name}: {reason}; use --precision f32") : precision;
    }
}
