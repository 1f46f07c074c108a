using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>y = x · r · w with r = 1/√(mean(x²) + ε), per row.</summary>
internal static unsafe class RmsNorm
{
    public static void Forward(WorkerPool pool, Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination)
    {
        Operand.Check(input);
        Operand.CheckVector(weight, input.Columns);
        Operand.CheckVector(inverseRms, input.Rows);
        Operand.Check(destination, input.Rows, input.Columns);
        RowChunks chunks = new(input.Rows, input.Columns);
        pool.Run(
            chunks.Count,
            (chunks, input, weight, epsilon, inverseRms, destination),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    s.inverseRms.Floats(0)[row] = NormalizeRow(s.input.Floats(row), s.weight.Floats(0), s.epsilon, s.destination.Floats(row), s.input.Columns);
                }
            });
    }

    /// <summary>
    /// dx += r · (w · dy − x · r² · mean(w · dy · x)); dw += Σ over rows of dy · x · r. The sum for dw runs in row order
    /// within chunks of rows, then over the chunks in order.
    /// </summary>
    public static void Backward(WorkerPool pool, Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight)
    {
        Operand.Check(input);
        Operand.Check(dOutput, input.Rows, input.Columns);
        Operand.CheckVector(weight, input.Columns);
        Operand.CheckVector(inverseRms, input.Rows);
        Operand.Check(accumulateDInput, input.Rows, input.Columns);
        bool weightIsTrained = !accumulateDWeight.IsEmpty;
        if (weightIsTrained)
        {
            Operand.CheckVector(accumulateDWeight, input.Columns);
        }

        RowChunks chunks = new(input.Rows, input.Columns);
        using ScratchLease lease = pool.RentScratch();
        float* partials = weightIsTrained ? lease.Buffer.Floats((nint)chunks.Count * input.Columns) : null; // [chunks, H]
        pool.Run(
            chunks.Count,
            (chunks, dOutput, input, weight, inverseRms, accumulateDInput, partials: (nint)partials),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                int columns = s.input.Columns;
                float* partial = (float*)s.partials + (s.partials == 0 ? 0 : (nint)task * columns);
                if (partial != null)
                {
                    new Span<float>(partial, columns).Clear();
                }

                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    BackwardRow(s.dOutput.Floats(row), s.input.Floats(row), s.weight.Floats(0), s.inverseRms.Floats(0)[row], s.accumulateDInput.Floats(row), partial, columns);
                }
            });

        for (int chunk = 0; weightIsTrained && chunk < chunks.Count; chunk++)
        {
            VectorMath.AddScaled(partials + ((nint)chunk * input.Columns), 1, accumulateDWeight.Floats(0), input.Columns);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float NormalizeRow(float* x, float* weight, float epsilon, float* y, int count)
    {
        float r = 1 / MathF.Sqrt((VectorMath.Dot(x, x, count) / count) + epsilon);
        Vector256<float> scale = Vector256.Create(r);
        int i = 0;
        for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
        {
            (Vector256.Load(x + i) * scale * Vector256.Load(weight + i)).Store(y + i);
        }

        for (; i < count; i++)
        {
            y[i] = x[i] * r * weight[i];
        }

        return r;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow(float* dy, float* x, float* weight, float r, float* dx, float* dWeight, int count)
    {
        Vector256<float> sum0 = default, sum1 = default;
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            sum0 = VectorMath.MultiplyAdd(Vector256.Load(weight + i) * Vector256.Load(dy + i), Vector256.Load(x + i), sum0);
            sum1 = VectorMath.MultiplyAdd(Vector256.Load(weight + i + 8) * Vector256.Load(dy + i + 8), Vector256.Load(x + i + 8), sum1);
        }

        for (; i < count; i += VectorMath.Lanes)
        {
            sum0 = VectorMath.MultiplyAdd(VectorMath.Load(weight + i, count - i) * VectorMath.Load(dy + i, count - i), VectorMath.Load(x + i, count - i), sum0);
        }

        Vector256<float> scale = Vector256.Create(r);
        float pull = -r * r * r * VectorMath.Sum(sum0 + sum1) / count;
        Vector256<float> pulls = Vector256.Create(pull);
        for (i = 0; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
        {
            Vector256<float> source = Vector256.Load(x + i), scaled = Vector256.Load(dy + i) * scale;
            Vector256<float> gradient = VectorMath.MultiplyAdd(source, pulls, Vector256.Load(dx + i));
            VectorMath.MultiplyAdd(scaled, Vector256.Load(weight + i), gradient).Store(dx + i);
            if (dWeight != null)
            {
                VectorMath.MultiplyAdd(scaled, source, Vector256.Load(dWeight + i)).Store(dWeight + i);
            }
        }

        for (; i < count; i++)
        {
            float scaled = dy[i] * r;
            dx[i] = MathF.FusedMultiplyAdd(scaled, weight[i], MathF.FusedMultiplyAdd(x[i], pull, dx[i]));
            if (dWeight != null)
            {
                dWeight[i] = MathF.FusedMultiplyAdd(scaled, x[i], dWeight[i]);
            }
        }
    }
}
