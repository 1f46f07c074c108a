using System.CommandLine;
using System.Text.Json;
using Spectre.Console;
using Tern.Model;

namespace Tern.Cli;

/// <summary><c>tern model</c>: what a model directory holds, whether it still does what its maker saw, and what can be made of it.</summary>
internal static class ModelCommand
{
    public static Command Create(Terminal terminal) => new Verb("model", "Shows, checks, compares, merges, converts and makes model directories.")
    {
        CreateInfo(terminal),
        CreateSelfTest(terminal),
        ModelMergeCommand.Create(terminal),
        ModelConvertCommand.Create(terminal),
        ModelDiffCommand.Create(terminal),
        ModelCardCommand.Create(terminal),
        ModelCheckLionCommand.Create(terminal),
        ModelFuzzCommand.Create(terminal),
        ModelRandomCommand.Create(terminal),
    };

    private static Verb CreateInfo(Terminal terminal)
    {
        Argument<string> directory = DirectoryArgument();
        Option<bool> json = Flags.Json("the description");
        var command = new Verb("info", "Shows the shape, the contract and the fingerprint of a model.")
        {
            Examples = ["tern model info models/sparse", "tern model info models/sparse --json"],
        };
        command.Add(directory);
        command.Add(json);
        command.SetAction((parsed, _) =>
        {
            using var model = RetrieverModel.Load(parsed.GetRequiredValue(directory));
            IReadOnlyList<(string Name, object Value)> facts = Describe(model);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(terminal.Out, writer =>
                {
                    foreach ((string name, object value) in facts)
                    {
                        Write(writer, name, value);
                    }
                });
            }
            else
            {
                var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None, ShowHeaders = false };
                table.AddColumns("", "");
                foreach ((string name, object value) in facts)
                {
                    table.AddRow(name.EscapeMarkup(), Text(value).EscapeMarkup());
                }

                terminal.OutConsole.Write(table);
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static Verb CreateSelfTest(Terminal terminal)
    {
        Argument<string> directory = DirectoryArgument();
        var modelFlags = new ModelFlags();
        var command = new Verb("selftest", "Tokenizes and encodes the model's golden texts again and compares with what its maker got.")
        {
            Examples = ["tern model selftest models/sparse"],
        };
        command.Add(directory);
        modelFlags.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            string path = parsed.GetRequiredValue(directory);
            using var model = RetrieverModel.Load(path, modelFlags.Read(parsed));
            SelfTestResult result = model.SelfTest();
            terminal.Out.WriteLine(result.VectorCount == 0
                ? $"{path}: the contract has no golden texts, so there is nothing to compare"
                : Invariant($"{path}: {result.VectorCount} golden texts agree, largest relative deviation {result.MaximalDeviation:0.0e+0}"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static Argument<string> DirectoryArgument() => new("dir") { Description = "The model directory." };

    private static List<(string Name, object Value)> Describe(RetrieverModel model)
    {
        LlamaConfig config = model.Config;
        RetrieverContract contract = model.Contract;
        List<(string Name, object Value)> facts =
        [
            ("kind", contract.Kind.ToString().ToLowerInvariant()),
            ("dimension", model.Dimension),
            ("parameters", model.ParameterCount),
            ("layers", config.LayerCount),
            ("hidden_size", config.HiddenSize),
            ("intermediate_size", config.IntermediateSize),
            ("heads", config.HeadCount),
            ("key_value_heads", config.KeyValueHeadCount),
            ("head_size", config.HeadSize),
            ("vocabulary_size", config.VocabularySize),
            ("tied_embeddings", config.TieWordEmbeddings),
            ("rope_theta", config.RopeTheta),
            ("attention", contract.Causal ? "causal" : "bidirectional"),
            ("add_bos", contract.AddBos),
            ("add_eos", contract.AddEos),
            ("query_prefix", contract.QueryPrefix),
            ("document_prefix", contract.DocumentPrefix),
            ("document_template", contract.DocumentTemplate),
            ("max_query_tokens", contract.MaxQueryTokens),
            ("max_document_tokens", contract.MaxDocumentTokens),
        ];
        if (contract.Kind == RepresentationKind.Sparse)
        {
            facts.AddRange(
            [
                ("logit_scale", contract.LogitScale),
                ("term_bias", contract.HasTermBias),
                ("query_top_terms", contract.QueryTopTerms),
                ("document_top_terms", contract.DocumentTopTerms),
            ]);
        }

        if (model.Adapters.Count > 0)
        {
            facts.Add(("adapters", string.Join("; ", model.Adapters.Select(a => Invariant($"rank {a.Config.Rank}, alpha {a.Config.Alpha:0.###} on {a.Projections.Count} projections of {a.Config.BaseModel}")))));
        }

        facts.Add(("golden_texts", contract.Golden.Count));
        facts.Add(("weights_fingerprint", contract.Fingerprint));
        facts.Add(("fingerprint", model.Fingerprint));
        return facts;
    }

    private static void Write(Utf8JsonWriter writer, string name, object value)
    {
        switch (value)
        {
            case bool truth:
                writer.WriteBoolean(name, truth);
                break;
            case int number:
                writer.WriteNumber(name, number);
                break;
            case long number:
                writer.WriteNumber(name, number);
                break;
            case float number:
                writer.WriteNumber(name, number);
                break;
            default:
                writer.WriteString(name, (string)value);
                break;
        }
    }

    private static string Text(object value) => value switch
    {
        bool b => b ? "yes" : "no",
        string { Length: 0 } => "(none)",
        long n => Invariant($"{n:N0}"),
        _ => Invariant($"{value}"),
    };
}
