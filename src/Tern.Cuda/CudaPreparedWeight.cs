using Tern.Compute;

namespace Tern.Cuda;

/// <summary>A frozen weight in the type that the products take: the matrix itself where it has that type, or a converted copy.</summary>
internal sealed class CudaPreparedWeight(Tensor matrix, TensorMemory? copy) : PreparedWeight
{
    private bool _disposed;

    public override int Rows => Matrix.Rows;

    public override int Columns => Matrix.Columns;

    public override long ByteCount => copy is null ? 0 : (long)Matrix.ElementCount * Matrix.DType.ByteSize();

    public Tensor Matrix { get; } = matrix;

    /// <exception cref="ArgumentException">It is of another shape than the weight that it stands for, or disposed.</exception>
    public void Require(Tensor weight)
    {
        if (_disposed || weight.Rows != Rows || weight.Columns != Columns)
        {
            throw new ArgumentException($"a prepared weight [{Rows}, {Columns}]{(_disposed ? ", disposed," : "")} for {weight}");
        }
    }

    protected override void Dispose(bool disposing)
    {
        copy?.Dispose();
        _disposed = true;
    }
}
