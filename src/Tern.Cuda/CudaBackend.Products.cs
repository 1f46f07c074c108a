using Tern.Compute;

namespace Tern.Cuda;

/// <summary>
/// Products by cuBLAS. Float32: operands as they are. BFloat16: both rounded, sums in Float32; the results begin and end
/// in the destinations' types.
/// </summary>
public sealed partial class CudaBackend
{
    /// <summary>The type in which projections take their operands.</summary>
    private DType OperandType => Precision == ProductPrecision.BFloat16 ? DType.BFloat16 : DType.Float32;

    public void MatMul(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckDevice(left, DType.Float32);
        CheckDevice(destination, DType.Float32);
        CheckProduct(left, transposeLeft, right, transposeRight, destination);
        _blas.Multiply(left, transposeLeft, As(DType.Float32, right), transposeRight, 1, accumulate ? 1 : 0, destination);
    }

    public PreparedWeight Prepare(Tensor weight)
    {
        using CudaRange range = Begin();
        if (weight.DType == OperandType || (weight.DType == DType.BFloat16 && Precision == ProductPrecision.Float32))
        {
            // A checkpoint's BFloat16 weights stay so in memory; Float32 products widen them as they need them.
            return new CudaPreparedWeight(weight, null);
        }

        TensorMemory memory = Allocate(OperandType, weight.ElementCount);
        Tensor converted = memory.Shape(weight.Rows, weight.Columns);
        Convert(weight, converted);
        return new CudaPreparedWeight(converted, memory);
    }

    public void ProjectForward(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination)
    {
        using CudaRange range = Begin();
        Project(input, weight, start, destination);
    }

    public void ProjectBackward(Tensor dOutput, Tensor input, Tensor weight, bool accumulate, Tensor dInput, Tensor accumulateDWeight)
    {
        using CudaRange range = Begin();
        CheckProduct(dOutput, false, weight, false, dInput);
        Tensor operand = As(OperandType, dOutput);
        _blas.Multiply(operand, false, As(OperandType, weight), false, 1, accumulate ? 1 : 0, dInput);
        if (!accumulateDWeight.IsEmpty)
        {
            CheckProduct(dOutput, true, input, false, accumulateDWeight);
            _blas.Multiply(operand, true, As(OperandType, input), false, 1, 1, accumulateDWeight);
        }
    }

    public void GatedProjectForward(Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated)
    {
        using CudaRange range = Begin();
        Tensor operand = As(OperandType, input);
        Tensor gated = gateOutput.IsEmpty ? _arena.Take(activated.DType, activated.Rows, activated.Columns) : gateOutput;
        Tensor lifted = upOutput.IsEmpty ? _arena.Take(activated.DType, activated.Rows, activated.Columns) : upOutput;
        Project(operand, gate, default, gated);
        Project(operand, up, default, lifted);
        SwiGlu(gated, lifted, activated);
    }

    private void Project(Tensor input, ProjectionWeight weight, Tensor start, Tensor destination)
    {
        CheckProduct(input, false, weight.Matrix, true, destination);
        if (!start.IsEmpty && start.Address != destination.Address)
        {
            CheckSameShape(start, destination);
            Convert(start, destination);
        }

        _blas.Multiply(As(OperandType, input), false, Operand(weight), true, 1, start.IsEmpty ? 0 : 1, destination);
    }

    /// <summary>The weight in the type of the products: prepared, as it is, or converted for this once.</summary>
    private Tensor Operand(ProjectionWeight weight) => As(OperandType, PreparedMatrix(weight));

    /// <summary>The prepared form of the weight, itself where it has none.</summary>
    private static Tensor PreparedMatrix(ProjectionWeight weight)
    {
        if (weight.Prepared is null)
        {
            return weight.Matrix;
        }

        CudaPreparedWeight prepared = weight.Prepared as CudaPreparedWeight ?? throw new ArgumentException($"a weight prepared by another backend for {weight.Matrix}");
        prepared.Require(weight.Matrix);
        return prepared.Matrix;
    }

    private static void CheckProduct(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, Tensor destination)
    {
        (int rows, int inner) = transposeLeft ? (left.Columns, left.Rows) : (left.Rows, left.Columns);
        (int otherInner, int columns) = transposeRight ? (right.Columns, right.Rows) : (right.Rows, right.Columns);
        if (left.IsHost || right.IsHost || destination.IsHost || inner != otherInner || destination.Rows != rows || destination.Columns != columns)
        {
            throw new ArgumentException($"no product {left}{(transposeLeft ? "ᵀ" : "")} · {right}{(transposeRight ? "ᵀ" : "")} into {destination} on the device");
        }
    }
}
