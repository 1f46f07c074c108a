using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The kernels of one <see cref="SimdPath"/>: one virtual call for a block of work, none inside it.</summary>
internal abstract class VectorKernels
{
    /// <summary>Rows and columns of the register tile.</summary>
    public abstract int TileRows { get; }

    public abstract int TileColumns { get; }

    /// <summary>Computes one task's block of a matrix product.</summary>
    public abstract void MultiplyBlock(in MatrixProductPlan plan, int task, ScratchBuffer scratch);
}

/// <inheritdoc/>
internal sealed class VectorKernels<TVector> : VectorKernels
    where TVector : unmanaged, IFloatVector<TVector>
{
    public override int TileRows => TVector.TileRows;

    public override int TileColumns => 2 * TVector.Count;

    public override void MultiplyBlock(in MatrixProductPlan plan, int task, ScratchBuffer scratch) => MatrixProductBlock.Run<TVector>(plan, task, scratch);
}
