using System.Diagnostics;
using System.Runtime.CompilerServices;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>
/// Named ranges around operations: in NVTX for Nsight when TERN_NVTX=1, as activities of the source "Tern.Cuda" when
/// something listens. Both are off by default and then cost one comparison. An activity lasts as long as the launch, not
/// as long as the device works.
/// </summary>
internal readonly struct CudaRange : IDisposable
{
    public const string SourceName = "Tern.Cuda";
    private static readonly ActivitySource Source = new(SourceName);
    private static readonly bool Nvtx = Environment.GetEnvironmentVariable("TERN_NVTX") == "1" && NativeLibraries.Find(NativeLibraries.Ranges) != 0;

    private readonly Activity? _activity;
    private readonly bool _pushed;

    private CudaRange(Activity? activity, bool pushed)
    {
        _activity = activity;
        _pushed = pushed;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static CudaRange Start(string name) => Nvtx || Source.HasListeners() ? Open(name) : default;

    public void Dispose()
    {
        if (_pushed)
        {
            _ = RangeApi.nvtxRangePop();
        }

        _activity?.Dispose();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static CudaRange Open(string name)
    {
        if (Nvtx)
        {
            _ = RangeApi.nvtxRangePushA(name);
        }

        return new CudaRange(Source.StartActivity(name), Nvtx);
    }
}
