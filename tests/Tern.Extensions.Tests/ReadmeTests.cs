using System.Text.RegularExpressions;
using Tern.TestKit;
using Xunit;

namespace Tern.Extensions.Tests;

/// <summary>The C# of the README is <see cref="ReadmeSamples"/>, which compiles.</summary>
public sealed partial class ReadmeTests
{
    [Fact]
    public void EveryBlockOfCSharpIsCompiledCode()
    {
        string readme = File.ReadAllText(Repository.PathOf("README.md"));
        string samples = File.ReadAllText(Repository.PathOf("tests", "Tern.Extensions.Tests", "ReadmeSamples.cs"));
        string[] blocks = [.. Block().Matches(readme).Select(m => Lines(m.Groups[1].Value))];
        Assert.NotEmpty(blocks);
        Assert.Equal(Sample().Matches(samples).Select(m => Lines(m.Groups[1].Value)), blocks);
    }

    // Without the indentation of the method that the sample stands in.
    private static string Lines(string code)
    {
        string[] lines = code.Trim('\n').TrimEnd().Split('\n');
        int indent = lines[0].Length - lines[0].TrimStart().Length;
        return string.Join('\n', lines.Select(line => line.Length >= indent ? line[indent..].TrimEnd() : line.TrimEnd()));
    }

    [GeneratedRegex(@"```csharp\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"// README\n(.*?)// end", RegexOptions.Singleline)]
    private static partial Regex Sample();
}
