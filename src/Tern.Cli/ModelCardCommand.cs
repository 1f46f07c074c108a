using System.CommandLine;
using System.Text;
using Tern.Model;
using Tern.Model.Checkpoints;

namespace Tern.Cli;

/// <summary><c>tern model card</c>: the README of a model directory, as hubs read it.</summary>
internal static class ModelCardCommand
{
    public static Command Create(Terminal terminal)
    {
        Argument<string> directory = new("dir") { Description = "The model's or adapter's directory." };
        Option<string?> license = Flags.Text("--license", "Licence of the weights, such as llama3.2; left out unless given.", "id");
        Option<string[]> datasets = new("--dataset") { Description = "What it was trained on; may be given several times.", HelpName = "name" };
        Option<string[]> metrics = new("--metric") { Description = "A figure for the table, such as \"MS MARCO dev RR@10=0.41\"; may be given several times.", HelpName = "name=value" };
        Option<bool> write = new("--write") { Description = "Write README.md into the directory instead of standard output; one that is there is not replaced." };
        var command = new Verb("card", "Writes a model card: what the model is, how it is to be read, and its figures.")
        {
            Examples = ["tern model card models/sparse --dataset ms_marco --metric \"dev RR@10=0.35\" --write"],
        };
        command.Add(directory);
        foreach (Option option in new Option[] { license, datasets, metrics, write })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            string path = parsed.GetRequiredValue(directory);
            string card = Write(path, parsed.GetValue(license), parsed.GetValue(datasets) ?? [], parsed.GetValue(metrics) ?? []);
            if (!parsed.GetValue(write))
            {
                terminal.Out.Write(card);
                return Task.FromResult(ExitCode.Ok);
            }

            string readme = Path.Combine(path, "README.md");
            if (File.Exists(readme))
            {
                throw new UsageException($"{readme}: is there already; remove it, or leave --write out");
            }

            OutputFile.WriteBytes(readme, stream => stream.Write(Encoding.UTF8.GetBytes(card)));
            terminal.Out.WriteLine(readme);
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static string Write(string directory, string? license, string[] datasets, string[] metrics)
    {
        RetrieverContract contract = RetrieverContract.Load(directory);
        AdapterStack stack = AdapterStack.Open(directory);
        LlamaConfig config = LlamaConfig.Load(stack.BaseDirectory);
        bool isSparse = contract.Kind == RepresentationKind.Sparse;
        (string Name, string Value)[] figures = [.. metrics.Select(Figure)];
        var card = new StringBuilder("---\n");
        card.Append("library_name: ").Append(stack.Adapters.Count > 0 ? "peft" : "transformers").Append('\n');
        card.Append("pipeline_tag: feature-extraction\ntags:\n- ").Append(isSparse ? "sparse-encoder\n- splade" : "dense-retrieval").Append("\n- retrieval\n- llama\n");
        if (license is not null)
        {
            card.Append("license: ").Append(license).Append('\n');
        }

        if (stack.Adapters.Count > 0)
        {
            card.Append("base_model: ").Append(stack.Names[^1]).Append('\n');
        }

        if (datasets.Length > 0)
        {
            card.Append("datasets:\n").AppendJoin("", datasets.Select(d => $"- {d}\n"));
        }

        card.Append("---\n\n# ").Append(Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)))).Append("\n\n");
        card.Append(Invariant($"A {(isSparse ? "sparse" : "dense")} retriever on the Llama architecture: {config.LayerCount} layers of {config.HiddenSize}, vocabulary {config.VocabularySize}"));
        card.Append(stack.Adapters.Count > 0 ? Invariant($", as a LoRA adapter of rank {stack.Adapters[^1].Config.Rank}.\n\n") : ".\n\n");
        card.Append("## How it is read\n\n| | |\n|---|---|\n");
        foreach ((string name, string value) in Reading(contract))
        {
            card.Append("| ").Append(name).Append(" | ").Append(value).Append(" |\n");
        }

        if (figures.Length > 0)
        {
            card.Append("\n## Figures\n\n| measure | value |\n|---|---|\n").AppendJoin("", figures.Select(f => $"| {f.Name} | {f.Value} |\n"));
        }

        return card.ToString();
    }

    private static IEnumerable<(string Name, string Value)> Reading(RetrieverContract contract)
    {
        yield return ("attention", contract.Causal ? "causal" : "bidirectional");
        yield return ("around a text", $"{(contract.AddBos ? "BOS" : "no BOS")}, {(contract.AddEos ? "EOS" : "no EOS")}");
        yield return ("before a query", contract.QueryPrefix.Length == 0 ? "nothing" : $"`{contract.QueryPrefix}`");
        yield return ("before a document", contract.DocumentPrefix.Length == 0 ? "nothing" : $"`{contract.DocumentPrefix}`");
        yield return ("longest query, document", Invariant($"{contract.MaxQueryTokens}, {contract.MaxDocumentTokens} tokens"));
        yield return ("vector", contract.Kind == RepresentationKind.Dense
            ? $"{Pooling(contract.Pooling)}{(contract.NormalizeVectors ? ", scaled to length 1" : "")}; scores are dot products"
            : Invariant($"ln(1 + relu(max over tokens of {contract.LogitScale:0.########} · logit{(contract.HasTermBias ? " + bias" : "")})); scores are dot products"));
    }

    private static string Pooling(DensePooling pooling) => pooling switch
    {
        DensePooling.NormalizedMean => "mean of the tokens' final states, each normalised",
        DensePooling.Mean => "mean of the tokens' final states",
        DensePooling.MeanSqrtLength => "sum of the tokens' final states by the root of their number",
        DensePooling.WeightedMean => "mean of the tokens' final states, each weighted by its place",
        DensePooling.LastToken => "final state of the last token",
        _ => "final state of the first token",
    };

    private static (string Name, string Value) Figure(string text)
    {
        int at = text.LastIndexOf('=');
        return at > 0 && at < text.Length - 1 ? (text[..at].Trim(), text[(at + 1)..].Trim()) : throw new UsageException($"--metric: '{text}' is not name=value");
    }
}
