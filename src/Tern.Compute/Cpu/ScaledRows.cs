using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Tern.Compute.Cpu;

/// <summary>
/// A list of additions of rows: destination[To[e]] += Scale · Factors[e] · source[From[e]]. An entry without a row (a
/// negative number) is skipped. The rows lie anywhere, so those of entries to come are fetched ahead.
/// </summary>
internal unsafe struct ScaledRows
{
    /// <summary>Bytes of rows fetched ahead: what a core has on its way from memory at a time.</summary>
    private const int BytesAhead = 4096, MaxEntriesAhead = 8;

    public float Scale;
    public float* Factors;
    public int* From;
    public int* To;
    public Tensor Source; // Float32 or BFloat16
    public Tensor Destination; // Float32

    /// <summary>Adds the entries from <paramref name="start"/> to <paramref name="end"/> in order; each element is rounded once an entry.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Add<TVector>(int start, int end)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int columns = Source.Columns, elementSize = Source.DType.ByteSize();
        nint sourcePitch = (nint)Source.RowPitch * elementSize, pitch = Destination.RowPitch;
        byte* source = (byte*)Source.Address;
        float* destination = (float*)Destination.Address;
        int ahead = Math.Clamp(BytesAhead / (columns * elementSize), 1, MaxEntriesAhead);
        for (int e = start; e < end; e++)
        {
            if ((From[e] | To[e]) < 0)
            {
                continue;
            }

            int next = Math.Min(e + ahead, end - 1);
            byte* nextSource = source + (Math.Max(From[next], 0) * sourcePitch);
            float* nextDestination = destination + (Math.Max(To[next], 0) * pitch);
            byte* from = source + (From[e] * sourcePitch);
            float* to = destination + (To[e] * pitch);
            if (elementSize == sizeof(float))
            {
                AddRow<TVector, Float32Reader>(Scale * Factors[e], from, to, columns, nextSource, nextDestination);
            }
            else
            {
                AddRow<TVector, BFloat16Reader>(Scale * Factors[e], from, to, columns, nextSource, nextDestination);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AddRow<TVector, TReader>(float scale, byte* source, float* destination, int columns, byte* nextSource, float* nextDestination)
        where TVector : unmanaged, IFloatVector<TVector>
        where TReader : IElementReader
    {
        TVector factor = TVector.Broadcast(scale);
        int i = 0;
        for (; i + TVector.Count <= columns; i += TVector.Count)
        {
            if (Sse.IsSupported)
            {
                Sse.Prefetch0(nextSource + ((nint)i * TReader.ByteSize));
                Sse.Prefetch0(nextDestination + i);
            }

            TVector sum = TVector.Load(destination + i);
            sum.AddProduct(factor, TReader.ByteSize == sizeof(float) ? TVector.Load((float*)source + i) : TVector.LoadBFloat16((ushort*)source + i));
            sum.Store(destination + i);
        }

        for (; i < columns; i++)
        {
            destination[i] = MathF.FusedMultiplyAdd(scale, TReader.Read(source + ((nint)i * TReader.ByteSize)), destination[i]);
        }
    }
}
