namespace Tern.Compute.Cpu;

/// <summary>
/// Splits a tensor's elements into tasks for elementwise operations: runs of a fixed number of elements where all
/// operands are contiguous, rows otherwise. The split depends on shapes only, never on the thread count.
/// </summary>
internal readonly struct ElementChunks
{
    /// <summary>64 KiB of floats: long against the cost of claiming a task, short against a core's second-level cache.</summary>
    public const int Size = 16384;

    private readonly nint _elementCount;
    private readonly int _columns;
    private readonly bool _byRow;

    public ElementChunks(Tensor shape, bool contiguous)
    {
        _elementCount = shape.ElementCount;
        _columns = shape.Columns;
        _byRow = !contiguous;
        Count = _byRow ? shape.Rows : (int)((_elementCount + Size - 1) / Size);
    }

    /// <summary>Number of tasks.</summary>
    public int Count { get; }

    /// <summary>Elements of a task.</summary>
    public int Length(int task) => _byRow ? _columns : (int)Math.Min(Size, _elementCount - ((nint)task * Size));

    /// <summary>Address of a task's first element in an operand of the common shape.</summary>
    public unsafe float* Start(Tensor operand, int task) => (float*)operand.Address + (_byRow ? (nint)task * operand.RowPitch : (nint)task * Size);
}
