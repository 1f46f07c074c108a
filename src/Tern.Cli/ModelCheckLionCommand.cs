using System.CommandLine;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern model check-lion</c>: the scores that the paper's README prints for its 1B models, from a user's copy of the weights.</summary>
internal static class ModelCheckLionCommand
{
    /// <summary>Hidden size of the models that the figures are of.</summary>
    private const int PublishedHiddenSize = 2048;

    private const int MaxTokens = 192;

    /// <summary>The README's figures have five digits and come from other kernels: one part in a hundred, and for scores near 0 a small number.</summary>
    private const double RelativeLimit = 0.01, AbsoluteLimit = 0.003;

    private static readonly string[] Queries = ["What is the capital of France?", "Who wrote '1984'?"];
    private static readonly string[] Passages = ["Paris is the capital of France.", "George Orwell wrote '1984'."];
    private static readonly double[] SparseScores = [14.83516, 0.026406, 0.0054735, 13.90982];
    private static readonly double[] DenseScores = [0.287761, 0.132120, 0.104066, 0.292190];

    public static Command Create(Terminal terminal)
    {
        Argument<string> directory = new("dir") { Description = "Lion-SP-1B or Lion-DS-1B: the adapter with its base at hand, or merged." };
        Option<string> kind = Flags.Choice("--kind", "Which of the two; auto: by retriever.json, or by the class that the adapter names.", "auto", "auto", "sparse", "dense");
        var flags = new ModelFlags();
        var command = new Verb("check-lion", "Computes the scores that the paper's README prints for its 1B models, and compares.")
        {
            Notes = "The exit code is 0 when all four scores agree to a hundredth and 1 otherwise. The dense figures' shorter rows may carry the README's padding on the wrong side; what differs is shown.",
            Examples = ["tern model check-lion models/Lion-SP-1B-llama3-marco-mntp"],
        };
        command.Add(directory);
        command.Add(kind);
        flags.AddTo(command);
        command.SetAction((parsed, _) => Task.FromResult(Run(terminal, parsed.GetRequiredValue(directory), parsed.GetRequiredValue(kind), flags.Read(parsed))));
        return command;
    }

    private static int Run(Terminal terminal, string directory, string kindName, ModelOptions options)
    {
        AdapterStack stack = AdapterStack.Open(directory);
        LlamaConfig config = LlamaConfig.Load(stack.BaseDirectory);
        RepresentationKind kind = kindName switch
        {
            "sparse" => RepresentationKind.Sparse,
            "dense" => RepresentationKind.Dense,
            _ when File.Exists(Path.Combine(directory, RetrieverContract.FileName)) => RetrieverContract.Load(directory).Kind,
            _ when stack.Adapters is [.., LoraAdapter top] => top.Layout == AdapterLayout.Body ? RepresentationKind.Dense : RepresentationKind.Sparse,
            _ => throw new UsageException($"{directory}: neither a {RetrieverContract.FileName} nor an adapter says whether the model is sparse or dense; give --kind"),
        };
        Tokenizer tokenizer = Tokenizer.Load(stack.Find("tokenizer.json") ?? directory);
        RetrieverContract contract = RetrieverContract.Lion(kind, config) with { MaxQueryTokens = MaxTokens, MaxDocumentTokens = MaxTokens };
        using IBackend backend = Backends.Create(options.Backend, options.Threads, options.Precision ?? ProductPrecision.Float32);
        using var network = new RetrieverNetwork(backend, LlamaWeights.LoadStack(backend, stack), contract);
        double[] scores = Scores(network, tokenizer, contract);
        double[] published = kind == RepresentationKind.Sparse ? SparseScores : DenseScores;
        bool agrees = true;
        for (int i = 0; i < scores.Length; i++)
        {
            bool close = Math.Abs(scores[i] - published[i]) <= Math.Max(RelativeLimit * published[i], AbsoluteLimit);
            agrees &= close;
            terminal.Out.WriteLine(Invariant($"{Queries[i / 2]}  {Passages[i % 2]}  {scores[i]:0.000000}  published {published[i]:0.000000}{(close ? "" : "  differs")}"));
        }

        terminal.Out.WriteLine(agrees
            ? $"{directory}: the published scores of the {kind.ToString().ToLowerInvariant()} 1B model"
            : Invariant($"{directory}: not the published scores{(config.HiddenSize == PublishedHiddenSize ? "" : $", which are of the 1B models (hidden size {PublishedHiddenSize}, here {config.HiddenSize})")}"));
        return agrees ? ExitCode.Ok : ExitCode.Failure;
    }

    /// <summary>Query by passage, row by row.</summary>
    private static double[] Scores(RetrieverNetwork network, Tokenizer tokenizer, RetrieverContract contract)
    {
        float[][] queries = [.. Queries.Select(text => Encode(text, RetrievalSide.Query))], passages = [.. Passages.Select(text => Encode(text, RetrievalSide.Document))];
        return [.. queries.SelectMany(q => passages.Select(p => q.Zip(p, (x, y) => (double)x * y).Sum()))];

        float[] Encode(string text, RetrievalSide side)
        {
            List<int> tokens = [];
            tokenizer.Encode(text, contract.TokenizationFor(side), tokens);
            float[] vector = new float[network.Dimension];
            network.Backend.Download<float>(network.Forward([.. tokens], [0, tokens.Count]), vector);
            return vector;
        }
    }
}
