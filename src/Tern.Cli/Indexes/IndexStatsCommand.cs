using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index stats</c>: what an index holds.</summary>
internal static class IndexStatsCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<bool> json = Flags.Json("the figures");
        var command = new Verb("stats", "Shows what an index holds: its documents, segments, fields and bytes.")
        {
            Examples = ["tern index stats --index idx/news", "tern index stats --index idx/news --json"],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index" },
        };
        command.Add(index);
        command.Add(json);
        command.SetAction((parsed, _) =>
        {
            string directory = parsed.GetRequiredValue(index);
            using var opened = SegmentedIndex.Open(directory, verify: false);
            if (parsed.GetValue(json))
            {
                WriteJson(terminal, directory, opened);
            }
            else
            {
                WriteTable(terminal, directory, opened);
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void WriteTable(Terminal terminal, string directory, SegmentedIndex index)
    {
        IndexSettings settings = index.Settings;
        bool isSparse = settings.Kind == VectorKind.Sparse;
        string weights = isSparse ? Invariant($" of {settings.Dimension:N0} terms, weights {settings.Precision.ToString().ToLowerInvariant()}") : Invariant($" of {settings.Dimension:N0} elements, scan {settings.Scan.ToString().ToLowerInvariant()}");
        terminal.Out.WriteLine(Invariant($"{directory}: {settings.Kind.ToString().ToLowerInvariant()} vectors{weights}; {index.DocumentCount:N0} documents, {IndexFlags.Size(index.ByteCount)}; commit {index.Commit}, generation {index.Generation}"));
        terminal.Out.WriteLine($"fields: {(settings.Fields.Count == 0 ? "none" : string.Join(", ", settings.Fields))}; payloads: {(settings.HasPayload ? "stored" : "none")}; model: {(settings.Fingerprint.Length == 0 ? "none" : settings.Fingerprint)}");
        var table = new ResultTable("segment", "documents", "deleted", isSparse ? "postings" : "elements", "bytes");
        foreach (SegmentStatistics segment in index.Segments)
        {
            table.Add(segment.Name, Invariant($"{segment.DocumentCount - segment.DeletedCount:N0}"), Invariant($"{segment.DeletedCount:N0}"), Invariant($"{segment.ValueCount:N0}"), Invariant($"{segment.ByteCount:N0}"));
        }

        table.Write(terminal, "table");
    }

    private static void WriteJson(Terminal terminal, string directory, SegmentedIndex index) => JsonOutput.Write(terminal.Out, writer =>
    {
        IndexSettings settings = index.Settings;
        writer.WriteString("index", directory);
        writer.WriteString("kind", settings.Kind.ToString().ToLowerInvariant());
        writer.WriteNumber("dimension", settings.Dimension);
        writer.WriteString("precision", settings.Precision.ToString().ToLowerInvariant());
        writer.WriteString("layout", settings.Layout.ToString().ToLowerInvariant());
        writer.WriteString("scan", settings.Scan.ToString().ToLowerInvariant());
        writer.WriteString("fingerprint", settings.Fingerprint);
        writer.WriteBoolean("payload", settings.HasPayload);
        writer.WriteArray("fields", settings.Fields, field => writer.WriteStringValue(field.ToString()));
        writer.WriteNumber("documents", index.DocumentCount);
        writer.WriteNumber("bytes", index.ByteCount);
        writer.WriteNumber("commit", index.Commit);
        writer.WriteNumber("generation", index.Generation);
        writer.WriteArray("segments", index.Segments, segment =>
        {
            writer.WriteStartObject();
            writer.WriteString("name", segment.Name);
            writer.WriteNumber("documents", segment.DocumentCount - segment.DeletedCount);
            writer.WriteNumber("deleted", segment.DeletedCount);
            writer.WriteNumber("values", segment.ValueCount);
            writer.WriteNumber("bytes", segment.ByteCount);
            writer.WriteEndObject();
        });
    });
}
