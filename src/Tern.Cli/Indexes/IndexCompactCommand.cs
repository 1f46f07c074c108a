using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index compact</c>: all segments into one, without deleted documents.</summary>
internal static class IndexCompactCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<bool> reorder = new("--reorder") { Description = "Sparse indexes: put documents with the same terms side by side, for a smaller and faster index." };
        var command = new Verb("compact", "Merges all segments of an index into one and drops what was deleted; searches go on meanwhile.")
        {
            Examples = ["tern index compact --index idx/news", "tern index compact --index idx/news --reorder"],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index" },
        };
        command.Add(index);
        command.Add(reorder);
        command.SetAction((parsed, cancellationToken) =>
        {
            string directory = parsed.GetRequiredValue(index);
            using (SegmentedIndexWriter writer = SegmentedIndexWriter.Open(directory))
            {
                writer.Compact(parsed.GetValue(reorder), cancellationToken);
            }

            using var opened = SegmentedIndex.Open(directory, verify: false);
            terminal.Out.WriteLine(Invariant($"{directory}: {opened.DocumentCount:N0} documents in {opened.SegmentCount} segment{(opened.SegmentCount == 1 ? "" : "s")}, {IndexFlags.Size(opened.ByteCount)}"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}
