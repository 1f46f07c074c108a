using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index merge</c>: indexes built apart into one.</summary>
internal static class IndexMergeCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> output = Flags.RequiredText("--output", "The index directory to write; an earlier index there is replaced when this one is complete.", "dir");
        Option<bool> reorder = new("--reorder") { Description = "Sparse indexes: put documents with the same terms side by side, for a smaller and faster index." };
        Option<bool> json = Flags.Json("what was written");
        var shards = new Argument<string[]>("shard") { Description = "Index directories.", Arity = ArgumentArity.OneOrMore };
        var command = new Verb("merge", "Joins indexes of one model that were built apart, as on several machines, into one of one segment.")
        {
            Notes = "Shards with 8-bit weights must have one scale: build them with one --largest-weight, or with --impacts float32, whose weights are rounded anew.",
            Examples = ["tern index merge --output idx/all idx/part-1 idx/part-2 idx/part-3"],
            ForeignFlags = new Dictionary<string, string> { ["--index"] = "--output", ["--output-dir"] = "--output" },
        };
        foreach (Option option in new Option[] { output, reorder, json })
        {
            command.Add(option);
        }

        command.Add(shards);
        command.SetAction((parsed, cancellationToken) =>
        {
            string directory = parsed.GetRequiredValue(output);
            string[] inputs = parsed.GetValue(shards)!;
            int count;
            using (var progress = new ProgressLine(terminal, "documents"))
            {
                var options = new IndexWriterOptions { Reorder = parsed.GetValue(reorder), Progress = progress.Report };
                if (File.Exists(Path.Combine(inputs[0], IndexDescription.FileName)))
                {
                    count = IndexWriter.Merge(directory, inputs, options, cancellationToken).DocumentCount;
                }
                else
                {
                    // Imported indexes know no model.
                    using var pending = new PendingDirectory(directory, "manifest.json", "writer.lock");
                    count = IndexMerge.Write(pending.Path, inputs, options.Reorder, options.Progress, cancellationToken);
                    pending.Complete();
                }
            }

            if (parsed.GetValue(json))
            {
                JsonOutput.Write(terminal.Out, writer =>
                {
                    writer.WriteString("index", directory);
                    writer.WriteNumber("documents", count);
                    writer.WriteNumber("shards", inputs.Length);
                });
            }
            else
            {
                terminal.Out.WriteLine(Invariant($"{directory}: {count:N0} documents of {inputs.Length} indexes"));
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}
