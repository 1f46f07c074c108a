using System.Globalization;
using System.Runtime.InteropServices;

namespace Tern.Text;

/// <summary>The reference packs of an installed .NET 10 SDK: folders of XML documentation with their versions.</summary>
internal sealed class SdkPacks
{
    private const string Framework = "net10.0";
    private static readonly string[] Names = ["Microsoft.NETCore.App.Ref", "Microsoft.AspNetCore.App.Ref"];

    private SdkPacks(IReadOnlyList<(string Name, string Version, string Directory)> packs) => Packs = packs;

    public IReadOnlyList<(string Name, string Version, string Directory)> Packs { get; }

    /// <summary>All documentation files, pack by pack, by name.</summary>
    public IEnumerable<string> DocumentationFiles() =>
        Packs.SelectMany(pack => Directory.GetFiles(pack.Directory, "*.xml").OrderBy(Path.GetFileName, StringComparer.Ordinal));

    /// <summary>
    /// Looks in the given root only, or in DOTNET_ROOT, where this program's runtime stands, and where "dotnet" on PATH leads.
    /// </summary>
    public static SdkPacks Find(string? dotnetRoot)
    {
        List<string> roots = [.. (dotnetRoot != null ? [dotnetRoot] : CandidateRoots()).Distinct(StringComparer.Ordinal)];
        foreach (string root in roots)
        {
            List<(string, string, string)> packs = [.. Names.Select(name => Newest(root, name)).OfType<(string, string, string)>()];
            if (packs.Count == Names.Length)
            {
                return new SdkPacks(packs);
            }
        }
        throw new DirectoryNotFoundException(
            $"no .NET 10 SDK with packs/{Names[0]} and packs/{Names[1]} (ref/{Framework}) in {(roots.Count == 0 ? "any usual place" : string.Join(", ", roots))}: "
            + "install the .NET 10 SDK or set DOTNET_ROOT to its folder");
    }

    private static IEnumerable<string> CandidateRoots()
    {
        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root)
        {
            yield return root;
        }
        // ROOT/shared/Microsoft.NETCore.App/VERSION/
        string runtime = Path.TrimEndingDirectorySeparator(RuntimeEnvironment.GetRuntimeDirectory());
        yield return Path.GetFullPath(Path.Combine(runtime, "..", "..", ".."));
        string name = OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet";
        foreach (string folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
        {
            var program = new FileInfo(Path.Combine(folder, name));
            if (program.Exists)
            {
                string target = program.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? program.FullName;
                yield return Path.GetDirectoryName(target)!;
            }
        }
    }

    private static (string Name, string Version, string Directory)? Newest(string root, string name)
    {
        string pack = Path.Combine(root, "packs", name);
        return !Directory.Exists(pack) ? null : Directory.GetDirectories(pack)
            .Select(folder => (Name: name, Version: Path.GetFileName(folder), Directory: Path.Combine(folder, "ref", Framework)))
            .Where(p => Directory.Exists(p.Directory) && Directory.EnumerateFiles(p.Directory, "*.xml").Any())
            .OrderByDescending(p => Order(p.Version))
            .Select(p => ((string, string, string)?)p)
            .FirstOrDefault();
    }

    // A preview (10.0.0-rc.1) comes before its release.
    private static (Version Number, bool IsRelease, string Text) Order(string version)
    {
        int dash = version.IndexOf('-', StringComparison.Ordinal);
        string number = dash < 0 ? version : version[..dash];
        return (Version.TryParse(number, out Version? parsed) ? parsed : new Version(0, 0), dash < 0, version.ToUpper(CultureInfo.InvariantCulture));
    }
}
