namespace Tern.Compute.Cpu;

/// <summary>
/// The elementwise operations of one <see cref="SimdPath"/> on runs of elements: one virtual call for a run. Results are
/// the same bits on every path.
/// </summary>
internal abstract unsafe class ElementKernels
{
    public abstract void SwiGluForward(float* gate, float* up, float* destination, int count);

    public abstract void SwiGluBackward(float* dOutput, float* gate, float* up, float* dGate, float* dUp, int count);

    public abstract void Log1pReluForward(float* maxima, float* destination, int count);

    public abstract void Log1pReluBackward(float* dOutput, float* maxima, float* dMaxima, int count);

    public abstract void FlopsBackward(float* values, float* columnMeans, float scale, float* accumulateDValues, int count);

    public abstract void AdamW(in AdamWCoefficients coefficients, float* gradient, float* firstMoment, float* secondMoment, float* parameter, int count);

    /// <summary>Adds the scaled rows from <paramref name="start"/> to <paramref name="end"/>, in order.</summary>
    public abstract void AddScaledRows(in ScaledRows rows, int start, int end);
}

/// <inheritdoc/>
internal sealed unsafe class ElementKernels<TVector> : ElementKernels
    where TVector : unmanaged, IFloatVector<TVector>
{
    public override void SwiGluForward(float* gate, float* up, float* destination, int count) => SwiGlu.Forward<TVector>(gate, up, destination, count);

    public override void SwiGluBackward(float* dOutput, float* gate, float* up, float* dGate, float* dUp, int count) => SwiGlu.Backward<TVector>(dOutput, gate, up, dGate, dUp, count);

    public override void Log1pReluForward(float* maxima, float* destination, int count) => Log1pRelu.Forward<TVector>(maxima, destination, count);

    public override void Log1pReluBackward(float* dOutput, float* maxima, float* dMaxima, int count) => Log1pRelu.Backward<TVector>(dOutput, maxima, dMaxima, count);

    public override void FlopsBackward(float* values, float* columnMeans, float scale, float* accumulateDValues, int count) => Flops.Backward<TVector>(values, columnMeans, scale, accumulateDValues, count);

    public override void AdamW(in AdamWCoefficients coefficients, float* gradient, float* firstMoment, float* secondMoment, float* parameter, int count) =>
        AdamWUpdate.Apply<TVector>(coefficients, gradient, firstMoment, secondMoment, parameter, count);

    public override void AddScaledRows(in ScaledRows rows, int start, int end) => rows.Add<TVector>(start, end);
}
