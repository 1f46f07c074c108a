using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                float* x = s.chunks.Start(s.maxima, task);
                float* y = s.chunks.Start(s.destination, task);
                int count = s.chunks.Length(task);
                int i = 0;
                for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
                {
                    Saturate(Vector256.Load(x + i)).Store(y + i);
                }

                if (i < count)
                {
                    VectorMath.Store(Saturate(VectorMath.Load(x + i, count - i)), y + i, count - i);
                }
            });
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
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                float* dy = s.chunks.Start(s.dOutput, task);
                float* x = s.chunks.Start(s.maxima, task);
                float* dx = s.chunks.Start(s.dMaxima, task);
                int count = s.chunks.Length(task);
                int i = 0;
                for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
                {
                    Differentiate(Vector256.Load(dy + i), Vector256.Load(x + i)).Store(dx + i);
                }

                if (i < count)
                {
                    VectorMath.Store(Differentiate(VectorMath.Load(dy + i, count - i), VectorMath.Load(x + i, count - i)), dx + i, count - i);
                }
            });
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Saturate(Vector256<float> x)
    {
        // Most entries of a trained sparse model are negative, so whole vectors of zeros are worth a branch.
        Vector256<float> negative = Vector256.LessThanOrEqual(x, Vector256<float>.Zero);
        return negative.ExtractMostSignificantBits() == 0xff ? Vector256<float>.Zero : Vector256.AndNot(VectorMath.Log1p(new FloatVector256(x)).Value, negative);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Differentiate(Vector256<float> dy, Vector256<float> x) =>
        (dy / (Vector256<float>.One + x)) & Vector256.GreaterThan(x, Vector256<float>.Zero);
}
