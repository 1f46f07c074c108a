using System.Runtime.Intrinsics;

namespace Host;

internal static class Machine
{
    /// <summary>Processor, count, and the widest vectors.</summary>
    public static string Describe()
    {
        string name = "unknown processor";
        if (File.Exists("/proc/cpuinfo"))
        {
            name = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? name;
        }

        return $"{name}, {Environment.ProcessorCount} processors, {(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256 : 128)}-bit vectors";
    }
}
