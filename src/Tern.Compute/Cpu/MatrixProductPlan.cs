namespace Tern.Compute.Cpu;

/// <summary>
/// How one product is cut: tasks are blocks of the destination; within a task the inner dimension runs in steps of
/// <see cref="DepthStep"/> and rows in steps of <see cref="RowStep"/>, whose packed elements stay in the second cache.
/// </summary>
internal unsafe struct MatrixProductPlan
{
    // A panel of the right operand of this depth stays in the first cache, a block of the left one of this size in the
    // second; the products bench is flat around both.
    private const int MaxDepthStep = 384;
    private const int BlockFloats = 30_000;
    private const int MaxTaskColumns = 512;
    private const int TasksPerThread = 4;

    // Below this many multiply-adds waking another thread costs more than it saves.
    private const long MinTaskWork = 1 << 17;

    public VectorKernels Kernels;
    public Tensor Left;
    public Tensor Right;
    public Tensor Destination;
    public bool TransposeLeft;
    public bool TransposeRight;
    public bool Accumulate;

    /// <summary>The whole right operand in panels of full depth, or null when each task packs its own part.</summary>
    public float* SharedRight;

    public int Inner;
    public int DepthStep;
    public int RowStep;
    public int TaskRows;
    public int TaskColumns;
    public int RowTaskCount;
    public int ColumnTaskCount;

    public readonly int TaskCount => RowTaskCount * ColumnTaskCount;

    /// <summary>Whether packing the right operand once for all tasks is worth a round of its own.</summary>
    public readonly bool SharesRight => RowTaskCount > 1 && Inner <= 1024 && (long)Inner * Destination.Columns <= 1 << 21;

    public void Cut(int threadCount)
    {
        int rows = Destination.Rows;
        int columns = Destination.Columns;
        int tileRows = Kernels.TileRows;
        int tileColumns = Kernels.TileColumns;

        DepthStep = Math.Max(4, RoundUp(CeilingDivide(Inner, CeilingDivide(Math.Max(Inner, 1), MaxDepthStep)), 4));
        long work = (long)rows * columns * Math.Max(Inner, 1);
        int wanted = threadCount == 1 ? 1 : (int)Math.Clamp(work / MinTaskWork, 1, threadCount * TasksPerThread);

        ColumnTaskCount = CeilingDivide(columns, MaxTaskColumns);
        RowTaskCount = Math.Clamp(CeilingDivide(wanted, ColumnTaskCount), 1, CeilingDivide(rows, 8 * tileRows));
        if (RowTaskCount * ColumnTaskCount < wanted)
        {
            ColumnTaskCount = Math.Min(CeilingDivide(wanted, RowTaskCount), CeilingDivide(columns, 2 * tileColumns));
        }

        TaskRows = RoundUp(CeilingDivide(rows, RowTaskCount), tileRows);
        TaskColumns = RoundUp(CeilingDivide(columns, ColumnTaskCount), tileColumns);
        RowTaskCount = CeilingDivide(rows, TaskRows);
        ColumnTaskCount = CeilingDivide(columns, TaskColumns);
        int maxRowStep = Math.Max(1, BlockFloats / DepthStep / tileRows) * tileRows;
        RowStep = RoundUp(CeilingDivide(TaskRows, CeilingDivide(TaskRows, maxRowStep)), tileRows);
    }

    public static int CeilingDivide(int value, int divisor) => (value + divisor - 1) / divisor;

    public static int RoundUp(int value, int multiple) => CeilingDivide(value, multiple) * multiple;
}
