using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The dense head: the mean over a sequence of its rows divided by their lengths.</summary>
internal static unsafe class NormalizedMean
{
    private const float SmallestNorm = 1e-12f;

    public static void Forward(WorkerPool pool, Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination)
    {
        Operand.Check(hidden);
        int count = Operand.CheckSequences(sequenceStarts, hidden.Rows);
        Operand.CheckVector(inverseNorms, hidden.Rows);
        Operand.Check(destination, count, hidden.Columns);
        pool.Run(
            count,
            (hidden, sequenceStarts, inverseNorms, destination),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (b, s) =>
            {
                int columns = s.hidden.Columns;
                int start = s.sequenceStarts.Ints(0)[b], end = s.sequenceStarts.Ints(0)[b + 1];
                float* mean = s.destination.Floats(b);
                new Span<float>(mean, columns).Clear();
                for (int row = start; row < end; row++)
                {
                    float* x = s.hidden.Floats(row);
                    float inverse = 1 / MathF.Max(MathF.Sqrt(VectorMath.Dot(x, x, columns)), SmallestNorm);
                    s.inverseNorms.Floats(0)[row] = inverse;
                    VectorMath.AddScaled(x, inverse, mean, columns);
                }

                float share = 1f / Math.Max(end - start, 1);
                for (int i = 0; i < columns; i++)
                {
                    mean[i] *= share;
                }
            });
    }

    /// <summary>With r = 1/‖x‖ and L rows: dx = r/L · (dy − x · r² · (x · dy)); the second term is absent where the norm was clamped.</summary>
    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden)
    {
        Operand.Check(hidden);
        int count = Operand.CheckSequences(sequenceStarts, hidden.Rows);
        Operand.Check(dOutput, count, hidden.Columns);
        Operand.CheckVector(inverseNorms, hidden.Rows);
        Operand.Check(dHidden, hidden.Rows, hidden.Columns);
        pool.Run(
            count,
            (dOutput, hidden, inverseNorms, sequenceStarts, dHidden),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (b, s) =>
            {
                int columns = s.hidden.Columns;
                int start = s.sequenceStarts.Ints(0)[b], end = s.sequenceStarts.Ints(0)[b + 1];
                float* dy = s.dOutput.Floats(b);
                for (int row = start; row < end; row++)
                {
                    float* x = s.hidden.Floats(row);
                    float* dx = s.dHidden.Floats(row);
                    float r = s.inverseNorms.Floats(0)[row];
                    float scale = r / (end - start);
                    float pull = r >= 1 / SmallestNorm ? 0 : -scale * r * r * VectorMath.Dot(x, dy, columns);
                    for (int i = 0; i < columns; i += VectorMath.Lanes)
                    {
                        int left = columns - i;
                        VectorMath.Store((VectorMath.Load(dy + i, left) * scale) + (VectorMath.Load(x + i, left) * pull), dx + i, left);
                    }
                }
            });
    }
}
