using System.CommandLine;
using Tern.Training;

namespace Tern.Cli;

/// <summary><c>tern reproduce</c>: a recorded run again, compared step by step.</summary>
internal static class ReproduceCommand
{
    public static Command Create(Terminal terminal)
    {
        var file = new Argument<string>("file") { Description = "A run's train.json, or a YAML or JSON file of tern train's flags." };
        Option<string?> output = Flags.Text("--output", "Where the new model goes; beside the old one, with -again behind its name, unless given.", "dir");
        var command = new Verb("reproduce", "Trains a recorded run again: checks that its inputs are the same files, and that every step's loss is the same.")
        {
            Examples = ["tern reproduce models/sparse/train.json", "tern reproduce run.yaml --output models/sparse"],
            Notes = "Losses are equal on the same backend and precision, whatever the number of threads; over ranks they are close. Exit code 3: an input has changed, or a loss differs.",
        };
        command.Add(file);
        command.Add(output);
        command.SetAction((parsed, cancellationToken) =>
        {
            string path = parsed.GetRequiredValue(file);
            if (!File.Exists(path))
            {
                throw new FileNotFoundException($"{path}: no such file; a run's directory has {RunRecord.FileName}", path);
            }

            return Task.FromResult(Path.GetFileName(path) == RunRecord.FileName
                ? Again(terminal, path, parsed.GetValue(output), cancellationToken)
                : Described(terminal, path, parsed.GetValue(output), cancellationToken));
        });
        return command;
    }

    private static int Described(Terminal terminal, string path, string? output, CancellationToken cancellationToken) =>
        CommandLine.RunAsync(["train", "--config", path, .. output is null ? Array.Empty<string>() : ["--output", output]], terminal, cancellationToken).GetAwaiter().GetResult();

    private static int Again(Terminal terminal, string path, string? output, CancellationToken cancellationToken)
    {
        string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        RunRecord record = RunRecord.Load(directory);
        foreach (FileStamp input in record.Inputs)
        {
            if (!File.Exists(input.Path))
            {
                throw new FileNotFoundException($"{input.Path}: not there; the run of {path} was trained from it (SHA-256 {input.Sha256})", input.Path);
            }

            if (FileStamp.Of(input.Path).Sha256 is var now && now != input.Sha256)
            {
                throw new InvalidDataException($"{input.Path}: has changed: SHA-256 {now}, {input.Sha256} when the run of {path} was trained");
            }
        }

        string target = output ?? directory + "-again";
        List<string> arguments = [];
        for (int i = 0; i < record.Arguments.Count; i++)
        {
            switch (record.Arguments[i])
            {
                case "--output" or "--minutes" or "--memory" or "--steps":
                    i++;
                    break;
                case "--resume" or "--activation-checkpointing" or "--json":
                    break;
                case "--grad-cache-chunk" or "--config" or "--preset":
                    i++;
                    break;
                default:
                    arguments.Add(record.Arguments[i]);
                    break;
            }
        }

        arguments.AddRange(["--output", target, "--steps", Invariant($"{record.Steps}"), "--grad-cache-chunk", Invariant($"{record.GradCacheChunk}")]);
        if (record.ActivationCheckpointing)
        {
            arguments.Add("--activation-checkpointing");
        }

        int code = CommandLine.RunAsync(["train", .. arguments], terminal, cancellationToken).GetAwaiter().GetResult();
        return code == ExitCode.Ok ? Compare(terminal, directory, target, record) : code;
    }

    private static int Compare(Terminal terminal, string before, string after, RunRecord record)
    {
        IReadOnlyList<TrainingStep> old = TrainingHistory.Read(before);
        IReadOnlyList<TrainingStep> again = TrainingHistory.Read(after);
        RunRecord now = RunRecord.Load(after);
        int differing = Enumerable.Range(0, Math.Min(old.Count, again.Count)).FirstOrDefault(i => old[i] != again[i], -1);
        if (differing < 0 && old.Count == again.Count)
        {
            terminal.Out.WriteLine($"reproduced: {old.Count} steps with equal losses{(now.Weights == record.Weights ? ", and the same weights" : "")}");
            return ExitCode.Ok;
        }

        string machine = now.Machine == record.Machine ? "" : $"; then {record.Machine}, now {now.Machine}";
        terminal.Error.WriteLine(differing < 0
            ? $"tern: {after}: {again.Count} steps, {old.Count} in the recorded run"
            : Invariant($"tern: {after}: differs from step {differing + 1} on: loss {again[differing].Loss:R}, recorded {old[differing].Loss:R}{machine}"));
        return ExitCode.BadInput;
    }
}
