using System.CommandLine;
using Spectre.Console;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern data</c>: makes collections and looks whether they are whole.</summary>
internal static class DataCommand
{
    public static Command Create(Terminal terminal) => new Verb("data", "Makes and checks collections: MS MARCO TSV, BEIR directories, training JSON Lines, .gz included.")
    {
        CreateSdk(terminal),
        CreateScan(terminal, "check", "Reads a collection to its end and lists what does not fit together; exit code 3 if anything does not.", failOnProblems: true),
        CreateScan(terminal, "stats", "Counts the records of a collection and the words of its texts.", failOnProblems: false),
        CreateTokenizer(terminal),
        ExamplesCommand.Create(terminal),
        ConvertCommand.Create(terminal),
        MergeCommand.Create(terminal),
    };

    private static Verb CreateScan(Terminal terminal, string name, string description, bool failOnProblems)
    {
        var path = new Argument<string>("path") { Description = "A BEIR directory, or one file." };
        var kind = new Option<string?>("--as")
        {
            Description = "What a single file holds, where its name does not tell.",
            HelpName = "corpus|queries|qrels|training|run",
        };
        kind.AcceptOnlyFromAmong([.. Enum.GetNames<CollectionFileKind>().Select(n => n.ToLowerInvariant())]);
        Option<bool> json = Flags.Json("the figures");
        var command = new Verb(name, description)
        {
            Examples = [$"tern data {name} beir/scifact", $"tern data {name} collection.tsv.gz --as corpus"],
        };
        command.Add(path);
        command.Add(kind);
        command.Add(json);
        command.SetAction((parsed, cancellationToken) =>
        {
            var scan = new CollectionScan();
            foreach (CollectionFile file in CollectionFile.Find(parsed.GetRequiredValue(path), parsed.GetValue(kind)))
            {
                scan.Read(file, cancellationToken);
            }

            if (parsed.GetValue(json))
            {
                WriteJson(terminal, scan);
            }
            else
            {
                WriteTable(terminal, scan);
            }

            return Task.FromResult(failOnProblems && scan.Problems.Count > 0 ? ExitCode.BadInput : ExitCode.Ok);
        });
        return command;
    }

    private static Verb CreateSdk(Terminal terminal)
    {
        Option<string> output = Flags.RequiredText("--output", "The BEIR directory to write.", "dir");
        Option<string?> root = Flags.Text("--dotnet-root", "The .NET installation; the running one unless given.", "dir");
        var command = new Verb("sdk", "Turns the XML documentation of the installed .NET SDK into a retrieval collection, split by declaring type.")
        {
            Examples = ["tern data sdk --output sdkdocs"],
        };
        command.Add(output);
        command.Add(root);
        command.SetAction((parsed, _) =>
        {
            string directory = parsed.GetRequiredValue(output);
            SdkCollection collection = SdkDocumentation.Build(parsed.GetValue(root));
            using (var pending = new PendingDirectory(directory, "collection.json"))
            {
                SdkDocumentation.Write(collection, pending.Path);
                pending.Complete();
            }

            terminal.Out.WriteLine(Invariant($"{directory}: {collection.Members.Count:N0} documented members; {collection.Train.Count:N0} train, {collection.Dev.Count:N0} dev and {collection.Test.Count:N0} test queries ({collection.Fingerprint})"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static Verb CreateTokenizer(Terminal terminal)
    {
        var input = new Option<string[]>("--input") { Description = "Texts to learn from: corpora, BEIR directories; may be repeated.", HelpName = "path", Required = true };
        Option<int> size = Flags.Count("--vocabulary-size", "Entries of the vocabulary.", 8000, least: 256);
        Option<string> output = Flags.RequiredText("--output", "The tokenizer.json to write.", "file");
        var lowercase = new Option<bool>("--lowercase") { Description = "Lower-case all text." };
        var splitCase = new Option<bool>("--split-case-changes") { Description = "Split words like ReadOnlySpan where the case changes." };
        Option<string> splitting = Flags.Choice("--splitting", "words: white space is dropped, and a word is the same entry wherever it stands: for vocabularies that are searched by. leading-spaces: GPT-2's, which keeps every character.", "leading-spaces", "leading-spaces", "words");
        var addBos = new Option<bool>("--add-bos") { Description = "Put <|begin_of_text|> before every text." };
        var command = new Verb("tokenizer", "Learns a byte-level BPE vocabulary and writes it as a Hugging Face tokenizer.json.")
        {
            Examples = ["tern data tokenizer --input sdkdocs --vocabulary-size 8000 --lowercase --split-case-changes --splitting words --output sdkdocs/tokenizer.json"],
            ForeignFlags = new Dictionary<string, string> { ["--vocab-size"] = "--vocabulary-size" },
        };
        foreach (Option option in new Option[] { input, size, output, lowercase, splitCase, splitting, addBos })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            IEnumerable<string> texts = parsed.GetRequiredValue(input).SelectMany(CorpusReader.Read).Select(d => $"{d.Title} {d.Text}".Trim());
            var options = new BytePairTrainerOptions
            {
                VocabularySize = parsed.GetValue(size),
                Lowercase = parsed.GetValue(lowercase),
                SplitCaseChanges = parsed.GetValue(splitCase),
                Splitting = parsed.GetValue(splitting) == "words" ? WordSplitting.Words : WordSplitting.LeadingSpaces,
                AddBos = parsed.GetValue(addBos),
            };
            string path = parsed.GetRequiredValue(output);
            BytePairTrainer.Train(texts, options, path);
            terminal.Out.WriteLine($"{path}: {Tokenizer.Load(path).VocabularySize} entries");
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void WriteTable(Terminal terminal, CollectionScan scan)
    {
        var table = new Table { Border = terminal.OutIsTerminal ? TableBorder.Rounded : TableBorder.None };
        table.AddColumns("file", "holds", "records", "");
        foreach ((CollectionFile file, int count, List<(string Name, double Value)> figures) in scan.Results)
        {
            table.AddRow(
                file.Path.EscapeMarkup(),
                file.Kind.ToString().ToLowerInvariant(),
                Invariant($"{count:N0}"),
                string.Join("  ", figures.Select(f => Invariant($"{f.Name.Replace('_', ' ')} {f.Value:#,0.##}"))).EscapeMarkup());
        }

        terminal.OutConsole.Write(table);
        foreach (string problem in scan.Problems)
        {
            terminal.Out.WriteLine($"problem: {problem}");
        }
    }

    private static void WriteJson(Terminal terminal, CollectionScan scan) => JsonOutput.Write(terminal.Out, json =>
    {
        json.WriteArray("files", scan.Results, result =>
        {
            json.WriteStartObject();
            json.WriteString("path", result.File.Path);
            json.WriteString("kind", result.File.Kind.ToString().ToLowerInvariant());
            json.WriteNumber("records", result.Count);
            foreach ((string name, double value) in result.Figures)
            {
                json.WriteNumber(name, value);
            }

            json.WriteEndObject();
        });
        json.WriteArray("problems", scan.Problems, json.WriteStringValue);
    });
}
