namespace Tern.Compute;

/// <summary>
/// Owns the memory behind tensors. <see cref="Shape"/> hands out a handle of any shape and grows the allocation when it
/// is too small, so that a steady loop over varying batch sizes stops allocating after its largest batch. Growing
/// invalidates earlier handles and does not keep their elements. Not thread-safe.
/// </summary>
public abstract class TensorMemory(DType dtype) : IDisposable
{
    public DType DType { get; } = dtype;

    /// <summary>Elements that fit without growing.</summary>
    public nint Capacity { get; protected set; }

    /// <summary>A contiguous [rows, columns] handle at the start of this memory; elements are whatever was there.</summary>
    public Tensor Shape(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        nint count = (nint)rows * columns;
        if (count > Capacity)
        {
            Grow(count);
        }

        return Handle(rows, columns);
    }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected abstract Tensor Handle(int rows, int columns);

    protected abstract void Grow(nint elementCount);

    protected abstract void Dispose(bool disposing);
}
