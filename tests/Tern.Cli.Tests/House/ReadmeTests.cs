using System.CommandLine;
using System.Text.RegularExpressions;
using Tern.TestKit;
using Xunit;

namespace Tern.Cli.Tests.House;

/// <summary>The README, the build scripts and the program's help tell one story.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Repository.PathOf("README.md"));
    private static readonly RootCommand Root = CommandLine.CreateRoot(Terminal.OfProcess());

    [Fact]
    public void FirstLinesAreTheTwoCommands()
    {
        string block = CodeBlocks().First();
        string[] lines = block.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.StartsWith("./build.sh demo", lines[0], StringComparison.Ordinal);
        Assert.StartsWith("./build.sh test", lines[1], StringComparison.Ordinal);
        Assert.True(Readme.IndexOf(block, StringComparison.Ordinal) < 40, "the two commands stand at the top");
    }

    [Fact]
    public void EveryBuildVerbExistsInBothScripts()
    {
        string bash = File.ReadAllText(Repository.PathOf("build.sh"));
        string powerShell = File.ReadAllText(Repository.PathOf("build.ps1"));
        string[] verbs = [.. BuildVerb().Matches(Readme).Select(m => m.Groups[1].Value).Distinct()];
        Assert.Contains("test", verbs);
        foreach (string verb in verbs)
        {
            Assert.True(Regex.IsMatch(bash, $@"^{verb}\)", RegexOptions.Multiline), $"build.sh has no verb '{verb}'");
            Assert.Contains($"'{verb}' {{", powerShell, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void EveryPathExists()
    {
        string[] paths = [.. InlineCode().Matches(Readme).Select(m => m.Groups[1].Value).Where(LooksLikePath)];
        Assert.NotEmpty(paths);
        foreach (string path in paths)
        {
            string full = Repository.PathOf(path);
            Assert.True(File.Exists(full) || Directory.Exists(full), $"README names {path}, which does not exist");
        }
    }

    [Fact]
    public void EveryCommandLineParses()
    {
        int checkedLines = 0;
        foreach (string line in CodeBlocks().SelectMany(b => b.Split('\n')).Select(l => l.Split("  #")[0].Trim()))
        {
            Match match = CommandLineStart().Match(line);
            if (match.Success)
            {
                checkedLines++;
                Assert.Empty(Root.Parse(match.Groups[1].Value).Errors.Select(e => $"{line}: {e.Message}"));
            }
        }

        Assert.True(checkedLines > 0);
    }

    [Fact]
    public void TableOfVerbsIsTheProgramsList()
    {
        string[] table = [.. VerbRow().Matches(Readme).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal)];
        string[] program = [.. Root.Subcommands.Where(c => !c.Hidden).Select(c => c.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(program, table);
    }

    private static IEnumerable<string> CodeBlocks() => CodeBlock().Matches(Readme).Where(m => m.Groups[1].Success).Select(m => m.Groups[1].Value);

    // What a build makes is not in the repository; flags, verbs and file names of users' directories are no paths.
    private static bool LooksLikePath(string code) =>
        !code.Contains(' ') && !code.StartsWith("artifacts", StringComparison.Ordinal) && !code.StartsWith('.')
        && (code.Contains('/') || code.EndsWith(".sh", StringComparison.Ordinal) || code.EndsWith(".ps1", StringComparison.Ordinal)
            || code is "src" or "tests" or "native" or "bench");

    // Blocks of the shell; those in another language name it.
    [GeneratedRegex(@"(?:^|\n)```\n((?:(?!```).)*)\n```(?=\n)|(?:^|\n)```\w+\n.*?\n```(?=\n)", RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"(?<!`)`([^`\n]+)`(?!`)")]
    private static partial Regex InlineCode();

    [GeneratedRegex(@"\./build\.sh (\w+)")]
    private static partial Regex BuildVerb();

    [GeneratedRegex(@"^(?:artifacts/bin/)?tern (.*)$")]
    private static partial Regex CommandLineStart();

    [GeneratedRegex(@"^\| `tern (\w+)` \|", RegexOptions.Multiline)]
    private static partial Regex VerbRow();
}
