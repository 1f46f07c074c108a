namespace Tern.Compute.Cpu;

/// <summary>How one max-pool product is cut: tasks are ranges of vocabulary entries, each over all rows.</summary>
internal unsafe struct MaxPoolProductPlan
{
    // The weights of one task and a block of rows share the second cache.
    private const int TaskFloats = 64 * 1024;
    private const int BlockFloats = 36 * 1024;
    private const int MinTaskPanels = 4;
    private const int TasksPerThread = 4;

    public VectorKernels Kernels;
    public Tensor Hidden;
    public Tensor Weight;
    public Tensor Bias;
    public Tensor Maxima;
    public Tensor ArgMax;
    public int* Starts;
    public float Scale;

    /// <summary>The rows of all sequences in panels of the register tile's height.</summary>
    public float* PackedHidden;

    public int RowStep;
    public int TaskColumns;
    public int TaskCount;

    public readonly int SequenceCount => Maxima.Rows;

    public readonly int FirstRow => Starts[0];

    public readonly int RowCount => Starts[SequenceCount] - Starts[0];

    public readonly int RowPanelCount => MatrixProductPlan.CeilingDivide(RowCount, Kernels.TileRows);

    public void Cut(int threadCount)
    {
        int depth = Math.Max(1, Hidden.Columns);
        int tileColumns = Kernels.TileColumns;
        int panels = Math.Max(MinTaskPanels, TaskFloats / depth / tileColumns);
        if (threadCount > 1)
        {
            int fair = MatrixProductPlan.CeilingDivide(Weight.Rows, tileColumns * threadCount * TasksPerThread);
            panels = Math.Clamp(fair, 1, panels);
        }

        TaskColumns = panels * tileColumns;
        TaskCount = MatrixProductPlan.CeilingDivide(Weight.Rows, TaskColumns);
        RowStep = Math.Max(4, BlockFloats / depth / Kernels.TileRows) * Kernels.TileRows;
    }
}
