namespace Tern.Compute.Memory;

/// <summary>Counts bytes as they are taken and given back. Safe for concurrent use.</summary>
public sealed class MemoryMeter
{
    private long _current;
    private long _peak;

    /// <summary>Bytes in use.</summary>
    public long ByteCount => Interlocked.Read(ref _current);

    /// <summary>The most that were in use at once, since the start or <see cref="ResetPeak"/>.</summary>
    public long PeakByteCount => Interlocked.Read(ref _peak);

    /// <summary>Forgets the peak so far.</summary>
    public void ResetPeak() => Interlocked.Exchange(ref _peak, ByteCount);

    /// <summary>For backends: bytes taken, or given back where negative.</summary>
    public void Add(long byteCount)
    {
        long current = Interlocked.Add(ref _current, byteCount);
        long peak = PeakByteCount;
        while (current > peak)
        {
            long seen = Interlocked.CompareExchange(ref _peak, current, peak);
            if (seen == peak)
            {
                break;
            }

            peak = seen;
        }
    }
}

/// <summary>A backend over memory of its own, apart from the host's.</summary>
public interface IDeviceMemory
{
    /// <summary>Memory that nothing has taken yet, neither this process nor another.</summary>
    long FreeByteCount { get; }
}

/// <summary>A backend that counts the memory it hands out.</summary>
public interface IMeteredBackend
{
    /// <summary>Memory behind tensors.</summary>
    MemoryMeter TensorMemory { get; }

    /// <summary>Working memory of the operations themselves.</summary>
    MemoryMeter Workspace { get; }
}
