using System.CommandLine;
using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern model merge</c>: a base model and LoRA adapters as one model directory.</summary>
internal sealed class ModelMergeCommand
{
    private const string TokenizerName = "tokenizer.json";

    private readonly Argument<string> _directory = new("dir") { Description = "The directory to make." };
    private readonly Option<string?> _base = Flags.Text("--base", "The base model's directory; without it the one that the first adapter names.", "dir");
    private readonly Option<string[]> _adapters = new("--adapter") { Description = "An adapter's directory; several are added in the given order.", HelpName = "dir", Required = true };
    private readonly Option<string> _contract = Flags.Choice("--contract", "How texts become tokens and vectors; own: the retriever.json of the last adapter or of the base.", "own", ["own", .. BuiltInContracts.All.Keys]);
    private readonly Option<string> _dtype = Flags.Choice("--dtype", "How weights are stored; base: as in the base model.", "base", "base", "bf16", "f32");
    private readonly Option<int> _threads = Flags.Threads();

    public static Command Create(Terminal terminal)
    {
        var flags = new ModelMergeCommand();
        var command = new Verb("merge", "Adds LoRA adapters to a base model and writes the sum as a model directory.")
        {
            Notes = "Reads PEFT's adapter_model.safetensors and adapter_model.bin, the latter without running anything that it says. Sums are done in float32; a weight at a time is in memory.",
            Examples =
            [
                "tern model merge --base models/llama --adapter adapters/mntp --adapter adapters/sparse --contract lion-sparse models/merged",
                "tern model merge --base models/llama --adapter adapters/dense --contract lion-dense --dtype f32 models/dense",
            ],
        };
        command.Add(flags._directory);
        foreach (Option option in new Option[] { flags._base, flags._adapters, flags._contract, flags._dtype, flags._threads })
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
        string directory = parsed.GetRequiredValue(_directory);
        if (Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
        {
            throw new UsageException($"{directory}: is there already and not empty; a merged model replaces no other");
        }

        var watch = Stopwatch.StartNew();
        LoraAdapter[] adapters = [.. parsed.GetRequiredValue(_adapters).Select(LoraAdapter.Open)];
        AdapterStack below = BelowOf(adapters[0], parsed.GetValue(_base));
        adapters = [.. below.Adapters, .. adapters];
        string baseDirectory = below.BaseDirectory;
        string[] sources = [.. adapters.Select(a => a.Directory).Reverse(), baseDirectory];
        RetrieverContract contract = Contract(parsed.GetRequiredValue(_contract), baseDirectory, sources);
        string tokenizer = sources.Select(s => Path.Combine(s, TokenizerName)).FirstOrDefault(File.Exists)
            ?? throw new InvalidDataException($"{baseDirectory}: has no {TokenizerName}, nor has an adapter: copy the one that the model was trained with into it");
        Tokenizer.Load(tokenizer); // an error names the file that the user gave
        using var pending = new PendingDirectory(directory, RetrieverContract.FileName);
        using IBackend backend = Backends.Create("cpu", parsed.GetValue(_threads));
        DType? dtype = parsed.GetRequiredValue(_dtype) switch { "bf16" => DType.BFloat16, "f32" => DType.Float32, _ => null };
        using (var progress = new ProgressLine(terminal, "MB"))
        {
            MergedCheckpoint.Write(backend, baseDirectory, adapters, contract, pending.Path, dtype, bytes => progress.Report((int)(bytes / 1_000_000)), foldScale: false, cancellationToken);
        }

        File.Copy(tokenizer, Path.Combine(pending.Path, TokenizerName));
        pending.Complete();
        foreach (LoraAdapter adapter in adapters)
        {
            terminal.Out.WriteLine(Invariant($"{adapter.Directory}: {adapter.Pairs.Count} projections, rank {adapter.Config.Rank}, alpha {adapter.Config.Alpha:0.###}"));
        }

        terminal.Out.WriteLine(Invariant($"{directory}: merged with {baseDirectory} in {watch.Elapsed.TotalSeconds:0.0} s"));
    }

    /// <summary>What the first adapter lies on, which may be adapters on a base.</summary>
    private static AdapterStack BelowOf(LoraAdapter first, string? given)
    {
        if (given is not null)
        {
            return AdapterStack.Open(given);
        }

        if (first.Config.BaseModel.Length == 0)
        {
            throw new UsageException($"{first.Directory}: does not name its base; give --base DIR");
        }

        AdapterStack stack = AdapterStack.Open(first.Directory);
        return stack with { Adapters = [.. stack.Adapters.SkipLast(1)], Names = [.. stack.Names.SkipLast(1)] };
    }

    private static RetrieverContract Contract(string name, string baseDirectory, IEnumerable<string> sources) => name switch
    {
        not "own" => BuiltInContracts.All[name](LlamaConfig.Load(baseDirectory)),
        _ => sources.FirstOrDefault(s => File.Exists(Path.Combine(s, RetrieverContract.FileName))) is { } source
            ? RetrieverContract.Load(source)
            : throw new UsageException($"neither an adapter nor {baseDirectory} has a {RetrieverContract.FileName}; say with --contract how texts become tokens and vectors: lion-sparse, lion-dense or laconic"),
    };
}
