using System.Reflection;
using System.Text.RegularExpressions;
using Tern.TestKit;
using Xunit;

namespace Tern.Cli.Tests.House;

/// <summary>The projects reference each other as the README's table says, and in no other way.</summary>
public sealed partial class ArchitectureTests
{
    public static TheoryData<string> Projects => [.. Table().Keys];

    [Fact]
    public void TableListsEveryProject()
    {
        string[] folders = [.. Directory.GetDirectories(Repository.PathOf("src")).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal)];
        Assert.Equal(folders, Table().Keys.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void ProjectFileReferencesWhatTheTableSays(string project)
    {
        string text = File.ReadAllText(Repository.PathOf("src", project, project + ".csproj"));
        string[] references = [.. ProjectReference().Matches(text).Select(m => m.Groups[1].Value).Order(StringComparer.Ordinal)];
        Assert.Equal(Table()[project].Order(StringComparer.Ordinal), references);
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void AssemblyUsesOnlyWhatTheTableAllows(string project)
    {
        Dictionary<string, string[]> table = Table();
        HashSet<string> allowed = Closure(project, table);
        IEnumerable<string> used = Assembly.Load(project).GetReferencedAssemblies().Select(a => a.Name!).Where(table.ContainsKey);
        Assert.DoesNotContain(used, name => !allowed.Contains(name));
    }

    /// <summary>A package that lacks a package which it needs cannot be restored.</summary>
    [Fact]
    public void WhatAPackageReferencesIsAPackage()
    {
        Dictionary<string, string[]> table = Table();
        string[] packages = [.. table.Keys.Where(project => File.ReadAllText(Repository.PathOf("src", project, project + ".csproj")).Contains("<IsPackable>true", StringComparison.Ordinal))];
        Assert.Contains("Tern", packages);
        Assert.DoesNotContain("Tern.Cli", packages);
        Assert.Empty(packages.SelectMany(project => Closure(project, table)).Except(packages));
    }

    /// <summary>Project → direct references, from the README's table of projects.</summary>
    internal static Dictionary<string, string[]> Table()
    {
        var table = new Dictionary<string, string[]>();
        foreach (string line in File.ReadLines(Repository.PathOf("README.md")))
        {
            string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
            if (cells.Length == 5 && ProjectName().Match(cells[1]) is { Success: true } name)
            {
                table.Add(name.Groups[1].Value, [.. InCode().Matches(cells[3]).Select(m => m.Groups[1].Value)]);
            }
        }

        return table;
    }

    // A reference is also a licence to use what that project exposes in its own signatures.
    private static HashSet<string> Closure(string project, Dictionary<string, string[]> table)
    {
        var closure = new HashSet<string>();
        var open = new Stack<string>(table[project]);
        while (open.TryPop(out string? next))
        {
            if (closure.Add(next))
            {
                foreach (string reference in table[next])
                {
                    open.Push(reference);
                }
            }
        }

        return closure;
    }

    [GeneratedRegex(@"^`(Tern[.\w]*)`$")]
    private static partial Regex ProjectName();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex InCode();

    [GeneratedRegex(@"<ProjectReference Include=""\.\./([\w.]+)/")]
    private static partial Regex ProjectReference();
}
