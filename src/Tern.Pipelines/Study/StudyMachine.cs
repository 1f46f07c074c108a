using System.Runtime.InteropServices;

namespace Tern.Pipelines.Study;

/// <summary>The machine in one line, for records.</summary>
internal static class StudyMachine
{
    public static string Describe(int threads)
    {
        string processor = RuntimeInformation.ProcessArchitecture.ToString();
        if (OperatingSystem.IsLinux() && File.Exists("/proc/cpuinfo"))
        {
            processor = File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':', 2)[1].Trim() ?? processor;
        }

        return FormattableString.Invariant($"{processor}, {(threads > 0 ? threads : Environment.ProcessorCount)} threads, .NET {Environment.Version}");
    }
}
