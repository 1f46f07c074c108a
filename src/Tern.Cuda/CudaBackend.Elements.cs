using Tern.Compute;
using Tern.Cuda.Interop;

namespace Tern.Cuda;

/// <summary>Filling, copying and converting, and what other operations need of them.</summary>
public sealed partial class CudaBackend
{
    public void Fill(float value, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckDevice(destination, DType.Float32);
        if (destination.ElementCount > 0)
        {
            uint bits = BitConverter.SingleToUInt32Bits(value);
            CudaCall.Check(destination.IsContiguous
                ? DriverApi.cuMemsetD32Async(destination.Address, bits, (nuint)destination.ElementCount, _stream.Handle)
                : DriverApi.cuMemsetD2D32Async(destination.Address, PitchByteCount(destination), bits, (nuint)destination.Columns, (nuint)destination.Rows, _stream.Handle));
        }
    }

    public void Copy(Tensor source, Tensor destination)
    {
        using CudaRange range = Begin();
        CheckSameShape(source, destination);
        if (source.DType != destination.DType && (source.DType, destination.DType) != (DType.BFloat16, DType.Float32))
        {
            throw new ArgumentException($"cannot copy {source} to {destination}");
        }

        Convert(source, destination);
    }

    public void AddScaled(Tensor source, float scale, Tensor accumulateDestination)
    {
        using CudaRange range = Begin();
        CheckDevice(source, DType.Float32);
        CheckDevice(accumulateDestination, DType.Float32);
        CheckSameShape(source, accumulateDestination);
        Tensor sum = Dense(accumulateDestination);
        Launch("tern_add_scaled_f32", Dense(source), scale, (long)sum.ElementCount, sum);
        CopyBack(sum, accumulateDestination);
    }

    /// <summary>Elements between tensors of one shape, widened or rounded where the types differ.</summary>
    private unsafe void Convert(Tensor source, Tensor destination)
    {
        if (source.ElementCount == 0)
        {
            return;
        }

        if (source.DType != destination.DType)
        {
            Launch(source.DType == DType.BFloat16 ? "tern_copy_bf16_f32" : "tern_copy_f32_bf16", source, (long)source.RowPitch, source.Rows, source.Columns, (long)destination.RowPitch, destination);
        }
        else if (source.IsContiguous && destination.IsContiguous)
        {
            CudaCall.Check(DriverApi.cuMemcpyDtoDAsync(destination.Address, source.Address, (nuint)source.ElementCount * (nuint)source.DType.ByteSize(), _stream.Handle));
        }
        else
        {
            CopyRows(new Copy2D { SourceMemoryType = MemoryType.Device, SourceDevice = source.Address, SourcePitch = PitchByteCount(source), DestinationMemoryType = MemoryType.Device, DestinationDevice = destination.Address, DestinationPitch = PitchByteCount(destination) }, source);
        }
    }

    /// <summary>The tensor in another type, in the arena; itself where it has that type.</summary>
    private Tensor As(DType type, Tensor tensor)
    {
        if (tensor.DType == type)
        {
            return tensor;
        }

        Tensor converted = _arena.Take(type, tensor.Rows, tensor.Columns);
        Convert(tensor, converted);
        return converted;
    }

    /// <summary>The tensor without gaps: itself, or a copy in the arena.</summary>
    private Tensor Dense(Tensor tensor)
    {
        if (tensor.IsContiguous)
        {
            return tensor;
        }

        Tensor copy = _arena.Take(tensor.DType, tensor.Rows, tensor.Columns);
        Convert(tensor, copy);
        return copy;
    }

    /// <summary>Room without gaps for a destination that is wholly overwritten: itself, or memory of the arena.</summary>
    private Tensor DenseUnset(Tensor tensor) => tensor.IsContiguous ? tensor : _arena.Take(tensor.DType, tensor.Rows, tensor.Columns);

    /// <summary>A destination's values to where they belong, when they were made elsewhere.</summary>
    private void CopyBack(Tensor dense, Tensor destination)
    {
        if (dense.Address != destination.Address)
        {
            Convert(dense, destination);
        }
    }

    private static void CheckDevice(Tensor tensor, DType type)
    {
        if (tensor.IsHost || tensor.DType != type)
        {
            throw new ArgumentException($"{tensor}: a {type} tensor on the device is needed");
        }
    }

    private static void CheckSameShape(Tensor source, Tensor destination)
    {
        if (source.Rows != destination.Rows || source.Columns != destination.Columns)
        {
            throw new ArgumentException($"{source} and {destination} must have one shape");
        }
    }
}
