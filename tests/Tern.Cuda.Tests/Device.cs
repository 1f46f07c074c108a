using Tern.TestKit;

namespace Tern.Cuda.Tests;

/// <summary>A context and a stream on the emulated device.</summary>
internal sealed class Device : IDisposable
{
    public Device()
    {
        EmulatedDevice.SetSeed(0);
        Context = new CudaContext(CudaDevice.All[0]);
        Stream = new CudaStream(Context);
    }

    public CudaContext Context { get; }

    public CudaStream Stream { get; }

    public void Dispose()
    {
        Stream.Dispose();
        Context.Dispose();
    }
}
