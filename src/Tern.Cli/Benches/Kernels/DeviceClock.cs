using System.Diagnostics;
using Tern.Compute;
using Tern.Cuda;

namespace Tern.Cli.Benches.Kernels;

/// <summary>Times one operation after another: with the device's events where it has them, else with the wall clock.</summary>
internal sealed class DeviceClock : IDisposable
{
    private readonly CudaBackend? _device;
    private readonly CudaEvent? _start;
    private readonly CudaEvent? _end;

    public DeviceClock(IBackend backend)
    {
        _device = backend as CudaBackend;
        if (_device is not null)
        {
            _start = _device.CreateEvent();
            _end = _device.CreateEvent();
        }
    }

    public double Milliseconds(Action run)
    {
        if (_device is null)
        {
            long started = Stopwatch.GetTimestamp();
            run();
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }

        _device.Record(_start!);
        run();
        _device.Record(_end!);
        _end!.Synchronize();
        return _end.Since(_start!).TotalMilliseconds;
    }

    public void Dispose()
    {
        _start?.Dispose();
        _end?.Dispose();
    }
}
