using System.CommandLine;

namespace Tern.Cli;

/// <summary><c>tern train</c>: a sparse or a dense retriever from examples.</summary>
internal static class TrainCommand
{
    public static Command Create(Terminal terminal)
    {
        var flags = new TrainFlags();
        var command = new Verb("train", "Trains a sparse or a dense retriever.")
        {
            Examples =
            [
                "tern train --data sdkdocs --new --type sparse --minutes 5 --output models/sparse",
                "tern train --model meta-llama/Llama-3.2-1B --type dense --train train.jsonl --corpus collection.tsv --loss infonce+kl --steps 1000 --output models/dense",
                "tern train --model models/mntp --type sparse --data msmarco --lora-rank 16 --lora-dropout 0.1 --steps 1000 --output models/adapter",
                "tern train --output models/sparse --resume",
            ],
            Notes = "Ctrl-C finishes the step and saves; --resume goes on with equal losses. The names that the Hugging Face trainer and Tevatron have for these flags are understood, in snake or kebab case.",
            ForeignFlags = TrainFlags.ForeignFlags,
            RefusedFlags = TrainFlags.RefusedFlags,
        };
        flags.AddTo(command);
        command.SetAction((parsed, cancellationToken) => Task.FromResult(new TrainRun(terminal, command, flags).Execute(parsed, cancellationToken)));
        return command;
    }
}
