using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>y = ln(1 + max(0, x)): the sparse head's saturation.</summary>
internal static unsafe class Log1pRelu
{
    public static void Forward(WorkerPool pool, Tensor maxima, Tensor destination)
    {
        Operand.Check(maxima);
        Operand.Check(destination, maxima.Rows, maxima.Columns);
        ElementChunks chunks = new(maxima, maxima.IsContiguous && destination.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, maxima, destination),
            static (task, s) => SimdPaths.Current.Elements.Log1pReluForward(s.chunks.Start(s.maxima, task), s.chunks.Start(s.destination, task), s.chunks.Length(task)));
    }

    /// <summary>As the other overload, for <paramref name="count"/> elements on one vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Forward<TVector>(float* maxima, float* destination, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int i = 0;
        for (; i <= count - TVector.Count; i += TVector.Count)
        {
            Saturate(TVector.Load(maxima + i)).Store(destination + i);
        }

        if (i < count)
        {
            VectorMath.Store(Saturate(VectorMath.Load<TVector>(maxima + i, count - i)), destination + i, count - i);
        }
    }

    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor maxima, Tensor dMaxima)
    {
        Operand.Check(maxima);
        Operand.Check(dOutput, maxima.Rows, maxima.Columns);
        Operand.Check(dMaxima, maxima.Rows, maxima.Columns);
        ElementChunks chunks = new(maxima, maxima.IsContiguous && dOutput.IsContiguous && dMaxima.IsContiguous);
        pool.Run(
            chunks.Count,
            (chunks, dOutput, maxima, dMaxima),
            static (task, s) => SimdPaths.Current.Elements.Log1pReluBackward(s.chunks.Start(s.dOutput, task), s.chunks.Start(s.maxima, task), s.chunks.Start(s.dMaxima, task), s.chunks.Length(task)));
    }

    /// <summary>As the other overload, for <paramref name="count"/> elements on one vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<TVector>(float* dOutput, float* maxima, float* dMaxima, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        int i = 0;
        for (; i <= count - TVector.Count; i += TVector.Count)
        {
            Differentiate(TVector.Load(dOutput + i), TVector.Load(maxima + i)).Store(dMaxima + i);
        }

        if (i < count)
        {
            VectorMath.Store(Differentiate(VectorMath.Load<TVector>(dOutput + i, count - i), VectorMath.Load<TVector>(maxima + i, count - i)), dMaxima + i, count - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Saturate<TVector>(TVector x)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        // Most entries of a trained sparse model are negative, so whole vectors of zeros are worth a branch. NaN is not below zero.
        TVector negative = TVector.LessThanOrEqual(x, default);
        return TVector.SignBits(negative) == uint.MaxValue >> (32 - TVector.Count) ? default : TVector.Select(negative, default, VectorMath.Log1p(x));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Differentiate<TVector>(TVector dy, TVector x)
        where TVector : unmanaged, IFloatVector<TVector> =>
        TVector.And(TVector.Divide(dy, TVector.Add(TVector.Broadcast(1f), x)), TVector.GreaterThan(x, default));
}
