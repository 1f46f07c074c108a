using System.CommandLine;
using System.Diagnostics;
using Tern.Compute;
using Tern.Compute.Memory;
using Tern.Model;

namespace Tern.Cli.Benches.Models;

/// <summary><c>tern bench encode</c>: batches of random texts of equal length to representations.</summary>
internal sealed class EncodeBenchCommand
{
    private readonly ModelBenchFlags _shared = new();
    private readonly Option<int> _sequences = Flags.Count("--sequences", "Texts of a batch.", 64);
    private readonly Option<int> _length = Flags.Count("--length", "Tokens of a text.", 192);

    public static Command Create(Terminal terminal)
    {
        var flags = new EncodeBenchCommand();
        var command = new Verb("encode", "Times batches of random texts through a model: milliseconds, texts and tokens a second, launches, memory.")
        {
            Notes = "A round ends when the device is done; the representations stay there.",
            Examples =
            [
                "tern bench encode --model models/random-1b --device cuda:0 --precision bf16 --json",
                "tern bench encode --model models/random-tiny --device cpu --sequences 4 --length 32",
            ],
        };
        flags._shared.AddTo(command, flags._sequences, flags._length);
        command.SetAction((parsed, cancellationToken) =>
        {
            flags.Run(parsed, terminal, cancellationToken);
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private void Run(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken)
    {
        int sequences = parsed.GetValue(_sequences), length = parsed.GetValue(_length), warmUps = parsed.GetValue(_shared.WarmUps), rounds = parsed.GetValue(_shared.Rounds);
        using IBackend backend = _shared.CreateBackend(parsed);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, parsed.GetRequiredValue(_shared.Model));
        int[] starts = [.. Enumerable.Range(0, sequences + 1).Select(b => b * length)];
        List<double> times = [];
        DeviceCalls calls = default;
        float[] first = new float[1];
        for (int round = -warmUps; round < rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            List<int> tokens = [];
            ModelBenchFlags.Draw(parsed.GetValue(_shared.Seed), round, sequences * length, network.Weights.Config.VocabularySize, tokens);
            DeviceCalls before = DeviceCalls.Of(backend);
            long started = Stopwatch.GetTimestamp();
            Tensor vectors = network.Forward(tokens.ToArray(), starts);
            backend.Download<float>(vectors.SliceRows(0, 1) with { Columns = 1 }, first);
            if (round >= 0)
            {
                times.Add(Stopwatch.GetElapsedTime(started).TotalMilliseconds);
            }

            calls = DeviceCalls.Of(backend).Since(before);
        }

        times.Sort();
        Print(parsed, terminal, backend, network, times, sequences, length, calls);
    }

    private void Print(ParseResult parsed, Terminal terminal, IBackend backend, RetrieverNetwork network, List<double> times, int sequences, int length, DeviceCalls calls)
    {
        double milliseconds = times[times.Count / 2];
        string kind = network.Contract.Kind.ToString().ToLowerInvariant();
        if (!parsed.GetValue(_shared.Json))
        {
            terminal.Out.WriteLine(Invariant($"{ModelBenchFlags.DeviceName(backend)}, {backend.Precision.ToName()}: {kind}, {sequences} texts of {length} tokens: {milliseconds:0.00} ms (least {times[0]:0.00}), {sequences / milliseconds * 1000:0.0} texts/s, {sequences * length / milliseconds * 1000:0} tokens/s; {calls.Launches} launches and {calls.Products} products"));
            return;
        }

        JsonOutput.Write(terminal.Out, writer =>
        {
            writer.WriteString("phase", "encode");
            writer.WriteString("side", "tern");
            writer.WriteString("device", ModelBenchFlags.DeviceName(backend));
            writer.WriteString("model", Path.GetFileName(Path.GetFullPath(parsed.GetRequiredValue(_shared.Model))));
            writer.WriteString("kind", kind);
            writer.WriteString("precision", backend.Precision.ToName());
            writer.WriteNumber("texts", sequences);
            writer.WriteNumber("tokens", sequences * length);
            writer.WriteNumber("ms", Math.Round(milliseconds, 4));
            writer.WriteNumber("least_ms", Math.Round(times[0], 4));
            writer.WriteNumber("texts_per_s", Math.Round(sequences / milliseconds * 1000, 2));
            writer.WriteNumber("launches", calls.Launches);
            writer.WriteNumber("products", calls.Products);
            writer.WriteNumber("tensor_bytes", (backend as IMeteredBackend)?.TensorMemory.PeakByteCount ?? 0);
        });
    }
}
