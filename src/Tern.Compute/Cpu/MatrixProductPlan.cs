namespace Tern.Compute.Cpu;

/// <summary>A right operand: a matrix, or its panels of full depth if they are laid out already, in BFloat16 if narrow.</summary>
internal unsafe struct RightOperand
{
    public Tensor Matrix;
    public bool Transpose;
    public byte* Panels;
    public bool IsNarrow;

    /// <summary>Whether tiles can read the panels where they are.</summary>
    public readonly bool IsLaidOut => Panels != null && !IsNarrow;

    /// <summary>What packing these columns of op(right) will read.</summary>
    public readonly PrefetchRegion Region(int column, int columns, int k, int depth) => Transpose
        ? PrefetchRegion.Of(Matrix, column, columns, k, depth)
        : PrefetchRegion.Of(Matrix, k, depth, column, columns);

    /// <summary>Where the part of a panel from <paramref name="k"/> on begins.</summary>
    public readonly byte* Panel<TKernel>(int index, int inner, int k)
        where TKernel : IProductKernel
    {
        nint offset = (index * TKernel.PanelByteCount(inner)) + (k == 0 ? 0 : TKernel.PanelByteCount(k));
        return Panels + (IsNarrow ? offset / 2 : offset);
    }
}

/// <summary>Where sums are kept: the address of element (0, 0) and the pitch.</summary>
internal unsafe struct Sums(Tensor tensor)
{
    public float* Address = (float*)tensor.Address;
    public nint Pitch = tensor.RowPitch;

    public readonly float* At(int row, int column) => Address == null ? null : Address + (row * Pitch) + column;
}

/// <summary>
/// How one product is cut: tasks are blocks of the destination; within a task the inner dimension runs in steps of
/// <see cref="DepthStep"/> and rows in steps of <see cref="RowStep"/>, whose packed elements stay in the second cache.
/// A gated product has a second right operand of the same shape.
/// </summary>
internal unsafe struct MatrixProductPlan
{
    private const int BlockBytes = 192 * 1024;
    private const int MaxTaskColumns = 512;
    private const int TasksPerThread = 8;

    // Below this many multiply-adds waking another thread costs more than it saves.
    private const long MinTaskWork = 1 << 17;

    // Of a weight gradient: register tiles of a task's rows, which all stay in the second cache, and those that do so in steps
    // twice as deep; tasks along one side at most; an element's packing in multiply-adds; and the part of a task by which the
    // last thread is late when tasks come out even.
    private const int DeepTaskTiles = 37;
    private const int HalfTaskTiles = 19;
    private const int MaxTaskSplits = 64;
    private const double PackingCost = 48;
    private const double StraggleShare = 0.25;

    public ProductKernels Kernels;
    public Tensor Left;
    public bool TransposeLeft;
    public RightOperand Right;
    public RightOperand Up;

    /// <summary>What the sums begin with: empty for zero, the destination to accumulate, or another matrix.</summary>
    public Tensor Start;
    public Tensor Destination;

    /// <summary>Of a gated product: the second product, and silu(Destination) · UpDestination. Both destinations may be empty.</summary>
    public Tensor UpDestination;
    public Tensor Activated;

    public int Inner;
    public int Columns;
    public int DepthStep;
    public int RowStep;
    public int TaskRows;
    public int TaskColumns;
    public int RowTaskCount;
    public int ColumnTaskCount;

    public readonly int Rows => TransposeLeft ? Left.Columns : Left.Rows;

    public readonly bool IsGated => !Activated.IsEmpty;

    public readonly int TaskCount => RowTaskCount * ColumnTaskCount;

    /// <summary>A gated product that keeps neither factor: each task has one block of rows, whose sums stay in its scratch.</summary>
    public readonly bool KeepsNoFactors => IsGated && Destination.IsEmpty;

    /// <summary>Whether packing the right operand once for all tasks is worth a round of its own.</summary>
    public readonly bool PacksFirst => !TransposeLeft && RowTaskCount > 1 && (KeepsNoFactors || (long)Inner * Columns <= 1 << 21);

