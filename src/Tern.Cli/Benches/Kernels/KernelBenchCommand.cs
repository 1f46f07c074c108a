using System.CommandLine;
using Tern.Compute;
using Tern.Cuda;
using Tern.Model;

namespace Tern.Cli.Benches.Kernels;

/// <summary><c>tern bench kernels</c>: every operation of a model at a published shape, beside what the device could do at best.</summary>
internal sealed class KernelBenchCommand
{
    private readonly Option<string> _device = Flags.Device();
    private readonly Option<int> _threads = Flags.Threads();
    private readonly Option<string> _precision = Flags.Choice("--precision", "How projections and the sparse head multiply.", "bf16", "f32", "bf16");
    private readonly Option<string> _like = Flags.Choice("--like", "Whose shape the operands have.", "llama-3.2-1b", [.. LlamaShapes.All.Keys]);
    private readonly Option<int> _sequences = Flags.Count("--sequences", "Texts of a batch.", 64);
    private readonly Option<int> _length = Flags.Count("--length", "Tokens of a text.", 192);
    private readonly Option<string?> _only = Flags.Text("--operations", "Which, with commas between; all unless given.", "name,name");
    private readonly Option<int> _repeats = Flags.Count("--repeats", "Timed runs; the median counts.", 20);
    private readonly Option<int> _seed = Flags.Count("--seed", "Decides the operands.", 1, least: 0);
    private readonly Option<int> _copy = Flags.Count("--copy-mib", "What is copied to measure the memory.", 1024);
    private readonly Option<int> _product = Flags.Count("--product-size", "Rows and columns of the product that measures the arithmetic.", 8192);
    private readonly Option<int> _flush = Flags.Count("--flush-mib", "What is written between runs, so that caches hold no operand.", 256);
    private readonly Option<string?> _write = Flags.Text("--write", "Instead of timing: run each operation twice on fresh operands and write these and the results, a safetensors file each.", "dir");
    private readonly Option<bool> _json = Flags.Json("a line for each operation");

    public static Command Create(Terminal terminal)
    {
        var flags = new KernelBenchCommand();
        var command = new Verb("kernels", "Times each operation: milliseconds, bytes, operations, the least time that these take on this device, and the share of it.")
        {
            Notes = "The least time follows from a copy and a large product, measured first.",
            Examples =
            [
                "tern bench kernels --device cuda:0 --like llama-3.2-1b --json",
                "tern bench kernels --device cpu --precision f32 --like tiny --sequences 4 --length 32 --copy-mib 64 --product-size 512 --flush-mib 64",
            ],
        };
        foreach (Option option in new Option[] { flags._device, flags._threads, flags._precision, flags._like, flags._sequences, flags._length, flags._only, flags._repeats, flags._seed, flags._copy, flags._product, flags._flush, flags._write, flags._json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            flags.Run(parsed, terminal, cancellationToken);
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private void Run(ParseResult parsed, Terminal terminal, CancellationToken cancellationToken)
    {
        BackendFactory device = Flags.ReadDevice(parsed, _device);
        ProductPrecision precision = ProductPrecisions.Parse(parsed.GetRequiredValue(_precision));
        if (device.WhyNot(precision) is { } reason)
        {
            throw new UsageException($"--precision {precision.ToName()}: {reason}; use --precision f32");
        }

        using IBackend backend = device.Create(parsed.GetValue(_threads), precision);
        KernelShape shape = KernelShape.Of(parsed.GetRequiredValue(_like), parsed.GetValue(_sequences), parsed.GetValue(_length));
        var bench = new KernelBench(backend, shape, parsed.GetValue(_seed), parsed.GetValue(_repeats));
        string[] operations = Choose(parsed.GetValue(_only), [.. bench.Operations]);
        bool json = parsed.GetValue(_json);
        if (parsed.GetValue(_write) is { } directory)
        {
            Write(terminal, bench, operations, directory, cancellationToken);
            return;
        }

        DeviceCeilings ceilings = bench.MeasureCeilings(parsed.GetValue(_copy), parsed.GetValue(_product));
        string name = (backend as CudaBackend)?.Device.Name ?? "cpu";
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteString("phase", "ceilings");
                writer.WriteString("device", name);
                writer.WriteString("precision", precision.ToName());
                writer.WriteNumber("copy_gb_per_s", Math.Round(ceilings.BytesPerSecond / 1e9, 1));
                writer.WriteNumber("product_tflops", Math.Round(ceilings.FlopsPerSecond / 1e12, 3));
            });
        }
        else
        {
            terminal.Out.WriteLine(Invariant($"{name}, {precision.ToName()}: copies {ceilings.BytesPerSecond / 1e9:0.0} GB/s, multiplies {ceilings.FlopsPerSecond / 1e12:0.000} TFLOP/s; {shape.Name}, {shape.Sequences} x {shape.Length} tokens"));
        }

        var table = new ResultTable("operation", "ms", "least ms", "GB", "TFLOP", "floor ms", "% of floor", "launches");
        foreach (string operation in operations)
        {
            cancellationToken.ThrowIfCancellationRequested();
            KernelTiming t = bench.Time(operation, ceilings, parsed.GetValue(_flush));
            if (json)
            {
                WriteTiming(terminal, name, shape, precision, t);
            }

            table.Add(t.Operation, Invariant($"{t.Median:0.0000}"), Invariant($"{t.Least:0.0000}"), Invariant($"{t.ByteCount / 1e9:0.0000}"), Invariant($"{t.FlopCount / 1e12:0.0000}"), Invariant($"{t.Floor:0.0000}"), Invariant($"{t.PercentOfFloor:0}"), Invariant($"{t.Launches}"));
        }

        if (!json)
        {
            table.Write(terminal, "table");
        }
    }

