using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli.Indexes;

/// <summary><c>tern index verify</c>: whether every byte of an index is what was written.</summary>
internal static class IndexVerifyCommand
{
    public static Verb Create(Terminal terminal)
    {
        Option<string> index = IndexFlags.Index();
        Option<bool> json = Flags.Json("what was found");
        var command = new Verb("verify", "Compares every byte of an index with its checksums and names all damage with file and offset; exit code 3 where there is any.")
        {
            Examples = ["tern index verify --index idx/news", "tern index verify --index idx/news --json"],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index" },
        };
        command.Add(index);
        command.Add(json);
        command.SetAction((parsed, _) =>
        {
            string directory = parsed.GetRequiredValue(index);
            VerificationResult result = IndexVerification.Run(directory);
            if (parsed.GetValue(json))
            {
                JsonOutput.Write(terminal.Out, writer =>
                {
                    writer.WriteString("index", directory);
                    writer.WriteNumber("files", result.FileCount);
                    writer.WriteNumber("bytes", result.ByteCount);
                    writer.WriteArray("damages", result.Damages, damage =>
                    {
                        writer.WriteStartObject();
                        writer.WriteString("path", damage.Path);
                        writer.WriteString("section", damage.Section);
                        writer.WriteNumber("offset", damage.Offset);
                        writer.WriteString("problem", damage.Problem);
                        writer.WriteEndObject();
                    });
                });
            }
            else
            {
                foreach (IndexDamage damage in result.Damages)
                {
                    terminal.Out.WriteLine(Invariant($"{damage.Path}: section '{damage.Section}' at offset {damage.Offset}: {damage.Problem}"));
                }

                terminal.Out.WriteLine(Invariant($"{directory}: {result.FileCount} files, {IndexFlags.Size(result.ByteCount)}: {(result.Damages.Count == 0 ? "whole" : Invariant($"{result.Damages.Count} damaged places"))}"));
            }

            return Task.FromResult(result.Damages.Count == 0 ? ExitCode.Ok : ExitCode.BadInput);
        });
        return command;
    }
}