    public void Cut(int threadCount)
    {
        if (TransposeLeft)
        {
            CutDeep(threadCount);
            return;
        }

        int rows = Rows;
        int columns = Columns;
        int tileRows = Kernels.TileRows;
        int tileColumns = Kernels.TileColumns;

        DepthStep = Rounding.RoundUp(Rounding.CeilingDivide(Inner, Rounding.CeilingDivide(Inner, Kernels.MaxDepthStep)), 4);
        long work = (long)rows * columns * Inner;
        int wanted = threadCount == 1 ? 1 : (int)Math.Clamp(work / MinTaskWork, 1, threadCount * TasksPerThread);

        ColumnTaskCount = Rounding.CeilingDivide(columns, MaxTaskColumns);
        RowTaskCount = Math.Clamp(Rounding.CeilingDivide(wanted, ColumnTaskCount), 1, Rounding.CeilingDivide(rows, 4 * tileRows));
        if (RowTaskCount * ColumnTaskCount < wanted)
        {
            ColumnTaskCount = Math.Min(Rounding.CeilingDivide(wanted, RowTaskCount), Rounding.CeilingDivide(columns, 2 * tileColumns));
        }

        TaskRows = Rounding.RoundUp(Rounding.CeilingDivide(rows, RowTaskCount), tileRows);
        TaskColumns = Rounding.RoundUp(Rounding.CeilingDivide(columns, ColumnTaskCount), tileColumns);
        RowTaskCount = Rounding.CeilingDivide(rows, TaskRows);
        ColumnTaskCount = Rounding.CeilingDivide(columns, TaskColumns);
        int maxRowStep = Math.Max(1, (int)(BlockBytes / Kernels.LeftByteCount(tileRows, DepthStep))) * tileRows;
        RowStep = Rounding.RoundUp(Rounding.CeilingDivide(TaskRows, Rounding.CeilingDivide(TaskRows, maxRowStep)), tileRows);
        if (KeepsNoFactors)
        {
            TaskRows = RowStep;
            RowTaskCount = Rounding.CeilingDivide(rows, TaskRows);
        }
    }

    /// <summary>
    /// A weight gradient: both operands are long and are read once, so tasks are as square as the threads allow, and each
    /// lays out what it needs, a panel of the right operand just before its use.
    /// </summary>
    private void CutDeep(int threadCount)
    {
        int tileRows = Kernels.TileRows, tileColumns = Kernels.TileColumns;

        int threads = (long)Rows * Columns * Inner < 2 * MinTaskWork ? 1 : threadCount;
        double least = double.MaxValue;
        int minRowTasks = Rounding.CeilingDivide(Rows, DeepTaskTiles * tileRows), minColumnTasks = Rounding.CeilingDivide(Columns, MaxTaskColumns);
        int maxRowTasks = Math.Max(minRowTasks, Math.Min(Rounding.CeilingDivide(Rows, tileRows), MaxTaskSplits));
        int maxColumnTasks = Math.Max(minColumnTasks, Math.Min(Rounding.CeilingDivide(Columns, tileColumns), MaxTaskSplits));
        for (int rowTasks = minRowTasks; rowTasks <= maxRowTasks; rowTasks++)
        {
            int taskRows = Rounding.RoundUp(Rounding.CeilingDivide(Rows, rowTasks), tileRows);
            for (int columnTasks = minColumnTasks; columnTasks <= maxColumnTasks; columnTasks++)
            {
                int taskColumns = Rounding.RoundUp(Rounding.CeilingDivide(Columns, columnTasks), tileColumns);
                int count = Rounding.CeilingDivide(Rows, taskRows) * Rounding.CeilingDivide(Columns, taskColumns);
                double task = ((double)taskRows * taskColumns) + (PackingCost * (taskRows + taskColumns));
                double cost = threads == 1 ? task * count : task * (Rounding.CeilingDivide(count, threads) + StraggleShare);
                if (cost < least)
                {
                    least = cost;
                    (TaskRows, TaskColumns) = (taskRows, taskColumns);
                }
            }
        }

        // Not as deep as elsewhere, so that a block of many rows, the next one and the lines asked for ahead fit the second cache.
        int maxDepthStep = Kernels.MaxDepthStep / (TaskRows > HalfTaskTiles * tileRows ? 4 : 2);
        DepthStep = Rounding.RoundUp(Rounding.CeilingDivide(Inner, Rounding.CeilingDivide(Inner, maxDepthStep)), 4);
        RowStep = TaskRows;
        RowTaskCount = Rounding.CeilingDivide(Rows, TaskRows);
        ColumnTaskCount = Rounding.CeilingDivide(Columns, TaskColumns);
    }
}
