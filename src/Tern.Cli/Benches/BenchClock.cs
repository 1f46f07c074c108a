using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Tern.Cli.Benches;

/// <summary>Clocks of nanoseconds: the wall's, and the processor time of the calling thread, which others' work does not lengthen.</summary>
internal static partial class BenchClock
{
    private const int ThreadProcessorTime = 3;

    public static Func<long> Named(string name) => name == "wall"
        ? static () => (long)(Stopwatch.GetTimestamp() * (1e9 / Stopwatch.Frequency))
        : OperatingSystem.IsLinux() ? static () => GetTime(ThreadProcessorTime, out Timespan time) == 0 ? (time.Seconds * 1_000_000_000) + time.Nanoseconds : throw new InvalidOperationException("the thread's processor time cannot be read") : throw new UsageException("--clock cpu needs Linux; --clock wall works everywhere");

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Timespan time);

    [StructLayout(LayoutKind.Sequential)]
    private struct Timespan
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
