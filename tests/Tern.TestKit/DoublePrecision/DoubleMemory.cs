using Tern.Compute;

namespace Tern.TestKit.DoublePrecision;

/// <summary>
/// Memory of <see cref="DoubleBackend"/>: addresses of a device that is not there, four to an element as Float32 has them, with a
/// double behind each. All instances share one address space, so that ranks in one process can read each other's tensors.
/// </summary>
internal sealed class DoubleMemory : TensorMemory
{
    private static readonly SortedList<nint, double[]> Blocks = [];
    private static nint s_next = 1 << 20;

    private nint _start;

    public DoubleMemory(DType dtype, nint elementCount)
        : base(dtype)
    {
        if (elementCount > 0)
        {
            Grow(elementCount);
        }
    }

    /// <summary>The elements from an address on.</summary>
    public static (double[] Values, int Offset) At(nint address)
    {
        lock (Blocks)
        {
            int low = 0;
            int high = Blocks.Count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                (low, high) = Blocks.Keys[middle] <= address ? (middle, high) : (low, middle - 1);
            }

            return (Blocks.Values[low], (int)((address - Blocks.Keys[low]) / sizeof(float)));
        }
    }

    protected override Tensor Handle(int rows, int columns) => new(_start, DType, rows, columns, isHost: false);

    protected override void Grow(nint elementCount)
    {
        lock (Blocks)
        {
            Blocks.Remove(_start);
            _start = s_next;
            s_next += (elementCount * sizeof(float)) + 4096;
            Blocks.Add(_start, new double[elementCount]);
        }

        Capacity = elementCount;
    }

    protected override void Dispose(bool disposing)
    {
        lock (Blocks)
        {
            Blocks.Remove(_start);
        }
    }
}

/// <summary>A tensor of <see cref="DoubleBackend"/> as a matrix.</summary>
internal readonly struct DoubleMatrix
{
    private readonly double[] _values;
    private readonly int _offset;
    private readonly int _pitch;

    public DoubleMatrix(Tensor tensor)
    {
        (_values, _offset) = tensor.IsEmpty ? ([], 0) : DoubleMemory.At(tensor.Address);
        _pitch = tensor.RowPitch;
        Rows = tensor.Rows;
        Columns = tensor.Columns;
        IsEmpty = tensor.IsEmpty;
    }

    public int Rows { get; }

    public int Columns { get; }

    public bool IsEmpty { get; }

    public ref double this[int row, int column] => ref _values[_offset + (row * _pitch) + column];

    public int Integer(int index) => (int)_values[_offset + index];

    public Span<double> Row(int row) => _values.AsSpan(_offset + (row * _pitch), Columns);
}
