using System.CommandLine;
using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern model random</c>: a whole model directory of a published shape with random weights.</summary>
internal sealed class ModelRandomCommand
{
    private readonly Argument<string> _directory = new("dir") { Description = "The directory to make." };
    private readonly Option<string> _shape = Flags.Choice("--like", "Whose shape the model has.", null, [.. LlamaShapes.All.Keys]);
    private readonly Option<string> _kind = Flags.Choice("--kind", "What a text becomes.", "sparse", "sparse", "dense");
    private readonly Option<string> _dtype = Flags.Choice("--dtype", "How weights are stored.", "bf16", "bf16", "f32");
    private readonly Option<int> _seed = Flags.Count("--seed", "Decides every weight.", 1, least: 0);
    private readonly Option<int?> _vocabulary = Flags.OptionalCount("--vocabulary", "Entries of the vocabulary; the shape's own unless given.");
    private readonly Option<string?> _tokenizer = Flags.Text("--tokenizer", "A tokenizer.json, or a directory that has one, to copy; without it a token is a byte.", "path");
    private readonly Option<int> _maxQueryTokens = Flags.Count("--max-query-tokens", "Longest query.", new RetrieverContract { Kind = RepresentationKind.Sparse }.MaxQueryTokens);
    private readonly Option<int> _maxDocumentTokens = Flags.Count("--max-document-tokens", "Longest document.", new RetrieverContract { Kind = RepresentationKind.Sparse }.MaxDocumentTokens);
    private readonly Option<int> _threads = Flags.Threads();

    public static Command Create(Terminal terminal)
    {
        var flags = new ModelRandomCommand();
        var command = new Verb("random", "Makes a model of a published shape with random weights, to try loading, memory and speed without a download.")
        {
            Notes = "The same seed and shape give the same bytes on every machine. The weights are streamed to disk: memory does not grow with the model.",
            Examples =
            [
                "tern model random --like llama-3.2-1b models/random-1b",
                "tern model random --like tiny --tokenizer models/sparse --vocabulary 8000 --kind dense models/random-tiny",
            ],
            ForeignFlags = new Dictionary<string, string> { ["--vocab-size"] = "--vocabulary" },
        };
        command.Add(flags._directory);
        foreach (Option option in new Option[] { flags._shape, flags._kind, flags._dtype, flags._seed, flags._vocabulary, flags._tokenizer, flags._maxQueryTokens, flags._maxDocumentTokens, flags._threads })
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
            throw new UsageException($"{directory}: is there already and not empty; random weights replace no other model");
        }

        var watch = Stopwatch.StartNew();
        LlamaConfig config = LlamaShapes.All[parsed.GetRequiredValue(_shape)];
        config = config with { VocabularySize = parsed.GetValue(_vocabulary) ?? config.VocabularySize };
        using var pending = new PendingDirectory(directory, RetrieverContract.FileName);
        Tokenizer tokenizer = AddTokenizer(parsed.GetValue(_tokenizer), Path.Combine(pending.Path, "tokenizer.json"));
        if (tokenizer.VocabularySize > config.VocabularySize)
        {
            throw new UsageException(parsed.GetValue(_vocabulary) is null
                ? $"the tokenizer has {tokenizer.VocabularySize} entries, the shape {config.VocabularySize}: give --vocabulary {tokenizer.VocabularySize} or more"
                : $"--vocabulary {config.VocabularySize} is too small for the tokenizer's {tokenizer.VocabularySize} entries");
        }

        config = config with { BosTokenId = tokenizer.BosId, EosTokenId = tokenizer.EosId };
        RepresentationKind kind = parsed.GetValue(_kind) == "dense" ? RepresentationKind.Dense : RepresentationKind.Sparse;
        RetrieverContract contract = RetrieverContract.Lion(kind, config) with
        {
            AddBos = tokenizer.BosId is not null,
            MaxQueryTokens = parsed.GetValue(_maxQueryTokens),
            MaxDocumentTokens = parsed.GetValue(_maxDocumentTokens),
        };
        DType dtype = parsed.GetValue(_dtype) == "f32" ? DType.Float32 : DType.BFloat16;
        long byteCount = RandomCheckpoint.ByteCount(config, dtype);
        using (var progress = new ProgressLine(terminal, Invariant($"of {byteCount / 1_000_000:N0} MB")))
        {
            RandomCheckpoint.Write(
                pending.Path, config, contract, new LlamaInitialization { Seed = parsed.GetValue(_seed) }, dtype,
                parsed.GetValue(_threads), bytes => progress.Report((int)(bytes / 1_000_000)), cancellationToken);
        }

        pending.Complete();
        terminal.Out.WriteLine(Invariant($"{directory}: {byteCount / 1e9:0.00} GB of random weights in {watch.Elapsed.TotalSeconds:0.0} s"));
    }

    /// <summary>Copies the tokenizer asked for, or writes one whose tokens are the 256 bytes and the two ends of a text.</summary>
    private static Tokenizer AddTokenizer(string? source, string path)
    {
        if (source is null)
        {
            BytePairTrainer.Train([], new BytePairTrainerOptions { VocabularySize = 258 }, path);
        }
        else
        {
            string file = Directory.Exists(source) ? Path.Combine(source, "tokenizer.json") : source;
            Tokenizer.Load(file); // an error names the file that the user gave
            File.Copy(file, path);
        }

        return Tokenizer.Load(path);
    }
}
