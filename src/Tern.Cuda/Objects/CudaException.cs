namespace Tern.Cuda;

/// <summary>A call into the CUDA driver or cuBLAS failed; the message quotes the call, the error's name and the device.</summary>
public sealed class CudaException(string message, int code) : Exception(message)
{
    /// <summary>CUresult or cublasStatus_t.</summary>
    public int Code { get; } = code;
}
