namespace Tern.Compute;

/// <summary>Element types that a <see cref="Tensor"/> can hold.</summary>
public enum DType
{
    /// <summary>IEEE binary32; the type of all activations, gradients and trainable weights.</summary>
    Float32,

    /// <summary>The upper half of a binary32; stored weights only, widened when read.</summary>
    BFloat16,

    /// <summary>32-bit integers: token ids, sequence starts, arg-max positions, labels.</summary>
    Int32,
}

public static class DTypes
{
    /// <summary>Bytes of one element.</summary>
    public static int ByteSize(this DType type) => type == DType.BFloat16 ? 2 : 4;
}
