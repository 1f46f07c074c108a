using Tern.Compute;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>What lies between the products: embedding, norm, rotation, attention, activation.</summary>
public sealed partial class CudaBackend
{
    private static readonly KernelFamily EmbeddingForwardKernel = new("tern_embedding_forward");
    private static readonly KernelFamily EmbeddingBackwardKernel = new("tern_embedding_backward");
    private static readonly KernelFamily RopeForwardKernel = new("tern_rope_forward");
    private static readonly KernelFamily RopeBackwardKernel = new("tern_rope_backward");
    private static readonly KernelFamily RmsNormForwardKernel = new("tern_rmsnorm_forward");
    private static readonly KernelFamily RmsNormBackwardKernel = new("tern_rmsnorm_backward");
    private static readonly KernelFamily RmsNormBandsKernel = new("tern_rmsnorm_backward_bands");
    private static readonly KernelFamily SwiGluForwardKernel = new("tern_swiglu_forward");
    private static readonly KernelFamily SwiGluBackwardKernel = new("tern_swiglu_backward");

    public void EmbeddingForward(Tensor table, Tensor tokens, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckDevice(tokens, DType.Int32);
        CheckColumns(table, destination);
        Launch(EmbeddingForwardKernel.For(table, destination), table, (long)table.RowPitch, tokens, tokens.Columns, table.Columns, (long)destination.RowPitch, destination);
    }

    public void EmbeddingBackward(Tensor dOutput, Tensor tokens, Tensor accumulateDTable)
    {
        using CudaRange range = Begin();
        CheckDevice(tokens, DType.Int32);
        CheckDevice(accumulateDTable, DType.Float32);
        CheckColumns(dOutput, accumulateDTable);
        Launch(EmbeddingBackwardKernel.For(dOutput), dOutput, (long)dOutput.RowPitch, tokens, dOutput.Rows, dOutput.Columns, (long)accumulateDTable.RowPitch, accumulateDTable);
    }

    public void RopeForward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values)
    {
        using CudaRange range = Begin();
        Rotate(RopeForwardKernel, sequenceStarts, rotations, headSize, values);
    }

    public void RopeBackward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues)
    {
        using CudaRange range = Begin();
        Rotate(RopeBackwardKernel, sequenceStarts, rotations, headSize, dValues);
    }

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckSameShape(input, destination);
        CheckDevice(weight, DType.Float32);
        Launch(RmsNormForwardKernel.For(input, destination), input, (long)input.RowPitch, weight, epsilon, input.Rows, input.Columns, (long)destination.RowPitch, inverseRms, destination);
    }

    public void RmsNormBackward(Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight)
    {
        using CudaRange range = Begin();
        CheckSameShape(input, dOutput);
        CheckSameShape(input, accumulateDInput);
        CheckDevice(weight, DType.Float32);
        Launch(RmsNormBackwardKernel.For(dOutput, input), dOutput, (long)dOutput.RowPitch, input, (long)input.RowPitch, weight, inverseRms, input.Rows, input.Columns, (long)accumulateDInput.RowPitch, accumulateDInput);
        if (!accumulateDWeight.IsEmpty && input.Rows > 0)
        {
            const int BandRows = 64;
            int bandCount = (input.Rows + BandRows - 1) / BandRows;
            Tensor bands = _arena.Take(DType.Float32, bandCount, input.Columns);
            Launch(RmsNormBandsKernel.For(dOutput, input), dOutput, (long)dOutput.RowPitch, input, (long)input.RowPitch, inverseRms, input.Rows, input.Columns, bands);
            SumBands(bands, accumulateDWeight);
        }
    }

    public void SwiGluForward(Tensor gate, Tensor up, Tensor destination)
    {
        using CudaRange range = Begin();
        SwiGlu(gate, up, destination);
    }

    public void SwiGluBackward(Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp)
    {
        using CudaRange range = Begin();
        CheckSameShape(gate, up);
        CheckSameShape(gate, dOutput);
        CheckSameShape(gate, dGate);
        CheckSameShape(gate, dUp);
        Launch(SwiGluBackwardKernel.For(gate), dOutput, (long)dOutput.RowPitch, gate, (long)gate.RowPitch, up, (long)up.RowPitch, gate.Rows, gate.Columns, (long)dGate.RowPitch, (long)dUp.RowPitch, dGate, dUp);
    }

    private void Rotate(KernelFamily kernel, Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values)
    {
        CheckDevice(sequenceStarts, DType.Int32);
        CheckDevice(rotations, DType.Float32);
        if (headSize < 1 || rotations.Columns != headSize || values.Columns % headSize != 0)
        {
            throw new ArgumentException($"rotations {rotations} for heads of {headSize} in {values}");
        }

        Launch(kernel.For(values), sequenceStarts, Dense(rotations), sequenceStarts.Columns - 1, values.Rows, values.Columns, headSize, (long)values.RowPitch, values);
    }

    private void SwiGlu(Tensor gate, Tensor up, Tensor destination)
    {
        CheckSameShape(gate, up);
        CheckSameShape(gate, destination);
        Launch(SwiGluForwardKernel.For(gate), gate, (long)gate.RowPitch, up, (long)up.RowPitch, gate.Rows, gate.Columns, (long)destination.RowPitch, destination);
    }

    /// <summary>destination += the sum of the bands, in order.</summary>
    private void SumBands(Tensor bands, Tensor accumulateDestination) =>
        Launch("tern_sum_bands_f32", bands, bands.Rows, bands.Columns, accumulateDestination);
}
