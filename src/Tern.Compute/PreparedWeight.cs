namespace Tern.Compute;

/// <summary>
/// A frozen weight in the form in which its backend multiplies with it. Does not refer to the matrix that it was made
/// from. Only for the backend that made it, which must outlive it; the caller disposes it.
/// </summary>
public abstract class PreparedWeight : IDisposable
{
    /// <summary>Outputs.</summary>
    public abstract int Rows { get; }

    /// <summary>Inputs.</summary>
    public abstract int Columns { get; }

    /// <summary>Memory that it takes.</summary>
    public abstract long ByteCount { get; }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);
}

/// <summary>A weight [out, in], Float32 or BFloat16, as the operand of a projection; with its prepared form where there is one.</summary>
public readonly record struct ProjectionWeight(Tensor Matrix, PreparedWeight? Prepared = null)
{
    public static implicit operator ProjectionWeight(Tensor matrix) => new(matrix);
}
