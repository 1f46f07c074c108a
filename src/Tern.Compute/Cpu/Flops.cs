using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>The FLOPS regulariser: Σ over columns of the squared mean of absolute values.</summary>
internal static unsafe class Flops
{
    // A task reads 2 KiB of each row: whole cache lines, and enough tasks for small vocabularies.
    private const int ColumnsPerTask = 512;

    /// <summary>Each column adds its rows in order; the tasks' sums of squares are added in order.</summary>
    public static double Forward(WorkerPool pool, Tensor values, Tensor columnMeans)
    {
        Operand.Check(values);
        Operand.CheckVector(columnMeans, values.Columns);
        int taskCount = (values.Columns + ColumnsPerTask - 1) / ColumnsPerTask;
        using ScratchLease lease = pool.RentScratch();
        double* partials = lease.Buffer.Elements<double>(taskCount);
        pool.Run(
            taskCount,
            (values, columnMeans, partials: (nint)partials),
            [MethodImpl(MethodImplOptions.AggressiveOptimization)]
            static (task, s) =>
            {
                int start = task * ColumnsPerTask;
                int count = Math.Min(ColumnsPerTask, s.values.Columns - start);
                float* means = s.columnMeans.Floats(0) + start;
                new Span<float>(means, count).Clear();
                int row = 0;
                for (; row <= s.values.Rows - 4; row += 4)
                {
                    AddFourRows(s.values.Floats(row) + start, s.values.RowPitch, means, count);
                }

                for (; row < s.values.Rows; row++)
                {
                    AddRow(s.values.Floats(row) + start, means, count);
                }

                double sum = 0;
                float share = 1f / Math.Max(s.values.Rows, 1);
                for (int i = 0; i < count; i++)
                {
                    means[i] *= share;
                    sum += (double)means[i] * means[i];
                }

                ((double*)s.partials)[task] = sum;
            });

        double total = 0;
        for (int task = 0; task < taskCount; task++)
        {
            total += partials[task];
        }

        return total;
    }

    /// <summary>∂FLOPS/∂x[b, v] = 2 · mean[v] · sign(x[b, v]) / B.</summary>
    public static void Backward(WorkerPool pool, Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues)
    {
        Operand.Check(values);
        Operand.CheckVector(columnMeans, values.Columns);
        Operand.Check(accumulateDValues, values.Rows, values.Columns);
        pool.Run(
            values.Rows,
            (values, columnMeans, weight, accumulateDValues),
            static (row, s) => SimdPaths.Current.Elements.FlopsBackward(s.values.Floats(row), s.columnMeans.Floats(0), 2 * s.weight / s.values.Rows, s.accumulateDValues.Floats(row), s.values.Columns));
    }

    /// <summary>dValues += scale · means · sign(values) on one vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Backward<TVector>(float* values, float* columnMeans, float scale, float* accumulateDValues, int count)
        where TVector : unmanaged, IFloatVector<TVector>
    {
        TVector factor = TVector.Broadcast(scale), signBit = TVector.Broadcast(-0f);
        for (int i = 0; i < count; i += TVector.Count)
        {
            int left = count - i;
            TVector value = VectorMath.Load<TVector>(values + i, left);
            if (TVector.NonZeroBits(value) == 0)
            {
                continue;
            }

            TVector step = TVector.Xor(TVector.Multiply(factor, VectorMath.Load<TVector>(columnMeans + i, left)), TVector.And(value, signBit));
            TVector isZero = TVector.LessThanOrEqual(TVector.And(value, TVector.Broadcast(BitConverter.Int32BitsToSingle(int.MaxValue))), default);
            VectorMath.Store(TVector.Add(VectorMath.Load<TVector>(accumulateDValues + i, left), TVector.Select(isZero, default, step)), accumulateDValues + i, left);
        }
    }

    /// <summary>As <see cref="AddRow"/> four times, with one pass over the sums.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddFourRows(float* values, nint pitch, float* sums, int count)
    {
        int i = 0;
        for (; i <= count - VectorMath.Lanes; i += VectorMath.Lanes)
        {
            Vector256<float> sum = Vector256.Load(sums + i) + Vector256.Abs(Vector256.Load(values + i));
            sum += Vector256.Abs(Vector256.Load(values + pitch + i));
            sum += Vector256.Abs(Vector256.Load(values + (2 * pitch) + i));
            sum += Vector256.Abs(Vector256.Load(values + (3 * pitch) + i));
            sum.Store(sums + i);
        }

        for (int row = 0; row < 4 && i < count; row++)
        {
            AddRow(values + (row * pitch) + i, sums + i, count - i);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRow(float* values, float* sums, int count)
    {
        for (int i = 0; i < count; i += VectorMath.Lanes)
        {
            VectorMath.Store(VectorMath.Load(sums + i, count - i) + Vector256.Abs(VectorMath.Load(values + i, count - i)), sums + i, count - i);
        }
    }
}
