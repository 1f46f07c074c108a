namespace Tern.Compute.Cpu;

/// <summary>How one max-pool product is cut: tasks are ranges of vocabulary entries, each over all rows.</summary>
internal unsafe struct MaxPoolProductPlan
{
    // The weights of one group and a block of rows share the second cache.
    private const int GroupBytes = 384 * 1024;
    private const int BlockBytes = 64 * 1024;
    private const int MinGroupPanels = 4;
    private const int MaxTaskGroups = 8;
    private const int TasksPerThread = 4;

    public ProductKernels Kernels;
    public Tensor Hidden;
    public RightOperand Weight;
    public Tensor Bias;
    public Tensor Maxima;
    public Tensor ArgMax;
    public int* Starts;
    public float Scale;

    /// <summary>The rows of all sequences, laid out: for each block of rows, each step of the inner dimension.</summary>
    public byte* PackedHidden;

    public int DepthStep;
    public int DepthStepCount;
    public int RowStep;
    public int RowBlockCount;
    public nint BlockByteCount;

    /// <summary>Columns that meet all rows before the next ones do, whose weights come from memory meanwhile.</summary>
    public int GroupColumns;
    public int TaskColumns;
    public int TaskCount;

    public readonly int SequenceCount => Maxima.Rows;

    public readonly int FirstRow => Starts[0];

    public readonly int RowCount => Starts[SequenceCount] - Starts[0];

    public readonly int Depth => Hidden.Columns;

    public readonly int Columns => Maxima.Columns;

    /// <summary>The laid-out rows of one block and one step.</summary>
    public readonly byte* Block(int block, int step) => PackedHidden + ((((nint)block * DepthStepCount) + step) * BlockByteCount);

    public void Cut(int threadCount)
    {
        int depth = Math.Max(1, Depth);
        int tileRows = Kernels.TileRows;
        int tileColumns = Kernels.TileColumns;
        int panels = Math.Max(MinGroupPanels, (int)(GroupBytes / Kernels.PanelByteCount(depth)));
        int groups = MaxTaskGroups;
        if (threadCount > 1)
        {
            int fair = Math.Max(1, Rounding.CeilingDivide(Columns, tileColumns * threadCount * TasksPerThread));
            panels = Math.Min(fair, panels);
            groups = Math.Clamp(fair / panels, 1, groups);
        }

        GroupColumns = panels * tileColumns;
        TaskColumns = groups * GroupColumns;
        TaskCount = Rounding.CeilingDivide(Columns, TaskColumns);
        DepthStepCount = Rounding.CeilingDivide(depth, Kernels.MaxDepthStep);
        DepthStep = Rounding.RoundUp(Rounding.CeilingDivide(depth, DepthStepCount), 4);
        DepthStepCount = Rounding.CeilingDivide(depth, DepthStep);
        int maxRowStep = Math.Max(1, (int)(BlockBytes / Kernels.LeftByteCount(tileRows, DepthStep))) * tileRows;
        RowBlockCount = Rounding.CeilingDivide(RowCount, maxRowStep);
        RowStep = Rounding.RoundUp(Rounding.CeilingDivide(RowCount, Math.Max(1, RowBlockCount)), tileRows);
        BlockByteCount = Rounding.ToCacheLines(Kernels.LeftByteCount(RowStep, DepthStep));
    }
}
