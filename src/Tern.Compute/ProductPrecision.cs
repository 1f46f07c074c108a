using Tern.Compute.Cpu;

namespace Tern.Compute;

/// <summary>
/// How a backend multiplies matrices. Sums are Float32 (Int8: exact integers, then Float32) and begin and end in Float32;
/// everything but products is Float32 always. Each has one order of additions, whatever the batch and the threads.
/// </summary>
public enum ProductPrecision
{
    /// <summary>Both operands as they are.</summary>
    Float32,

    /// <summary>Both operands rounded to bfloat16 (8 significant bits); attention's own products, with queries times the scale and probabilities, as well.</summary>
    BFloat16,

    /// <summary>
    /// Products with prepared weights, so encoding only: weights in 8 bits with a scale for each output, activations in 8
    /// bits with a scale for each token. Other products are Float32.
    /// </summary>
    Int8,
}

/// <summary>The precisions that this machine has fast products for.</summary>
public static class ProductPrecisions
{
    /// <summary>Float32 and, with the native library and a processor with AVX512_BF16 or AVX512_VNNI, the others.</summary>
    public static IReadOnlyList<ProductPrecision> Available { get; } =
        [.. Enum.GetValues<ProductPrecision>().Where(p => WhyNot(p) is null)];

    /// <summary>Why a precision is not available, in words; null when it is.</summary>
    public static string? WhyNot(ProductPrecision precision) => precision switch
    {
        ProductPrecision.Float32 => null,
        _ when !NativeKernels.IsLoaded => "the native library tern_cpu is not there: './build.sh native' builds it",
        ProductPrecision.BFloat16 when !NativeKernels.HasBFloat16 => "this processor has no AVX512_BF16",
        ProductPrecision.Int8 when !NativeKernels.HasInt8 => "this processor has no AVX512_VNNI",
        _ => null,
    };

    /// <summary>The precision of a name: f32, bf16 or int8.</summary>
    public static bool TryParse(string name, out ProductPrecision precision)
    {
        foreach (ProductPrecision value in Enum.GetValues<ProductPrecision>())
        {
            if (value.ToName() == name)
            {
                precision = value;
                return true;
            }
        }

        precision = default;
        return false;
    }

    /// <summary>As <see cref="TryParse"/>, for a name that was checked.</summary>
    public static ProductPrecision Parse(string name) =>
        TryParse(name, out ProductPrecision precision) ? precision : throw new ArgumentException($"precision '{name}' is none of f32, bf16 and int8", nameof(name));

    /// <summary>The name in options and files: f32, bf16 or int8.</summary>
    public static string ToName(this ProductPrecision precision) => precision switch
    {
        ProductPrecision.BFloat16 => "bf16",
        ProductPrecision.Int8 => "int8",
        _ => "f32",
    };
}
