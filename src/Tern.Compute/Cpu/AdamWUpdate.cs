using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Adam with decoupled weight decay: m = β₁ m + (1 − β₁) g, v = β₂ v + (1 − β₂) g²,
/// p = p · (1 − η · decay) − η / (1 − β₁ᵗ) · m / (√v / √(1 − β₂ᵗ) + ε). The gradient leaves as zeros: one pass does all.
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
        AdamWCoefficients coefficients = new()
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
            static (task, s) => SimdPaths.Current.Elements.AdamW(
                s.coefficients,
                s.chunks.Start(s.gradient, task),
                s.chunks.Start(s.firstMoment, task),
                s.chunks.Start(s.secondMoment, task),
                s.chunks.Start(s.parameter, task),
                s.chunks.Length(task)));
    }

    /// <summary>As the other overload, for <paramref name="count"/> elements on one vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<TVector>(in AdamWCoefficients c, float* gradient, float* first, float* second, float* parameter, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector gradientScale = TVector.Broadcast(c.GradientScale);
        TVector beta1 = TVector.Broadcast(c.Beta1), share1 = TVector.Broadcast(1 - c.Beta1);
        TVector beta2 = TVector.Broadcast(c.Beta2), share2 = TVector.Broadcast(1 - c.Beta2);
        TVector decay = TVector.Broadcast(c.Decay), epsilon = TVector.Broadcast(c.Epsilon);
        TVector negativeStep = TVector.Broadcast(-c.StepSize), correction = TVector.Broadcast(c.InverseRootCorrection);
        for (int i = 0; i < count; i += TVector.Count)
        {
            int left = count - i;
            TVector g = TVector.Multiply(VectorMath.Load<TVector>(gradient + i, left), gradientScale);
            TVector m = VectorMath.MultiplyAdd(beta1, VectorMath.Load<TVector>(first + i, left), TVector.Multiply(share1, g));
            TVector v = VectorMath.MultiplyAdd(beta2, VectorMath.Load<TVector>(second + i, left), TVector.Multiply(TVector.Multiply(share2, g), g));
            TVector denominator = VectorMath.MultiplyAdd(TVector.SquareRoot(v), correction, epsilon);
            TVector p = VectorMath.MultiplyAdd(negativeStep, TVector.Divide(m, denominator), TVector.Multiply(VectorMath.Load<TVector>(parameter + i, left), decay));
            VectorMath.Store(m, first + i, left);
            VectorMath.Store(v, second + i, left);
            VectorMath.Store(p, parameter + i, left);
            VectorMath.Store(default(TVector), gradient + i, left);
        }
    }
}

/// <summary>What of AdamW's formula is the same for all elements of a step.</summary>
internal struct AdamWCoefficients
{
    public float GradientScale;
    public float Beta1;
    public float Beta2;
    public float Decay;
    public float StepSize;
    public float InverseRootCorrection;
    public float Epsilon;
}
