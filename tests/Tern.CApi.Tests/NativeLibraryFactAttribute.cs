using System.Diagnostics;
using System.Runtime.InteropServices;
using Tern.TestKit;
using Xunit;

namespace Tern.CApi.Tests;

/// <summary>A test that compiles the library and a C program; skipped, with the reason, where that cannot be done.</summary>
public sealed class NativeLibraryFactAttribute : FactAttribute
{
    private static readonly Lazy<string?> Missing = new(FindMissing);

    public NativeLibraryFactAttribute() => Skip = Missing.Value;

    private static string? FindMissing()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return $"runs on Linux x64, this is {RuntimeInformation.RuntimeIdentifier}";
        }

        foreach (string program in new[] { "bash", "cc", "dotnet" })
        {
            if (!Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, program))))
            {
                return $"needs {program} on the PATH";
            }
        }

        ProgramResult restore = ProgramResult.Of("dotnet", ["restore", "src/Tern.CApi", "-p:TernNativeLibrary=true", "--verbosity", "quiet"], TimeSpan.FromMinutes(2));
        return restore.ExitCode == 0 ? null : $"the native compiler's packages cannot be restored: {restore.Output.Split('\n')[0].Trim()}";
    }
}

/// <summary>What a program said, both streams, and how it ended. It runs in the repository's root.</summary>
internal sealed record ProgramResult(int ExitCode, string Output)
{
    public static ProgramResult Of(string program, IEnumerable<string> arguments, TimeSpan limit)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = Repository.Root, RedirectStandardOutput = true, RedirectStandardError = true };

        // A build inside a test leaves nothing running behind, and is not told of the one that started the test.
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1";
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        foreach (string name in start.Environment.Keys.Where(k => k.StartsWith("MSBUILD", StringComparison.OrdinalIgnoreCase) && k != "MSBUILDDISABLENODEREUSE").ToArray())
        {
            start.Environment.Remove(name);
        }

        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(limit))
        {
            process.Kill(entireProcessTree: true);
            return new ProgramResult(-1, $"{program} did not end in {limit.TotalSeconds} s");
        }

        return new ProgramResult(process.ExitCode, output.Result + error.Result);
    }
}
