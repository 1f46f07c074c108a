using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Tern.Benchmarks;

/// <summary>The calling thread's processor time where the system offers it (other programs on the machine hardly disturb it), else wall time.</summary>
internal static partial class ThreadClock
{
    private const int ThreadCpuTime = 3;

    public static double Seconds
    {
        get
        {
            if (OperatingSystem.IsLinux() && GetTime(ThreadCpuTime, out Timespec time) == 0)
            {
                return time.Seconds + (time.Nanoseconds * 1e-9);
            }

            return (double)Stopwatch.GetTimestamp() / Stopwatch.Frequency;
        }
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out Timespec time);

    private struct Timespec
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