    private static void Write(Terminal terminal, KernelBench bench, string[] operations, string directory, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(directory);
        foreach (string operation in operations)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string path = Path.Combine(directory, operation + ".safetensors");
            bool same = bench.Write(operation, path, out IReadOnlyDictionary<string, double> scalars);
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteString("operation", operation);
                writer.WriteString("file", path);
                writer.WriteBoolean("same_bits", same);
                writer.WriteStartObject("scalars");
                foreach ((string key, double value) in scalars)
                {
                    writer.WriteNumber(key, value);
                }

                writer.WriteEndObject();
            });
        }
    }

    private static void WriteTiming(Terminal terminal, string device, KernelShape shape, ProductPrecision precision, KernelTiming timing) => JsonOutput.Write(terminal.Out, writer =>
    {
        writer.WriteString("phase", "kernels");
        writer.WriteString("device", device);
        writer.WriteString("shape", Invariant($"{shape.Name} {shape.Sequences}x{shape.Length}"));
        writer.WriteString("precision", precision.ToName());
        writer.WriteString("operation", timing.Operation);
        writer.WriteNumber("ms", Math.Round(timing.Median, 5));
        writer.WriteNumber("least_ms", Math.Round(timing.Least, 5));
        writer.WriteNumber("bytes", timing.ByteCount);
        writer.WriteNumber("flops", timing.FlopCount);
        writer.WriteNumber("floor_ms", Math.Round(timing.Floor, 5));
        writer.WriteNumber("percent_of_floor", Math.Round(timing.PercentOfFloor, 1));
        writer.WriteNumber("launches", timing.Launches);
    });

    private static string[] Choose(string? list, string[] all)
    {
        if (list is null)
        {
            return all;
        }

        string[] wanted = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string? unknown = wanted.FirstOrDefault(name => !all.Contains(name, StringComparer.OrdinalIgnoreCase));
        return unknown is null
            ? [.. all.Where(name => wanted.Contains(name, StringComparer.OrdinalIgnoreCase))]
            : throw new UsageException($"--operations: no operation '{unknown}'; there are {string.Join(", ", all)}");
    }
}
