using System.Runtime.CompilerServices;
using Tern.TestKit;

/// <summary>Compiled into the test projects that run on every backend, so that the emulated device is one of them.</summary>
internal static class UseEmulatedDevice
{
    [ModuleInitializer]
    internal static void Register() => EmulatedDevice.Register();
}
