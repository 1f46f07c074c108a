using System.CommandLine;
using Tern.Compute;
using Tern.Cuda;

namespace Tern.Cli.Benches.Models;

/// <summary>The options that <c>tern bench train</c> and <c>tern bench encode</c> share.</summary>
internal sealed class ModelBenchFlags
{
    private readonly Option<string> _device = Flags.Device();
    private readonly Option<int> _threads = Flags.Threads();
    private readonly Option<string> _precision = Flags.Choice("--precision", "How projections and the sparse head multiply; on a GPU also how activations are kept.", "f32", "f32", "bf16");

    public Option<string> Model { get; } = Flags.RequiredText("--model", "A model directory; tern model random makes one of a published shape.", "dir");

    public Option<int> Seed { get; } = Flags.Count("--seed", "Decides the texts' tokens.", 1, least: 0);

    public Option<int> WarmUps { get; } = Flags.Count("--warm-ups", "Rounds before the first that is timed.", 3);

    public Option<int> Rounds { get; } = Flags.Count("--rounds", "Timed rounds; the median counts.", 10);

    public Option<bool> Json { get; } = Flags.Json("the figures");

    public void AddTo(Command command, params Option[] own)
    {
        foreach (Option option in (Option[])[Model, _device, _threads, _precision, .. own, Seed, WarmUps, Rounds, Json])
        {
            command.Add(option);
        }
    }

    public IBackend CreateBackend(ParseResult parsed)
    {
        BackendFactory device = Flags.ReadDevice(parsed, _device);
        ProductPrecision precision = ProductPrecisions.Parse(parsed.GetRequiredValue(_precision));
        return device.WhyNot(precision) is { } reason
            ? throw new UsageException($"--precision {precision.ToName()}: {reason}; use --precision f32")
            : device.Create(parsed.GetValue(_threads), precision);
    }

    public static string DeviceName(IBackend backend) => (backend as CudaBackend)?.Device.Name ?? backend.Name;

    /// <summary>Tokens drawn for the text of that number.</summary>
    public static void Draw(int seed, int number, int length, int vocabularySize, List<int> tokens)
    {
        var random = new Random(HashCode.Combine(seed, number));
        for (int i = 0; i < length; i++)
        {
            tokens.Add(random.Next(vocabularySize));
        }
    }
}

/// <summary>What a device was asked for so far; all 0 on the CPU.</summary>
internal readonly record struct DeviceCalls(long Launches, long Products, long Waits)
{
    public static DeviceCalls Of(IBackend backend) => backend is CudaBackend cuda ? new(cuda.LaunchCount, cuda.ProductCount, cuda.WaitCount) : default;

    public DeviceCalls Since(DeviceCalls before) => new(Launches - before.Launches, Products - before.Products, Waits - before.Waits);
}
