using System.CommandLine;
using System.CommandLine.Help;
using Tern.Cli.Benches;
using Tern.Cli.Indexes;
using Tern.Training;

namespace Tern.Cli;

/// <summary>The <c>tern</c> program as a function: arguments in, exit code out, nothing global.</summary>
internal static class CommandLine
{
    /// <summary>The verbs in the order of the help text.</summary>
    private static readonly Func<Terminal, Command>[] Verbs =
    [
        DemoCommand.Create,
        StudyCommand.Create,
        DataCommand.Create,
        MntpCommand.Create,
        TrainCommand.Create,
        ReproduceCommand.Create,
        MineCommand.Create,
        TeachCommand.Create,
        RerankCommand.Create,
        EncodeCommand.Create,
        IndexCommand.Create,
        SearchCommand.Create,
        FuseCommand.Create,
        EvalCommand.Create,
        CompareCommand.Create,
        ExplainCommand.Create,
        ExportCommand.Create,
        ImportCommand.Create,
        ModelCommand.Create,
        DoctorCommand.Create,
        BenchCommand.Create,
    ];

    /// <summary>All verbs with their options, as the program and the tests of its documentation see them.</summary>
    public static RootCommand CreateRoot(Terminal terminal) =>
        CreateRoot("Trains, encodes, indexes, searches and evaluates learned sparse and dense retrievers.", Verbs.Select(create => create(terminal)));

    /// <summary>Runs one command line. Exceptions that a user can do something about become one line on standard error.</summary>
    public static Task<int> RunAsync(IReadOnlyList<string> args, Terminal terminal, CancellationToken cancellationToken = default) =>
        RunAsync(args, CreateRoot(terminal), terminal, cancellationToken);

    internal static RootCommand CreateRoot(string description, IEnumerable<Command> verbs)
    {
        var root = new RootCommand(description);
        foreach (Command verb in verbs)
        {
            root.Add(verb);
        }

        foreach (HelpOption help in root.Options.OfType<HelpOption>())
        {
            help.Action = new HelpWithExamples((HelpAction)help.Action!);
        }

        return root;
    }

    internal static async Task<int> RunAsync(IReadOnlyList<string> args, RootCommand root, Terminal terminal, CancellationToken cancellationToken)
    {
        if (args.Count == 0)
        {
            root.Parse("--help").Invoke(new InvocationConfiguration { Output = terminal.Out });
            return ExitCode.Usage;
        }

        try
        {
            ParseResult result = root.Parse(FlagNames.Normalize(args, root));
            if (result.Errors.Count > 0 && result.Action is not HelpWithExamples)
            {
                throw new UsageException(ParseErrors.Describe(result));
            }

            var configuration = new InvocationConfiguration
            {
                Output = terminal.Out,
                Error = terminal.Error,
                EnableDefaultExceptionHandler = false,
                ProcessTerminationTimeout = null,
            };
            return await result.InvokeAsync(configuration, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
        catch (Exception e) when (Describe(e) is var (code, message))
        {
            terminal.Error.WriteLine($"tern: {message}");
            return code;
        }
    }

    private static (int Code, string Message)? Describe(Exception exception) => exception switch
    {
        UsageException => (ExitCode.Usage, OneLine(exception.Message)),
        ArgumentException e => (ExitCode.Usage, OneLine(WithoutParameterName(e))),
        InvalidDataException or FileNotFoundException or DirectoryNotFoundException => (ExitCode.BadInput, OneLine(exception.Message)),
        TrainingCollapsedException or IOException or UnauthorizedAccessException or NotSupportedException => (ExitCode.Failure, OneLine(exception.Message)),
        _ => null,
    };

    private static string OneLine(string message) => string.Join(' ', message.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

    // ArgumentException appends the C# parameter's name, which says nothing at a terminal.
    private static string WithoutParameterName(ArgumentException exception)
    {
        string suffix = $" (Parameter '{exception.ParamName}')";
        return exception.Message.Replace(suffix, "", StringComparison.Ordinal);
    }
}
