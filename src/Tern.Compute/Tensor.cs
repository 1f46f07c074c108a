using System.Runtime.CompilerServices;

namespace Tern.Compute;

/// <summary>
/// A handle to a row-major matrix in memory that a <see cref="TensorMemory"/> (or a mapped file) owns: address, element
/// type, shape and row pitch. It is a value: copying it copies no elements and it owns nothing. Vectors are matrices of
/// one row. <see cref="RowPitch"/> counts elements, not bytes. Device tensors carry device addresses, so
/// <see cref="Span{T}"/> throws for them.
/// </summary>
public readonly record struct Tensor(nint Address, DType DType, int Rows, int Columns, int RowPitch, bool IsHost = true)
{
    public Tensor(nint address, DType dtype, int rows, int columns, bool isHost = true)
        : this(address, dtype, rows, columns, columns, isHost)
    {
    }

    /// <summary>Rows × columns.</summary>
    public nint ElementCount => (nint)Rows * Columns;

    /// <summary>True when rows follow each other without a gap.</summary>
    public bool IsContiguous => RowPitch == Columns || Rows <= 1;

    /// <summary>True for the handle that refers to nothing, used for an absent optional operand.</summary>
    public bool IsEmpty => Address == 0;

    /// <summary>Rows <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> of this tensor, sharing its memory.</summary>
    public Tensor SliceRows(int start, int count)
    {
        if ((uint)start > (uint)Rows || (uint)count > (uint)(Rows - start))
        {
            throw new ArgumentOutOfRangeException(nameof(start), $"rows {start}..{start + count} of a tensor with {Rows} rows");
        }

        return this with { Address = Address + (nint)start * RowPitch * DType.ByteSize(), Rows = count };
    }

    /// <summary>Elements <paramref name="start"/> to <paramref name="start"/> + <paramref name="count"/> of a contiguous tensor as one row, sharing its memory.</summary>
    public Tensor SliceElements(nint start, nint count)
    {
        if (!IsContiguous || start < 0 || count < 0 || count > ElementCount - start)
        {
            throw new ArgumentOutOfRangeException(nameof(start), $"elements {start}..{start + count} of {this}");
        }

        int columns = checked((int)count);
        return new Tensor(Address + (start * DType.ByteSize()), DType, 1, columns, columns, IsHost);
    }

    /// <summary>All elements of a contiguous host tensor.</summary>
    public unsafe Span<T> Span<T>()
        where T : unmanaged
    {
        if (!IsHost || !IsContiguous || Unsafe.SizeOf<T>() != DType.ByteSize())
        {
            throw new InvalidOperationException($"a span of {typeof(T).Name} over {this}: needs a contiguous host tensor of the same element size");
        }

        return new Span<T>((void*)Address, checked((int)ElementCount));
    }

    /// <summary>One row of a host tensor.</summary>
    public Span<T> Row<T>(int row)
        where T : unmanaged => SliceRows(row, 1).Span<T>();

    public override string ToString() => $"{DType}[{Rows}, {Columns}]{(IsContiguous ? "" : $" pitch {RowPitch}")}{(IsHost ? "" : " on device")}";
}
