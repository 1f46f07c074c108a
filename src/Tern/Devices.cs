using System.Diagnostics.CodeAnalysis;
using Tern.Compute;
using Tern.Cuda;

namespace Tern;

/// <summary>The devices that a model can run on: the CPU and the GPUs of this machine.</summary>
public static class Devices
{
    static Devices() => Backends.Add(CudaDevices.Source);

    /// <summary>
    /// The device of that name: cpu, cuda:0 and so on, cuda for the first GPU, auto for the first GPU where there is one. False
    /// when there is none; <paramref name="whyNot"/> then says in one line why, and what to do. Drivers are loaded only when a
    /// name other than cpu is asked for.
    /// </summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out BackendFactory? device, [NotNullWhen(false)] out string? whyNot) =>
        Backends.TryFind(name, out device, out whyNot);
}
