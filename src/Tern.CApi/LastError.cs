using System.Runtime.InteropServices;

namespace Tern.CApi;

/// <summary>The message of a thread's last failing call, in native memory that goes with the thread.</summary>
internal sealed unsafe class LastError
{
    [ThreadStatic]
    private static LastError? _ofThread;

    // What tern_last_error gives before anything failed.
    private static readonly byte* Empty = (byte*)NativeMemory.AllocZeroed(1);

    private byte* _message;

    private LastError()
    {
    }

    ~LastError() => NativeMemory.Free(_message);

    public static byte* Message => _ofThread is { } error && error._message != null ? error._message : Empty;

    public static void Set(string message)
    {
        LastError error = _ofThread ??= new LastError();
        NativeMemory.Free(error._message);
        error._message = NativeBlock.CopyText(message);
    }
}
