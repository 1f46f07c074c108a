using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Tern.Benchmarks;

/// <summary>What stands above every table: processor, cores, system, versions, commit.</summary>
internal static class Machine
{
    public static string Description => $"Machine: {Processor}, {Environment.ProcessorCount} cores; {RuntimeInformation.OSDescription}, .NET {Environment.Version}; commit {Commit}; {DateTime.UtcNow:yyyy-MM-dd}; load when begun {Load}.";

    private static string Processor
    {
        get
        {
            const string File = "/proc/cpuinfo";
            if (!System.IO.File.Exists(File))
            {
                return RuntimeInformation.ProcessArchitecture.ToString();
            }

            string[] lines = System.IO.File.ReadAllLines(File);
            string Field(string name) => lines.FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal))?.Split(':')[^1].Trim() ?? "?";
            string[] flags = Field("flags").Split(' ');
            string[] shown = ["avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_tile"];
            return $"{Field("model name")} (family {Field("cpu family")}, model {Field("model\t")}; {string.Join(" ", shown.Where(flags.Contains))})";
        }
    }

    private static string Commit
    {
        get
        {
            try
            {
                using Process git = Process.Start(new ProcessStartInfo("git", "describe --always --dirty") { RedirectStandardOutput = true, RedirectStandardError = true })!;
                string name = git.StandardOutput.ReadToEnd().Trim();
                git.WaitForExit();
                return name.Length > 0 ? name : "unknown";
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return "unknown";
            }
        }
    }

    private static string Load => File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Split(' ')[0] : "unknown";
}
