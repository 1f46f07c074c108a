using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Adam with decoupled weight decay: m = β₁ m + (1 − β₁) g, v = β₂ v + (1 − β₂) g²,
/// p = p · (1 − η · decay) − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε).
/// </summary>
internal static unsafe class AdamWUpdate
{
    public static void Apply(WorkerPool pool, Tensor gradient, float gradientScale, in AdamWSettings settings, float learningRate, int step, Tensor firstMoment, Tensor secondMoment, Tensor parameter)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        Operand.Check(parameter);
        Operand.Check(gradient, parameter.Rows, parameter.Columns);
        Operand.Check(firstMoment, parameter.Rows, parameter.Columns);
        Operand.Check(secondMoment, parameter.Rows, parameter.Columns);
        Coefficients coefficients = new()
        {
            GradientScale = gradientScale,
            Beta1 = settings.Beta1,
            Beta2 = settings.Beta2,
            Decay = (float)(1 - ((double)learningRate * settings.WeightDecay)),
            StepSize = (float)(learningRate / (1 - Math.Pow(settings.Beta1, step))),
            InverseRootCorrection = (float)(1 / Math.Sqrt(1 - Math.Pow(settings.Beta2, step))),
            Epsilon = settings.Epsilon,
        };
        ElementChunks chunks = new(parameter, parameter.IsContiguous && gradient.IsContiguous && firstMoment.IsContiguous && secondMoment.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, coefficients, gradient, firstMoment, secondMoment, parameter),
            static (task, s) => UpdateChunk(
                s.coefficients,
                s.chunks.Start(s.gradient, task),
                s.chunks.Start(s.firstMoment, task),
                s.chunks.Start(s.secondMoment, task),
                s.chunks.Start(s.parameter, task),
                s.chunks.Length(task)));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateChunk(in Coefficients c, float* gradient, float* first, float* second, float* parameter, int count)
    {
        Vector256<float> gradientScale = Vector256.Create(c.GradientScale);
        Vector256<float> beta1 = Vector256.Create(c.Beta1), share1 = Vector256.Create(1 - c.Beta1);
        Vector256<float> beta2 = Vector256.Create(c.Beta2), share2 = Vector256.Create(1 - c.Beta2);
        Vector256<float> decay = Vector256.Create(c.Decay), epsilon = Vector256.Create(c.Epsilon);
        Vector256<float> negativeStep = Vector256.Create(-c.StepSize), correction = Vector256.Create(c.InverseRootCorrection);
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            int left = count - i;
            Vector256<float> g = VectorMath.Load(gradient + i, left) * gradientScale;
            Vector256<float> m = VectorMath.MultiplyAdd(beta1, VectorMath.Load(first + i, left), share1 * g);
            Vector256<float> v = VectorMath.MultiplyAdd(beta2, VectorMath.Load(second + i, left), share2 * g * g);
            Vector256<float> denominator = VectorMath.MultiplyAdd(Vector256.Sqrt(v), correction, epsilon);
            Vector256<float> p = VectorMath.MultiplyAdd(negativeStep, m / denominator, VectorMath.Load(parameter + i, left) * decay);
            VectorMath.Store(m, first + i, left);
            VectorMath.Store(v, second + i, left);
            VectorMath.Store(p, parameter + i, left);
        }
    }

    private struct Coefficients
    {
        public float GradientScale;
        public float Beta1;
        public float Beta2;
        public float Decay;
        public float StepSize;
        public float InverseRootCorrection;
        public float Epsilon;
    }
}
