using Spectre.Console;

namespace Tern.Cli;

/// <summary>
/// Where a verb writes: results to <see cref="Out"/>, progress and errors to <see cref="Error"/>. Escape codes are only
/// written to a terminal, colours only where NO_COLOR is not set.
/// </summary>
internal sealed class Terminal
{
    private const int PipedWidth = 160;

    public Terminal(TextWriter output, TextWriter error, bool outIsTerminal, bool errorIsTerminal, bool color)
    {
        Out = output;
        Error = error;
        OutIsTerminal = outIsTerminal;
        ErrorIsTerminal = errorIsTerminal;
        OutConsole = CreateConsole(output, outIsTerminal, color);
        ErrorConsole = CreateConsole(error, errorIsTerminal, color);
    }

    public TextWriter Out { get; }

    public TextWriter Error { get; }

    public bool OutIsTerminal { get; }

    public bool ErrorIsTerminal { get; }

    /// <summary>Tables and marked-up text for standard output; plain when it is not a terminal.</summary>
    public IAnsiConsole OutConsole { get; }

    /// <summary>Live panels and progress on standard error; plain when it is not a terminal.</summary>
    public IAnsiConsole ErrorConsole { get; }

    /// <summary>The terminal of this process.</summary>
    public static Terminal OfProcess()
    {
        // Bars, ellipses and other people's texts need more than a code page.
        Console.OutputEncoding = new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        bool color = string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"));
        return new Terminal(Console.Out, Console.Error, !Console.IsOutputRedirected, !Console.IsErrorRedirected, color);
    }

    /// <summary>A progress line on standard error, if someone is looking at it.</summary>
    public void Progress(string line)
    {
        if (ErrorIsTerminal)
        {
            Error.WriteLine(line);
        }
    }

    private static IAnsiConsole CreateConsole(TextWriter writer, bool isTerminal, bool color)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = isTerminal && color ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = isTerminal ? InteractionSupport.Detect : InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        if (!isTerminal)
        {
            console.Profile.Width = PipedWidth;
        }

        return console;
    }
}
