namespace Tern.Cli.Tests;

/// <summary>Runs the program in this process with its output captured.</summary>
internal static class Cli
{
    public static CliResult Run(params string[] args) => Run(new StringWriter(), default, args);

    public static CliResult Run(TextWriter output, CancellationToken cancellationToken, params string[] args)
    {
        using var error = new StringWriter();
        var terminal = new Terminal(output, error, outIsTerminal: false, errorIsTerminal: false, color: false);
        int code = CommandLine.RunAsync(args, terminal, cancellationToken).GetAwaiter().GetResult();
        return new CliResult(code, output.ToString()!, error.ToString());
    }
}

internal sealed record CliResult(int ExitCode, string Output, string Error)
{
    public IReadOnlyList<string> Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public IReadOnlyList<string> ErrorLines => Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
