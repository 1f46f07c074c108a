using System.Numerics;
using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The kernels of one <see cref="SimdPath"/>: one virtual call for a block of work, none inside it.</summary>
internal abstract unsafe class VectorKernels
{
    /// <summary>Products in Float32.</summary>
    public abstract ProductKernels Products { get; }

    /// <summary>Attention of one key/value head of one sequence.</summary>
    public abstract void AttentionForward(in AttentionPlan plan, int task, ScratchBuffer scratch);

    /// <summary>Gradients of attention of one key/value head of one sequence.</summary>
    public abstract void AttentionBackward(in AttentionPlan plan, int task, ScratchBuffer scratch);

    /// <summary>The number of elements that differ from zero, NaN included.</summary>
    public abstract int CountNonZeros(float* values, int count);

    /// <summary>Writes the indices of the elements that differ from zero, ascending.</summary>
    public abstract void FindNonZeros(float* values, int count, int* indices);
}

/// <inheritdoc/>
internal sealed unsafe class VectorKernels<TVector> : VectorKernels
    where TVector : unmanaged, IFloatVector<TVector>
{
    public override ProductKernels Products { get; } = new ProductKernels<Float32Kernel<TVector>, TVector>();

    public override void AttentionForward(in AttentionPlan plan, int task, ScratchBuffer scratch) => AttentionBlock.Forward<TVector>(plan, task, scratch);

    public override void AttentionBackward(in AttentionPlan plan, int task, ScratchBuffer scratch) => AttentionBlock.Backward<TVector>(plan, task, scratch);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override int CountNonZeros(float* values, int count)
    {
        int found = 0;
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
        {
            found += BitOperations.PopCount(TVector.NonZeroBits(TVector.Load(values + i)));
        }

        for (; i < count; i++)
        {
            found += values[i] != 0 ? 1 : 0;
        }

        return found;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public override void FindNonZeros(float* values, int count, int* indices)
    {
        int i = 0;
        for (; i + TVector.Count <= count; i += TVector.Count)
        {
            for (uint bits = TVector.NonZeroBits(TVector.Load(values + i)); bits != 0; bits &= bits - 1)
            {
                *indices++ = i + BitOperations.TrailingZeroCount(bits);
            }
        }

        for (; i < count; i++)
        {
            if (values[i] != 0)
            {
                *indices++ = i;
            }
        }
    }
}
