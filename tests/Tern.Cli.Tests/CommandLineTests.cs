using System.CommandLine;
using Xunit;

namespace Tern.Cli.Tests;

public class CommandLineTests
{
    [Theory]
    [InlineData("paint --coulor red", "tern: unknown flag --coulor; did you mean --color? (tern paint --help lists all)")]
    [InlineData("paint --zzzzzzzzzz red", "tern: unknown flag --zzzzzzzzzz (tern paint --help lists all)")]
    [InlineData("paint wall --coulor=red", "tern: unknown flag --coulor; did you mean --color? (tern paint --help lists all)")]
    [InlineData("pant wall", "tern: no verb 'pant'; did you mean 'paint'? (tern --help lists all)")]
    [InlineData("paint wall --coats 0", "tern: --coats: 0 is too small; the least is 1 (tern paint --help)")]
    [InlineData("paint wall --coats two", "tern: --coats: 'two' is not a whole number (tern paint --help)")]
    [InlineData("paint wall --finish shiny", "tern: --finish: 'shiny' is none of matt, gloss (tern paint --help)")]
    [InlineData("paint wall --spray", "tern: --spray: use a brush")]
    [InlineData("paint wall floor ceiling door", "tern: unexpected argument 'door' (tern paint --help)")]
    [InlineData("shop", "tern: tern shop needs one of: buy (tern shop --help)")]
    public void UsageErrorsAreOneLineAndExitTwo(string line, string expected)
    {
        CliResult result = Run(line.Split(' '));
        Assert.Equal(expected, Assert.Single(result.ErrorLines));
        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Empty(result.Output);
    }

    [Theory]
    [InlineData("paint wall --top_coat_color red", "red")]
    [InlineData("paint wall --top_coat_color=red", "red")]
    [InlineData("paint wall --top-coat-color red", "red")]
    [InlineData("paint wall --finish_colour red", "red")]
    [InlineData("paint wall -c red", "red")]
    public void SnakeCaseAndForeignFlagsAreUnderstood(string line, string expected)
    {
        CliResult result = Run(line.Split(' '));
        Assert.Equal("", result.Error);
        Assert.Equal(expected, result.Output.Trim());
    }

    [Fact]
    public void WordsBehindTwoDashesAreNotFlags()
    {
        CliResult result = Run("paint", "--color", "red", "--", "--wall_paper");
        Assert.Equal("", result.Error);
        Assert.Equal("red --wall_paper", result.Output.Trim());
    }

    [Theory]
    [InlineData("data", ExitCode.BadInput, "tern: a.tsv:3: one field")]
    [InlineData("folder", ExitCode.BadInput, "tern: no folder x")]
    [InlineData("file", ExitCode.BadInput, "tern: no file x")]
    [InlineData("argument", ExitCode.Usage, "tern: k is 0, must be at least 1")]
    [InlineData("disk", ExitCode.Failure, "tern: disk full second line")]
    public void ExceptionsOfTheLibraryAreOneLine(string kind, int code, string expected)
    {
        CliResult result = Run("paint", "wall", "--fail", kind);
        Assert.Equal(expected, Assert.Single(result.ErrorLines));
        Assert.Equal(code, result.ExitCode);
    }

    [Fact]
    public void CancellationExitsWith130()
    {
        Assert.Equal(ExitCode.Interrupted, Run("paint", "wall", "--fail", "cancel").ExitCode);
    }

    [Fact]
    public void HelpEndsWithTheExamples()
    {
        CliResult result = Run("paint", "--help");
        Assert.Equal(ExitCode.Ok, result.ExitCode);
        Assert.Contains("Examples:\n  tern paint wall --color red\n", result.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains("--top-coat-color", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("--finish-colour", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void HelpIsShownWithoutArguments()
    {
        CliResult result = Run();
        Assert.Equal(ExitCode.Usage, result.ExitCode);
        Assert.Contains("paint", result.Output, StringComparison.Ordinal);
    }

    private static CliResult Run(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(output, error, false, false, false);
        int code = CommandLine.RunAsync(args, CreateRoot(terminal), terminal, default).GetAwaiter().GetResult();
        return new CliResult(code, output.ToString(), error.ToString());
    }

    private static RootCommand CreateRoot(Terminal terminal)
    {
        var color = new Option<string?>("--color", "-c");
        Option<string?> top = Flags.Text("--top-coat-color", "Color of the last coat.", "color");
        Option<string?> fail = Flags.Text("--fail", "Fail in this way.", "how");
        var surfaces = new Argument<string[]>("surfaces") { Arity = new ArgumentArity(0, 3) };
        var paint = new Verb("paint", "Paints.")
        {
            Examples = ["tern paint wall --color red"],
            ForeignFlags = new Dictionary<string, string> { ["--finish-colour"] = "--top-coat-color" },
            RefusedFlags = new Dictionary<string, string> { ["--spray"] = "use a brush" },
        };
        paint.Add(color);
        paint.Add(top);
        paint.Add(fail);
        paint.Add(Flags.Count("--coats", "Coats.", 2));
        paint.Add(Flags.Choice("--finish", "Finish.", "matt", "matt", "gloss"));
        paint.Add(surfaces);
        paint.SetAction((parsed, _) =>
        {
            switch (parsed.GetValue(fail))
            {
                case "data": throw new InvalidDataException("a.tsv:3: one field");
                case "folder": throw new DirectoryNotFoundException("no folder x");
                case "file": throw new FileNotFoundException("no file x");
                case "argument": throw new ArgumentException("k is 0, must be at least 1", nameof(terminal));
                case "disk": throw new IOException("disk full\nsecond line");
                case "cancel": throw new OperationCanceledException();
                default:
                    terminal.Out.WriteLine($"{parsed.GetValue(color) ?? parsed.GetValue(top)} {string.Join(' ', parsed.GetValue(surfaces)!.Where(s => s != "wall"))}");
                    return Task.FromResult(ExitCode.Ok);
            }
        });
        var shop = new Verb("shop", "Shops.") { new Command("buy", "Buys.") };
        return CommandLine.CreateRoot("A test program.", [paint, shop]);
    }
}
