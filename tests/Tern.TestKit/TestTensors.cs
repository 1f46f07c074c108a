using Tern.Compute;
using Xunit;

namespace Tern.TestKit;

/// <summary>
/// Tensors of one test on one backend. Every tensor lies between guard elements, rows with a pitch have guards in their
/// gaps too, and <see cref="Read"/> fails if an operation wrote into any guard of any tensor.
/// </summary>
public sealed class TestTensors(IBackend backend) : IDisposable
{
    private const int GuardCount = 16;
    private const int GuardBits = 0x7fc0dead; // a NaN, so that reading it shows too

    private readonly List<(TensorMemory Memory, Tensor Tensor, Tensor Whole)> _tensors = [];

    public IBackend Backend { get; } = backend;

    public static TestTensors On(string backend, int threads) => new(Backends.Create(backend, threads));

    public Tensor Floats(ReadOnlySpan<float> values, int rows, int columns, int pitch = 0)
    {
        Assert.Equal(rows * columns, values.Length);
        return Place<float, int>(DType.Float32, values, rows, columns, pitch, GuardBits, BitConverter.SingleToInt32Bits);
    }

    public Tensor Floats(double[] values, int rows, int columns) => Floats(values.ToFloat(), rows, columns);

    public Tensor Ints(ReadOnlySpan<int> values, int rows, int columns, int pitch = 0) =>
        Place<int, int>(DType.Int32, values, rows, columns, pitch, GuardBits, x => x);

    /// <summary>Values that are BFloat16 already: see <see cref="TestValues.RoundToBFloat16"/>.</summary>
    public Tensor BFloat16(ReadOnlySpan<float> values, int rows, int columns) =>
        Place(DType.BFloat16, values, rows, columns, 0, (short)0x7fc0, x => (short)(BitConverter.SingleToInt32Bits(x) >> 16));

    /// <summary>A Float32 destination; elements that nothing writes stay NaN.</summary>
    public Tensor Unset(int rows, int columns, int pitch = 0)
    {
        float[] values = new float[rows * columns];
        Array.Fill(values, float.NaN);
        return Floats(values, rows, columns, pitch);
    }

    /// <summary>The elements of a tensor of this test, after checking all guards.</summary>
    public float[] Read(Tensor tensor)
    {
        CheckGuards();
        float[] values = new float[tensor.ElementCount];
        Backend.Download(tensor, values.AsSpan());
        return values;
    }

    public int[] ReadInts(Tensor tensor)
    {
        CheckGuards();
        int[] values = new int[tensor.ElementCount];
        Backend.Download(tensor, values.AsSpan());
        return values;
    }

    public void Dispose()
    {
        foreach ((TensorMemory memory, _, _) in _tensors)
        {
            memory.Dispose();
        }

        Backend.Dispose();
    }

    private Tensor Place<T, TStored>(DType dtype, ReadOnlySpan<T> values, int rows, int columns, int pitch, TStored guard, Func<T, TStored> store)
        where TStored : unmanaged
    {
        pitch = Math.Max(pitch, columns);
        TStored[] elements = new TStored[(2 * GuardCount) + (rows * pitch)];
        Array.Fill(elements, guard);
        for (int i = 0; i < rows * columns; i++)
        {
            elements[GuardCount + (i / columns * pitch) + (i % columns)] = store(values[i]);
        }

        TensorMemory memory = Backend.Allocate(dtype, elements.Length);
        Tensor whole = memory.Shape(1, elements.Length);
        Backend.Upload<TStored>(elements, whole);
        Tensor tensor = whole with { Address = whole.Address + (GuardCount * dtype.ByteSize()), Rows = rows, Columns = columns, RowPitch = pitch };
        _tensors.Add((memory, tensor, whole));
        return tensor;
    }

    private ReadOnlySpan<int> Elements(Tensor whole)
    {
        if (whole.IsHost)
        {
            return whole.Span<int>();
        }

        int[] elements = new int[whole.ElementCount];
        Backend.Download(whole, elements.AsSpan());
        return elements;
    }

    private void CheckGuards()
    {
        foreach ((_, Tensor tensor, Tensor whole) in _tensors)
        {
            if (tensor.DType == DType.BFloat16)
            {
                continue; // never a destination
            }

            ReadOnlySpan<int> elements = Elements(whole);
            for (int i = 0; i < elements.Length; i++)
            {
                if (elements[i] == GuardBits)
                {
                    continue;
                }

                int offset = i - GuardCount;
                if (offset < 0 || offset >= tensor.Rows * tensor.RowPitch || offset % tensor.RowPitch >= tensor.Columns)
                {
                    Assert.Fail($"{tensor}: an operation wrote outside it, at element {offset}");
                }
            }
        }
    }
}
