using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index delete</c>: documents out of an index, by id.</summary>
internal static class IndexDeleteCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<string?> list = Flags.Text("--ids", "A file with an id a line; - for standard input.", "file");
        Option<bool> json = Flags.Json("what was deleted");
        var ids = new Argument<string[]>("id") { Description = "Ids of documents.", Arity = ArgumentArity.ZeroOrMore };
        var command = new Verb("delete", "Deletes documents by id, all in one commit; ids that are not there are counted.")
        {
            Examples = ["tern index delete --index idx/news article-17 article-18", "tern index delete --index idx/news --ids withdrawn.txt"],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index" },
        };
        foreach (Option option in new Option[] { index, list, json })
        {
            command.Add(option);
        }

        command.Add(ids);
        command.SetAction((parsed, cancellationToken) =>
        {
            string directory = parsed.GetRequiredValue(index);
            string? file = parsed.GetValue(list);
            string[] named = parsed.GetValue(ids)!;
            if ((named.Length > 0) == (file is not null))
            {
                throw new UsageException("index delete needs either ids or --ids FILE (tern index delete --help)");
            }

            int deleted = 0, missing = 0;
            long commit;
            using (SegmentedIndexWriter writer = SegmentedIndexWriter.Open(directory))
            {
                foreach (string id in file is null ? named : ReadIds(file))
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    _ = writer.Delete(id) ? deleted++ : missing++;
                }

                commit = writer.Commit();
                writer.Merge(cancellationToken);
            }

            if (parsed.GetValue(json))
            {
                JsonOutput.Write(terminal.Out, writer =>
                {
                    writer.WriteString("index", directory);
                    writer.WriteNumber("deleted", deleted);
                    writer.WriteNumber("missing", missing);
                    writer.WriteNumber("commit", commit);
                });
            }
            else
            {
                terminal.Out.WriteLine(Invariant($"{directory}: {deleted:N0} documents deleted{(missing > 0 ? Invariant($", {missing:N0} were not there") : "")}, commit {commit}"));
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static IEnumerable<string> ReadIds(string path)
    {
        if (path != "-" && !File.Exists(path))
        {
            throw new FileNotFoundException($"{path}: not found", path);
        }

        using TextReader reader = path == "-" ? new StreamReader(Console.OpenStandardInput()) : new StreamReader(path);
        while (reader.ReadLine() is { } line)
        {
            if (line.Length > 0)
            {
                yield return line;
            }
        }
    }
}
