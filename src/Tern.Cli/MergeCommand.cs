using System.CommandLine;
using Tern.Retrieval.Exchange;

namespace Tern.Cli;

/// <summary><c>tern data merge</c>: the files of several parts, one behind the other.</summary>
internal static class MergeCommand
{
    public static Command Create(Terminal terminal)
    {
        var parts = new Argument<string[]>("part") { Description = "The parts in their order: JSON Lines or runs (.gz all or none), or .npy with the ids beside each.", Arity = ArgumentArity.OneOrMore };
        Option<string> output = Flags.RequiredText("--output", "The whole file.", "file");
        var command = new Verb("merge", "Puts files that were made in parts one behind the other: what tern encode --shard leaves.")
        {
            Examples = ["tern data merge vectors.0-of-2.jsonl vectors.1-of-2.jsonl --output vectors.jsonl", "tern data merge docs.*-of-8.npy --output docs.npy"],
        };
        command.Add(parts);
        command.Add(output);
        command.SetAction((parsed, _) =>
        {
            string[] paths = parsed.GetRequiredValue(parts);
            string target = parsed.GetRequiredValue(output);
            foreach (string path in paths)
            {
                if (!File.Exists(path))
                {
                    throw new FileNotFoundException($"{path}: no such file; merge needs every part", path);
                }

                if (Path.GetExtension(path) != Path.GetExtension(target))
                {
                    throw new UsageException($"{path}: its extension is not that of --output {target}");
                }
            }

            if (target.EndsWith(".npy", StringComparison.OrdinalIgnoreCase))
            {
                MergeMatrices(terminal, paths, target);
            }
            else
            {
                OutputFile.WriteBytes(target, stream => Array.ForEach(paths, path =>
                {
                    using FileStream part = File.OpenRead(path);
                    part.CopyTo(stream);
                }));
            }

            terminal.Progress(Invariant($"{paths.Length} parts -> {target}"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void MergeMatrices(Terminal terminal, string[] paths, string target)
    {
        int columns = NumpyMatrix.ReadHeader(paths[0]).ColumnCount;
        foreach (string path in paths)
        {
            if (NumpyMatrix.ReadHeader(path).ColumnCount is var own && own != columns)
            {
                throw new InvalidDataException($"{path}: {own} columns, where {paths[0]} has {columns}; the parts are not of one model");
            }
        }

        OutputFile.Write(terminal, NumpyMatrix.IdsPath(target), ids => OutputFile.WriteBytes(target, stream =>
        {
            var matrix = new NumpyWriter(stream, columns);
            matrix.Begin();
            foreach (string path in paths)
            {
                foreach (DenseDocument row in NumpyMatrix.Read(path, File.ReadLines(NumpyMatrix.IdsPath(path))))
                {
                    matrix.Add(row.Vector.Span);
                    ids.WriteLine(row.Id);
                }
            }

            matrix.Complete();
        }));
    }
}
