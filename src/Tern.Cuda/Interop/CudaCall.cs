using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tern.Cuda.Interop;

/// <summary>Turns results that are not success into exceptions that quote the call.</summary>
internal static unsafe class CudaCall
{
    public const int OutOfMemory = 2, NotFound = 500;

    /// <summary>Names the device of the current thread's context in messages.</summary>
    [ThreadStatic]
    private static string? _device;

    public static void SetDevice(string device) => _device = device;

    /// <summary>For driver calls: <c>CudaCall.Check(cuInit(0))</c>.</summary>
    public static void Check(int result, [CallerArgumentExpression(nameof(result))] string call = "")
    {
        if (result != 0)
        {
            Throw(result, call);
        }
    }

    /// <summary>For cuBLAS calls.</summary>
    public static void CheckBlas(int status, [CallerArgumentExpression(nameof(status))] string call = "")
    {
        if (status != 0)
        {
            byte* text = BlasApi.cublasGetStatusString(status);
            throw new CudaException(Describe(call, text == null ? "unknown status" : Marshal.PtrToStringUTF8((nint)text)!, status, ""), status);
        }
    }

    /// <summary>As <see cref="Check"/>, with what was attempted in words: sizes, names.</summary>
    [DoesNotReturn]
    public static void Throw(int result, string call, string detail = "")
    {
        string name = DriverApi.cuGetErrorName(result, out byte* text) == 0 ? Marshal.PtrToStringUTF8((nint)text)! : "unknown error";
        string explanation = DriverApi.cuGetErrorString(result, out text) == 0 ? Marshal.PtrToStringUTF8((nint)text)! : "";
        throw new CudaException(Describe(call, name, result, string.Join("; ", new[] { explanation, detail }.Where(s => s.Length > 0))), result);
    }

    private static string Describe(string call, string name, int code, string detail) =>
        $"{Shorten(call)}: {name} ({code}) on {_device ?? "no device"}{(detail.Length > 0 ? ": " + detail : "")}";

    /// <summary>The call without the class that it is in and its line breaks.</summary>
    private static string Shorten(string call)
    {
        string text = string.Join(' ', call.Split((char[])['\r', '\n', ' '], StringSplitOptions.RemoveEmptyEntries));
        return text.Replace("DriverApi.", "", StringComparison.Ordinal).Replace("BlasApi.", "", StringComparison.Ordinal);
    }
}
