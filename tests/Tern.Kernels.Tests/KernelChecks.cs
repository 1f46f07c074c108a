using Tern.Compute;
using Tern.TestKit;

namespace Tern.Kernels.Tests;

/// <summary>
/// One check a group of kernels: inputs, launches, comparison with a double-precision oracle, and that nothing outside the
/// outputs was written. The tests run each on several schedules, and on kernels with planted faults, which must fail it.
/// </summary>
internal static class KernelChecks
{
    public static IReadOnlyDictionary<string, Action<EmulatedKernels>> All { get; } = new Dictionary<string, Action<EmulatedKernels>>
    {
        ["add scaled"] = Checks.ElementsChecks.AddScaled,
        ["copy"] = Checks.ElementsChecks.Copy,
        ["RMS norm f32"] = kernels => Checks.RmsNormChecks.Check(kernels, DType.Float32),
        ["RMS norm bf16"] = kernels => Checks.RmsNormChecks.Check(kernels, DType.BFloat16),
        ["RMS norm bf16 beside a Float32 residual"] = kernels => Checks.RmsNormChecks.Check(kernels, DType.Float32, DType.BFloat16),
        ["RoPE f32"] = kernels => Checks.PositionChecks.Rope(kernels, DType.Float32),
        ["RoPE bf16"] = kernels => Checks.PositionChecks.Rope(kernels, DType.BFloat16),
        ["embedding"] = Checks.PositionChecks.Embedding,
        ["log1p relu"] = Checks.HeadChecks.Log1pRelu,
        ["normalized mean f32"] = kernels => Checks.HeadChecks.NormalizedMean(kernels, DType.Float32),
        ["normalized mean bf16"] = kernels => Checks.HeadChecks.NormalizedMean(kernels, DType.BFloat16),
        ["attention bf16"] = Checks.AttentionChecks.TensorCores,
        ["attention f32"] = Checks.AttentionChecks.Float32,
        ["LoRA f32"] = kernels => Checks.LoraChecks.Lora(kernels, DType.Float32),
        ["LoRA bf16"] = kernels => Checks.LoraChecks.Lora(kernels, DType.BFloat16),
        ["sparse head forward"] = Checks.SparseHeadChecks.SegmentMax,
        ["sparse head backward"] = Checks.SparseHeadChecks.Backward,
        ["sparse head forward, fused"] = Checks.FusedHeadChecks.Check,
        ["exclusive sums"] = Checks.SparseHeadChecks.ExclusiveSums,
        ["compaction"] = Checks.SparseHeadChecks.Compaction,
        ["cross-entropy"] = Checks.LoraChecks.CrossEntropy,
        ["dense top-k"] = Checks.SearchChecks.Dense,
        ["dense top-k, rescored"] = Checks.SearchChecks.DenseRescored,
        ["top-k overflow"] = Checks.SearchChecks.WhatDoesNotFitIsReported,
        ["sparse top-k"] = Checks.SearchChecks.Sparse,
        ["InfoNCE"] = Checks.LossChecks.InfoNce,
        ["KL divergence"] = Checks.LossChecks.KlDivergence,
        ["Margin-MSE"] = Checks.LossChecks.MarginMse,
        ["gather columns"] = Checks.LossChecks.GatherColumns,
        ["FLOPS"] = Checks.LossChecks.Flops,
        ["AdamW"] = Checks.OptimizerChecks.AdamW,
        ["sum of squares"] = Checks.OptimizerChecks.SumOfSquares,
        ["sum of squares of many"] = Checks.OptimizerChecks.SumsOfSquares,
        ["SwiGLU f32"] = kernels => Checks.SwiGluChecks.Check(kernels, DType.Float32),
        ["SwiGLU bf16"] = kernels => Checks.SwiGluChecks.Check(kernels, DType.BFloat16),
    };
}

/// <summary>Matrices of values and values of matrices.</summary>
internal static class KernelValues
{
    /// <summary>The last part of a kernel's name.</summary>
    public static string Suffix(this DType type) => type == DType.BFloat16 ? "bf16" : "f32";

    /// <summary>Normally distributed elements, rounded to the type.</summary>
    public static HostMatrix Normal(int seed, int rows, int columns, DType type = DType.Float32, int pitch = 0, double scale = 1) =>
        Of(TestValues.Normal(rows * columns, seed, scale), rows, columns, type, pitch);

    public static HostMatrix Of(float[] values, int rows, int columns, DType type = DType.Float32, int pitch = 0)
    {
        HostMatrix matrix = new(rows, columns, type, pitch);
        float[] rounded = type == DType.BFloat16 ? TestValues.RoundToBFloat16(values) : values;
        for (int i = 0; i < values.Length; i++)
        {
            matrix[i / columns, i % columns] = rounded[i];
        }

        return matrix;
    }

    public static HostMatrix Of(double[] values, int rows, int columns, DType type = DType.Float32, int pitch = 0) => Of(values.ToFloat(), rows, columns, type, pitch);

    public static float[] Floats(this HostMatrix matrix)
    {
        float[] values = new float[matrix.Tensor.Rows * matrix.Tensor.Columns];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = matrix[i / matrix.Tensor.Columns, i % matrix.Tensor.Columns];
        }

        return values;
    }

    public static double[] Doubles(this HostMatrix matrix) => matrix.Floats().ToDouble();

    public static double[] Plus(this double[] left, double[] right) => [.. left.Zip(right, (x, y) => x + y)];

    /// <summary>Compares with the oracle at the type's tolerance, and looks for writes outside the elements.</summary>
    public static void ShouldBe(this HostMatrix actual, string what, double[] expected, Tolerance tolerance)
    {
        tolerance.Check(what, actual.Floats(), expected, actual.Tensor.Columns);
        actual.AssertGapsUntouched();
    }

    /// <summary>Sums of that length in Float32, then one rounding to the type, of the whole where terms cancel.</summary>
    public static Tolerance Tolerance(this DType type, int length) =>
        type == DType.BFloat16 ? new Tolerance(TestKit.Tolerance.UnitRoundoff(type) * 1.01) : TestKit.Tolerance.For(type, length);
}
