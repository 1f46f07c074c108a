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
            static (task, s) =>
            {
                float* x = s.chunks.Start(s.maxima, task);
                float* y = s.chunks.Start(s.destination, task);
                int count = s.chunks.Length(task);
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    // Most entries of a trained sparse model are negative, so whole vectors of zeros are worth a branch.
                    Vector256<float> value = VectorMath.Load(x + i, count - i);
                    Vector256<float> negative = Vector256.LessThanOrEqual(value, Vector256<float>.Zero);
                    Vector256<float> result = negative.ExtractMostSignificantBits() == 0xff
                        ? Vector256<float>.Zero
                        : Vector256.AndNot(VectorMath.Log1p(value), negative);
                    VectorMath.Store(result, y + i, count - i);
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
            static (task, s) =>
            {
                float* dy = s.chunks.Start(s.dOutput, task);
                float* x = s.chunks.Start(s.maxima, task);
                float* dx = s.chunks.Start(s.dMaxima, task);
                int count = s.chunks.Length(task);
                for (int i = 0; i < count; i += VectorMath.Lanes)
                {
                    Vector256<float> value = VectorMath.Load(x + i, count - i);
                    Vector256<float> positive = Vector256.GreaterThan(value, Vector256<float>.Zero);
                    VectorMath.Store((VectorMath.Load(dy + i, count - i) / (Vector256<float>.One + value)) & positive, dx + i, count - i);
                }
            });
    }
}
