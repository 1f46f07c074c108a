using System.CommandLine;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern model convert</c>: the same model or adapter in other files.</summary>
internal sealed class ModelConvertCommand
{
    private const string TokenizerName = "tokenizer.json";

    private readonly Argument<string> _source = new("source") { Description = "A model's or an adapter's directory." };
    private readonly Argument<string> _target = new("dir") { Description = "The directory to make." };
    private readonly Option<string> _contract = Flags.Choice("--contract", "What retriever.json is to say; own: that of the source, or what its sentence-transformers files say.", "own", ["own", .. BuiltInContracts.All.Keys]);
    private readonly Option<string> _layout = Flags.Choice("--adapter-layout", "Of an adapter: mntp (names of a model with an output projection; sparse retrievers) or bimodel (of the body alone; dense retrievers of the paper's code).", "own", "own", "mntp", "bimodel");
    private readonly Option<string> _format = Flags.Choice("--adapter-format", "Of an adapter: adapter_model.safetensors or adapter_model.bin.", "safetensors", "safetensors", "bin");
    private readonly Option<string> _dtype = Flags.Choice("--dtype", "Of a model: how weights are stored; base: as they are.", "base", "base", "bf16", "f32");
    private readonly Option<bool> _foldScale = new("--fold-scale") { Description = "Of a sparse model: multiply its final norm by the contract's logit scale, which is then 1, for readers that know no such scale." };
    private readonly Option<bool> _sentenceTransformers = new("--sentence-transformers") { Description = "Write modules.json and the configs of sentence-transformers too." };
    private readonly Option<int> _threads = Flags.Threads();

    public static Command Create(Terminal terminal)
    {
        var flags = new ModelConvertCommand();
        var command = new Verb("convert", "Writes a model or an adapter in other files: shards into one, other types, other names, .bin into safetensors and back.")
        {
            Examples =
            [
                "tern model convert models/mntp --adapter-layout bimodel models/bimodel",
                "tern model convert models/lion --contract lion-sparse models/lion-with-contract",
                "tern model convert models/sparse --fold-scale --sentence-transformers --dtype bf16 models/for-others",
            ],
        };
        command.Add(flags._source);
        command.Add(flags._target);
        foreach (Option option in new Option[] { flags._contract, flags._layout, flags._format, flags._dtype, flags._foldScale, flags._sentenceTransformers, flags._threads })
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
        string source = parsed.GetRequiredValue(_source), target = parsed.GetRequiredValue(_target);
        if (Directory.Exists(target) && Directory.EnumerateFileSystemEntries(target).Any())
        {
            throw new UsageException($"{target}: is there already and not empty; a converted model replaces no other");
        }

        bool isAdapter = AdapterStack.IsStack(source);
        string? foreign = (isAdapter ? new Option[] { _dtype, _foldScale, _sentenceTransformers } : [_layout, _format]).FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false })?.Name;
        if (foreign is not null)
        {
            throw new UsageException($"{foreign}: {source} is {(isAdapter ? "an adapter" : "no adapter")}, to which it does not apply");
        }

        using var pending = new PendingDirectory(target, RetrieverContract.FileName);
        if (isAdapter)
        {
            ConvertAdapter(source, pending.Path, parsed);
        }
        else
        {
            ConvertModel(source, pending.Path, parsed, cancellationToken);
        }

        if (File.Exists(Path.Combine(source, TokenizerName)))
        {
            Tokenizer.Load(source); // an error names the file that the user gave
            File.Copy(Path.Combine(source, TokenizerName), Path.Combine(pending.Path, TokenizerName), overwrite: true);
        }

        pending.Complete();
        terminal.Out.WriteLine($"{target}: {(isAdapter ? "adapter" : "model")} of {source}");
    }

    private void ConvertAdapter(string source, string target, ParseResult parsed)
    {
        LoraAdapter adapter = LoraAdapter.Open(source);
        AdapterLayout layout = parsed.GetRequiredValue(_layout) switch { "mntp" => AdapterLayout.LanguageModel, "bimodel" => AdapterLayout.Body, _ => adapter.Layout };
        LoraAdapterFile.Write(adapter, layout, target, asTorch: parsed.GetRequiredValue(_format) == "bin");
        string config = Path.Combine(source, LlamaConfig.FileName);
        if (File.Exists(config))
        {
            LlamaConfig.Load(source).Save(target);
        }

        string name = parsed.GetRequiredValue(_contract);
        if (name != "own")
        {
            BuiltInContracts.All[name](LlamaConfig.Load(File.Exists(config) ? source : AdapterStack.Open(source).BaseDirectory)).Save(target);
        }
        else if (File.Exists(Path.Combine(source, RetrieverContract.FileName)))
        {
            RetrieverContract.Load(source).Save(target);
        }
    }

    private void ConvertModel(string source, string target, ParseResult parsed, CancellationToken cancellationToken)
    {
        LlamaConfig config = LlamaConfig.Load(source);
        string name = parsed.GetRequiredValue(_contract);
        RetrieverContract contract = name != "own" ? BuiltInContracts.All[name](config)
            : File.Exists(Path.Combine(source, RetrieverContract.FileName)) || !SentenceTransformersFiles.Exist(source) ? RetrieverContract.Load(source)
            : SentenceTransformersFiles.Read(source);
        DType? dtype = parsed.GetRequiredValue(_dtype) switch { "bf16" => DType.BFloat16, "f32" => DType.Float32, _ => null };
        bool fold = parsed.GetValue(_foldScale);
        if (parsed.GetValue(_sentenceTransformers))
        {
            SentenceTransformersFiles.Write(target, fold ? contract with { LogitScale = 1f } : contract, config);
        }

        using IBackend backend = Backends.Create("cpu", parsed.GetValue(_threads));
        MergedCheckpoint.Write(backend, source, [], contract, target, dtype, progress: null, fold, cancellationToken);
    }
}
