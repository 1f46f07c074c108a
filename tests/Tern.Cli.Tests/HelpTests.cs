using System.CommandLine;
using Xunit;

namespace Tern.Cli.Tests;

public class HelpTests
{
    private static readonly Terminal Silent = new(TextWriter.Null, TextWriter.Null, false, false, false);

    public static TheoryData<string> Leaves { get; } = [.. Commands(CommandLine.CreateRoot(Silent), "").Where(c => c.Command.Subcommands.Count == 0).Select(c => c.Path)];

    [Theory]
    [MemberData(nameof(Leaves))]
    public void EveryVerbHasExamplesThatParse(string path)
    {
        RootCommand root = CommandLine.CreateRoot(Silent);
        Command command = Commands(root, "").Single(c => c.Path == path).Command;
        Assert.False(string.IsNullOrWhiteSpace(command.Description));
        var verb = Assert.IsType<Verb>(command);
        Assert.NotEmpty(verb.Examples);
        Assert.All(verb.Examples, example =>
        {
            string[] words = [.. System.CommandLine.Parsing.CommandLineParser.SplitCommandLine(example).TakeWhile(word => word is not (">" or "|"))];
            Assert.Equal("tern", words[0]);
            string[] args = FlagNames.Normalize(words[1..], root);
            ParseResult result = root.Parse(args);
            Assert.Empty(result.Errors);
            Assert.Equal(path.Split(' ')[^1], result.CommandResult.Command.Name);
        });
        Assert.All(command.Options, option => Assert.False(string.IsNullOrWhiteSpace(option.Description), $"{path} {option.Name} has no description"));
        Assert.All(command.Arguments, argument => Assert.False(string.IsNullOrWhiteSpace(argument.Description), $"{path} {argument.Name} has no description"));
        Assert.Equal(command.Options.Select(o => o.Name).Distinct(StringComparer.Ordinal), command.Options.Select(o => o.Name));
        CliResult help = Cli.Run([.. path.Split(' '), "--help"]);
        Assert.Equal(ExitCode.Ok, help.ExitCode);
        Assert.Contains($"Usage:\n  tern {path} ", help.Output.ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.Contains(verb.Examples[0], help.Output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Leaves))]
    public void ForeignFlagsStandForKnownOnes(string path)
    {
        Command command = Commands(CommandLine.CreateRoot(Silent), "").Single(c => c.Path == path).Command;
        var verb = Assert.IsType<Verb>(command);
        List<string> known = FlagNames.KnownFlags(command);
        Assert.All(verb.ForeignFlags, pair =>
        {
            Assert.Contains(pair.Value, known);
            Assert.DoesNotContain(pair.Key, known);
        });
        Assert.DoesNotContain(verb.RefusedFlags.Keys, known.Contains);
    }

    private static IEnumerable<(string Path, Command Command)> Commands(Command parent, string prefix) =>
        parent.Subcommands.SelectMany(c => Commands(c, $"{prefix}{c.Name} ").Prepend((prefix + c.Name, c)));
}
