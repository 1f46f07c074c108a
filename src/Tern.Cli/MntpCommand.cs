using System.CommandLine;

namespace Tern.Cli;

/// <summary><c>tern mntp</c>: teaches a causal model to read both ways, by masked next-token prediction.</summary>
internal static class MntpCommand
{
    public static Command Create(Terminal terminal)
    {
        var flags = new MntpFlags();
        var command = new Verb("mntp", "Adapts a causal model to read both ways: masked next-token prediction on plain text.")
        {
            Examples =
            [
                "tern mntp --model meta-llama/Llama-3.2-1B --data collection.tsv --output models/mntp",
                "tern mntp --output models/mntp --resume",
                "tern mntp --model meta-llama/Llama-3.2-1B --data collection.tsv --output models/mntp --ranks 2",
            ],
            Notes = "Comes out an adapter in PEFT's layout that tern train --model goes on with; for a dense retriever of the paper's code rewrite it with tern model convert. Ctrl-C finishes the step and saves; --resume goes on with equal losses. Ranks as in tern train: threads with --ranks, processes under mpirun, torchrun or srun.",
            ForeignFlags = MntpFlags.ForeignFlags,
            RefusedFlags = MntpFlags.RefusedFlags,
        };
        flags.AddTo(command);
        command.SetAction((parsed, cancellationToken) => Task.FromResult(new MntpRun(terminal, command, flags).Execute(parsed, cancellationToken)));
        return command;
    }
}
