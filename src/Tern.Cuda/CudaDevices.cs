using Tern.Compute;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>The GPUs of this machine as backends: <c>cuda:0</c> and so on.</summary>
public static class CudaDevices
{
    /// <summary>For <see cref="Backends.Add"/>.</summary>
    public static BackendSource Source { get; } = new("cuda", Find);

    private static (IReadOnlyList<BackendFactory> Found, string? WhyNone) Find()
    {
        if (CudaDevice.WhyNone is { } absent)
        {
            return ([], absent);
        }

        if (CudaBlas.WhyNot is { } noProducts)
        {
            return ([], noProducts);
        }

        try
        {
            // A device that the kernels of this build do not run on is not offered.
            _ = KernelImages.For(CudaDevice.All[0]);
        }
        catch (NotSupportedException e)
        {
            return ([], e.Message);
        }

        return ([.. CudaDevice.All.Select(device => new BackendFactory(FormattableString.Invariant($"cuda:{device.Ordinal}"), (_, precision) => new CudaBackend(device, precision), CudaBackend.WhyNot))], null);
    }
}
