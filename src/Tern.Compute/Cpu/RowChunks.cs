namespace Tern.Compute.Cpu;

/// <summary>Splits rows into tasks of equally many rows; the number depends on the row length only, never on the thread count.</summary>
internal readonly struct RowChunks
{
    private readonly int _rows;

    public RowChunks(int rows, int columns)
    {
        _rows = rows;
        RowsPerTask = Math.Clamp(ElementChunks.Size / Math.Max(columns, 1), 1, 256);
        Count = (rows + RowsPerTask - 1) / RowsPerTask;
    }

    public int RowsPerTask { get; }

    /// <summary>Number of tasks.</summary>
    public int Count { get; }

    public int Start(int task) => task * RowsPerTask;

    public int End(int task) => Math.Min(_rows, (task + 1) * RowsPerTask);
}
