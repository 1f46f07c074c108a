using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Fill, copy and scaled addition over whole tensors.</summary>
internal static unsafe class Elements
{
    public static void Fill(WorkerPool pool, float value, Tensor destination)
    {
        Operand.Check(destination);
        ElementChunks chunks = new(destination, destination.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, value, destination),
            static (task, s) => new Span<float>(s.chunks.Start(s.destination, task), s.chunks.Length(task)).Fill(s.value));
    }

    public static void Copy(WorkerPool pool, Tensor source, Tensor destination)
    {
        if (source.DType == destination.DType)
        {
            Operand.Check(source, source.DType, destination.Rows, destination.Columns);
            Operand.Check(destination, source.DType, destination.Rows, destination.Columns);
        }
        else
        {
            Operand.Check(source, DType.BFloat16, destination.Rows, destination.Columns);
            Operand.Check(destination, destination.Rows, destination.Columns);
        }

        RowChunks chunks = new(destination.Rows, destination.Columns);
        pool.Run(
            chunks.Count,
            (chunks, source, destination),
            static (task, s) =>
            {
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    CopyRow(s.source, row, s.destination, row);
                }
            });
    }

    /// <summary>Copies or widens one row; types have been checked.</summary>
    public static void CopyRow(Tensor source, int sourceRow, Tensor destination, int destinationRow)
    {
        nint elementSize = source.DType.ByteSize();
        byte* from = (byte*)source.Address + (sourceRow * (nint)source.RowPitch * elementSize);
        if (source.DType == destination.DType)
        {
            byte* to = (byte*)destination.Address + (destinationRow * (nint)destination.RowPitch * elementSize);
            Buffer.MemoryCopy(from, to, source.Columns * elementSize, source.Columns * elementSize);
        }
        else
        {
            Widen((ushort*)from, destination.Floats(destinationRow), source.Columns);
        }
    }

    public static void AddScaled(WorkerPool pool, Tensor source, float scale, Tensor accumulateDestination)
    {
        Operand.Check(accumulateDestination);
        Operand.Check(source, accumulateDestination.Rows, accumulateDestination.Columns);
        ElementChunks chunks = new(accumulateDestination, source.IsContiguous && accumulateDestination.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, source, scale, accumulateDestination),
            static (task, s) => VectorMath.AddScaled(s.chunks.Start(s.source, task), s.scale, s.chunks.Start(s.accumulateDestination, task), s.chunks.Length(task)));
    }

    /// <summary>BFloat16 to Float32: the 16 bits become the upper half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen(ushort* source, float* destination, int count)
    {
        int i = 0;
        for (; i <= count - 8; i += 8)
        {
            (Vector128<uint> lower, Vector128<uint> upper) = Vector128.Widen(Vector128.Load(source + i));
            (lower << 16).AsSingle().Store(destination + i);
            (upper << 16).AsSingle().Store(destination + i + 4);
        }

        for (; i < count; i++)
        {
            destination[i] = BitConverter.UInt32BitsToSingle((uint)source[i] << 16);
        }
    }
}
