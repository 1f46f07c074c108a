using Tern.Compute;

namespace Tern.Cuda.Kernels;

/// <summary>The names of one kernel's variants by element type, made once: a launch makes no strings.</summary>
internal sealed class KernelFamily(string name)
{
    private readonly string _float32 = name + "_f32";
    private readonly string _bfloat16 = name + "_bf16";
    private readonly string _float32ToBFloat16 = name + "_f32_bf16";
    private readonly string _bfloat16ToFloat32 = name + "_bf16_f32";

    public string For(Tensor tensor) => tensor.DType == DType.BFloat16 ? _bfloat16 : _float32;

    /// <summary>By the types of what is read and what is written: one suffix where they agree.</summary>
    public string For(Tensor source, Tensor destination) => source.DType == destination.DType
        ? For(source)
        : source.DType == DType.BFloat16 ? _bfloat16ToFloat32 : _float32ToBFloat16;
}
