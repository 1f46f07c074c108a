using Tern.Compute;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>Adapters: the products with A, narrow and with the dropout inside, are kernels; those with B are cuBLAS's.</summary>
public sealed partial class CudaBackend
{
    private const int LoraBandRows = 256;

    private static readonly KernelFamily LoraForwardKernel = new("tern_lora_project_forward");
    private static readonly KernelFamily LoraBackwardKernel = new("tern_lora_project_backward");
    private static readonly KernelFamily LoraBandsKernel = new("tern_lora_a_backward_bands");

    public void LoraForward(Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination)
    {
        using CudaRange range = Begin();
        CheckLora(input, a, b, dropout, projected, accumulateDestination);
        Launch(LoraForwardKernel.For(input), input, (long)input.RowPitch, Dense(a), dropout.RowKeys, dropout.Key, ThresholdOf(dropout), dropout.Scale, scale, input.Rows, input.Columns, a.Rows, (long)projected.RowPitch, projected);
        _blas.Multiply(As(OperandType, projected), false, As(OperandType, b), true, 1, 1, accumulateDestination);
    }

    public void LoraBackward(Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB)
    {
        using CudaRange range = Begin();
        CheckLora(input, a, b, dropout, projected, dOutput);
        CheckSameShape(input, accumulateDInput);
        Tensor operand = As(OperandType, dOutput);
        if (!accumulateDB.IsEmpty)
        {
            _blas.Multiply(operand, true, As(OperandType, projected), false, 1, 1, accumulateDB);
        }

        Tensor dProjected = _arena.Take(accumulateDInput.DType, input.Rows, a.Rows);
        _blas.Multiply(operand, false, As(OperandType, b), false, scale, 0, dProjected);
        Launch(LoraBackwardKernel.For(accumulateDInput), dProjected, (long)dProjected.RowPitch, Dense(a), dropout.RowKeys, dropout.Key, ThresholdOf(dropout), dropout.Scale, input.Rows, input.Columns, a.Rows, (long)accumulateDInput.RowPitch, accumulateDInput);
        if (!accumulateDA.IsEmpty && input.Rows > 0)
        {
            int bandCount = (input.Rows + LoraBandRows - 1) / LoraBandRows;
            Tensor bands = _arena.Take(DType.Float32, bandCount, a.Rows * a.Columns);
            Launch(LoraBandsKernel.For(input), As(input.DType, dProjected), (long)dProjected.RowPitch, input, (long)input.RowPitch, dropout.RowKeys, dropout.Key, ThresholdOf(dropout), dropout.Scale, input.Rows, input.Columns, a.Rows, bands);
            Tensor sum = Dense(accumulateDA);
            SumBands(bands, sum);
            CopyBack(sum, accumulateDA);
        }
    }

    /// <summary>0 where nothing is dropped: the kernels then read no key.</summary>
    private static uint ThresholdOf(in Dropout dropout) => dropout.IsActive ? dropout.Threshold : 0;

    private static void CheckLora(Tensor input, Tensor a, Tensor b, in Dropout dropout, Tensor projected, Tensor output)
    {
        CheckDevice(a, DType.Float32);
        CheckDevice(b, DType.Float32);
        CheckColumns(input, a);
        if (b.Columns != a.Rows || b.Rows != output.Columns || projected.Rows != input.Rows || projected.Columns != a.Rows || output.Rows != input.Rows)
        {
            throw new ArgumentException($"an adapter {a}, {b} for {input}, {projected}, {output}");
        }

        if (!(dropout.Rate >= 0f && dropout.Rate < 1f))
        {
            throw new ArgumentException($"dropout rate {dropout.Rate}: expected 0 to below 1", nameof(dropout));
        }

        if (dropout.IsActive)
        {
            CheckDevice(dropout.RowKeys, DType.Int32);
        }
    }
}
