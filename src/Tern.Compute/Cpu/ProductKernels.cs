using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The products of one precision on one width: one virtual call for a block of work, none inside it.</summary>
internal abstract unsafe class ProductKernels
{
    /// <summary>Products of the native library, which works in vectors of 512 bits.</summary>
    public static ProductKernels BFloat16 { get; } = new ProductKernels<BFloat16Kernel, FloatVector512>();

    /// <inheritdoc cref="BFloat16"/>
    public static ProductKernels Int8 { get; } = new ProductKernels<Int8Kernel, FloatVector512>();

    /// <inheritdoc cref="IProductKernel.TileRows"/>
    public abstract int TileRows { get; }

    /// <inheritdoc cref="IProductKernel.TileColumns"/>
    public abstract int TileColumns { get; }

    /// <inheritdoc cref="IProductKernel.MaxDepthStep"/>
    public abstract int MaxDepthStep { get; }

    /// <inheritdoc cref="IProductKernel.LeftByteCount"/>
    public abstract nint LeftByteCount(int rows, int depth);

    /// <inheritdoc cref="IProductKernel.PanelByteCount"/>
    public abstract nint PanelByteCount(int depth);

    /// <summary>Lays out rows of a left operand that is not transposed.</summary>
    public abstract void PackLeft(Tensor left, int row, int count, int k, int depth, byte* destination);

    /// <summary>Lays out panels <paramref name="first"/> to <paramref name="first"/> + <paramref name="count"/> of op(right) in full depth; the first one's place is <paramref name="panels"/>.</summary>
    public abstract void PackPanels(Tensor right, bool transpose, int first, int count, byte* panels);

    /// <summary>The same of a BFloat16 matrix in its 16 bits, for kernels that multiply in Float32.</summary>
    public abstract void PackNarrowPanels(Tensor right, bool transpose, int first, int count, ushort* panels);

    /// <summary>Computes one task's block of a matrix product.</summary>
    public abstract void MultiplyBlock(in MatrixProductPlan plan, int task, ScratchBuffer scratch);

    /// <summary>Computes one task's columns of a max-pool product.</summary>
    public abstract void MaxPoolBlock(in MaxPoolProductPlan plan, int task, ScratchBuffer scratch);
}

/// <inheritdoc/>
internal sealed unsafe class ProductKernels<TKernel, TVector> : ProductKernels
    where TKernel : IProductKernel
    where TVector : unmanaged, IFloatVector<TVector>
{
    public override int TileRows => TKernel.TileRows;

    public override int TileColumns => TKernel.TileColumns;

    public override int MaxDepthStep => TKernel.MaxDepthStep;

    public override nint LeftByteCount(int rows, int depth) => TKernel.LeftByteCount(rows, depth);

    public override nint PanelByteCount(int depth) => TKernel.PanelByteCount(depth);

    public override void PackLeft(Tensor left, int row, int count, int k, int depth, byte* destination) => TKernel.PackLeft(left, row, count, k, depth, destination);

    public override void PackPanels(Tensor right, bool transpose, int first, int count, byte* panels)
    {
        int width = TKernel.TileColumns;
        (int depth, int columns) = transpose ? (right.Columns, right.Rows) : (right.Rows, right.Columns);
        for (int panel = first; panel < first + count; panel++)
        {
            int column = panel * width;
            TKernel.PackRight(right, transpose, column, Math.Min(width, columns - column), 0, depth, panels + ((panel - first) * TKernel.PanelByteCount(depth)));
        }
    }

    public override void PackNarrowPanels(Tensor right, bool transpose, int first, int count, ushort* panels)
    {
        const int Strip = 64, WidestPanel = 32;
        float* strip = stackalloc float[Strip * WidestPanel];
        int width = TKernel.TileColumns;
        (int depth, int columns) = transpose ? (right.Columns, right.Rows) : (right.Rows, right.Columns);
        for (int panel = first; panel < first + count; panel++)
        {
            int column = panel * width;
            for (int k = 0; k < depth; k += Strip)
            {
                int part = Math.Min(Strip, depth - k);
                TKernel.PackRight(right, transpose, column, Math.Min(width, columns - column), k, part, (byte*)strip);
                Packing.Narrow(strip, (nint)part * width, panels);
                panels += (nint)part * width;
            }
        }
    }

    public override void MultiplyBlock(in MatrixProductPlan plan, int task, ScratchBuffer scratch)
    {
        if (plan.TransposeLeft)
        {
            DeepProductBlock.Run<TKernel>(plan, task, scratch);
        }
        else
        {
            MatrixProductBlock.Run<TKernel>(plan, task, scratch);
        }
    }

    public override void MaxPoolBlock(in MaxPoolProductPlan plan, int task, ScratchBuffer scratch) => MaxPoolProductBlock.Run<TKernel, TVector>(plan, task, scratch);
}
