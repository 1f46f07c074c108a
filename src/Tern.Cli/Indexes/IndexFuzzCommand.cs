using System.CommandLine;
using Tern.Retrieval.Fuzzing;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index fuzz</c>: damages copies of an index and looks whether that is always noticed.</summary>
internal static class IndexFuzzCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<int> count = Flags.Count("--count", "Mutations.", 1000);
        Option<int> seed = Flags.Count("--seed", "Decides all mutations.", 1, least: 0);
        Option<bool> json = Flags.Json("the figures");
        var command = new Verb("fuzz", "Damages a copy of an index again and again; each time it must be refused or answer as before. In half of the cases the checksums are made right again: then it may answer otherwise, but never read outside its files. Exit code 1 where it does.")
        {
            Notes = "The index itself is only read. Take a small one: the copy, in the folder for temporary files, is opened and searched for every mutation. A read outside a file ends the program and leaves the damaged copy there.",
            Examples = ["tern index fuzz --index idx/news --count 100000", "tern index fuzz --index idx/news --count 500 --seed 7 --json"],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index" },
        };
        foreach (Option option in new Option[] { index, count, seed, json })
        {
            command.Add(option);
        }

        command.SetAction((parsed, cancellationToken) =>
        {
            string copy = Directory.CreateTempSubdirectory("tern-fuzz-").FullName;
            try
            {
                Copy(parsed.GetRequiredValue(index), copy);
                IndexFuzzResult figures;
                using (var progress = new ProgressLine(terminal, "mutations"))
                {
                    figures = new IndexFuzz(copy, parsed.GetValue(seed)).Run(parsed.GetValue(count), progress.Report, cancellationToken);
                }

                // Also those of a long run that was stopped.
                Print(terminal, figures, parsed.GetValue(json));
                cancellationToken.ThrowIfCancellationRequested();
                return Task.FromResult(figures.Errors.Count == 0 ? ExitCode.Ok : ExitCode.Failure);
            }
            finally
            {
                Directory.Delete(copy, recursive: true);
            }
        });
        return command;
    }

    private static void Copy(string from, string to)
    {
        if (!Directory.Exists(from))
        {
            throw new DirectoryNotFoundException($"{from}: no such index directory");
        }

        foreach (string path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(path, target);
        }
    }

    private static void Print(Terminal terminal, IndexFuzzResult figures, bool json)
    {
        if (json)
        {
            JsonOutput.Write(terminal.Out, writer =>
            {
                writer.WriteNumber("mutations", figures.Mutations);
                writer.WriteNumber("rewritten", figures.Rewritten);
                writer.WriteNumber("refused", figures.Refused);
                writer.WriteNumber("unchanged", figures.Unchanged);
                writer.WriteNumber("changed", figures.Changed);
                writer.WriteArray("errors", figures.Errors, error => writer.WriteStringValue(error));
            });
            return;
        }

        foreach (string error in figures.Errors)
        {
            terminal.Out.WriteLine(error);
        }

        terminal.Out.WriteLine(Invariant($"{figures.Mutations:N0} mutations, checksums made right again in {figures.Rewritten:N0}: {figures.Refused:N0} refused with their path, {figures.Unchanged:N0} without effect on answers, {figures.Changed:N0} with right checksums and other answers, {figures.Errors.Count:N0} wrong"));
    }
}
