using System.Runtime.InteropServices;
using Tern.Compute;

namespace Tern.TestKit;

/// <summary>
/// A matrix in native memory for tests, with any row pitch. The gaps between its rows, and some elements before and after
/// it, are filled with a pattern (a NaN when read as a float) that <see cref="AssertGapsUntouched"/> looks for again.
/// </summary>
public sealed unsafe class HostMatrix : IDisposable
{
    private const int Guard = 64;
    private const byte Pattern = 0xFF;
    private readonly byte* _memory;
    private readonly long _byteCount;
    private readonly int _elementSize;

    public HostMatrix(int rows, int columns, DType type = DType.Float32, int pitch = 0)
    {
        pitch = pitch == 0 ? columns : pitch;
        ArgumentOutOfRangeException.ThrowIfLessThan(pitch, columns);
        _elementSize = type.ByteSize();
        _byteCount = (((long)rows * pitch) + (2 * Guard)) * _elementSize;
        _memory = (byte*)NativeMemory.Alloc((nuint)_byteCount);
        new Span<byte>(_memory, checked((int)_byteCount)).Fill(Pattern);
        Tensor = new Tensor((nint)(_memory + (Guard * _elementSize)), type, rows, columns, pitch);
    }

    public Tensor Tensor { get; }

    /// <summary>A Float32 or BFloat16 matrix of numbers in [−1, 1), a pure function of the seed.</summary>
    public static HostMatrix Random(int seed, int rows, int columns, DType type = DType.Float32, int pitch = 0)
    {
        HostMatrix matrix = new(rows, columns, type, pitch);
        Random random = new(seed);
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                matrix[i, j] = (float)((2 * random.NextDouble()) - 1);
            }
        }

        return matrix;
    }

    /// <summary>A row of integers.</summary>
    public static HostMatrix Integers(params ReadOnlySpan<int> values)
    {
        HostMatrix matrix = new(1, values.Length, DType.Int32);
        values.CopyTo(new Span<int>((void*)matrix.Tensor.Address, values.Length));
        return matrix;
    }

    /// <summary>An element; BFloat16 is widened when read and cut off when written.</summary>
    public float this[int row, int column]
    {
        get => Tensor.DType switch
        {
            DType.Float32 => *(float*)At(row, column),
            DType.BFloat16 => BitConverter.UInt32BitsToSingle((uint)*(ushort*)At(row, column) << 16),
            _ => *(int*)At(row, column),
        };
        set
        {
            if (Tensor.DType == DType.BFloat16)
            {
                *(ushort*)At(row, column) = (ushort)(BitConverter.SingleToUInt32Bits(value) >> 16);
            }
            else
            {
                *(float*)At(row, column) = value;
            }
        }
    }

    /// <summary>An element of an Int32 matrix.</summary>
    public int Integer(int row, int column) => *(int*)At(row, column);

    public void SetInteger(int row, int column, int value) => *(int*)At(row, column) = value;

    /// <summary>The bits of all elements, row by row without the gaps.</summary>
    public int[] Bits()
    {
        int[] bits = new int[Tensor.Rows * Tensor.Columns];
        for (int i = 0; i < bits.Length; i++)
        {
            float value = this[i / Tensor.Columns, i % Tensor.Columns];
            bits[i] = Tensor.DType == DType.Int32 ? Integer(i / Tensor.Columns, i % Tensor.Columns) : BitConverter.SingleToInt32Bits(value);
        }

        return bits;
    }

    public HostMatrix Clone()
    {
        HostMatrix copy = new(Tensor.Rows, Tensor.Columns, Tensor.DType, Tensor.RowPitch);
        Buffer.MemoryCopy(_memory, copy._memory, _byteCount, _byteCount);
        return copy;
    }

    /// <summary>Throws when anything but the elements was written.</summary>
    public void AssertGapsUntouched()
    {
        long first = Guard * _elementSize;
        long rowBytes = (long)Tensor.RowPitch * _elementSize;
        for (long i = 0; i < _byteCount; i++)
        {
            long inside = i - first;
            bool element = inside >= 0 && inside < Tensor.Rows * rowBytes && inside % rowBytes < (long)Tensor.Columns * _elementSize;
            if (!element && _memory[i] != Pattern)
            {
                throw new InvalidOperationException($"byte {inside} from the start of {Tensor} was written, outside its elements");
            }
        }
    }

    public void Dispose() => NativeMemory.Free(_memory);

    private byte* At(int row, int column)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Tensor.Rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)column, (uint)Tensor.Columns);
        return (byte*)Tensor.Address + ((((long)row * Tensor.RowPitch) + column) * _elementSize);
    }
}
