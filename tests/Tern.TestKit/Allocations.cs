namespace Tern.TestKit;

/// <summary>Counts managed bytes allocated on the calling thread.</summary>
public static class Allocations
{
    /// <summary>
    /// The fewest bytes of five runs, or 0 as soon as a run has none. The runtime itself allocates on a thread now and then, and a lease may find its buffer
    /// in another thread's hands once; what the code under test allocates, it allocates each time.
    /// </summary>
    public static long Fewest(Action action)
    {
        long fewest = long.MaxValue;
        for (int attempt = 0; attempt < 5 && fewest > 0; attempt++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            action();
            fewest = Math.Min(fewest, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return fewest;
    }
}
