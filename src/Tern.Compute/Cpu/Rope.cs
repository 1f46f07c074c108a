using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>Rotary position embedding: each pair (v[i], v[i + D/2]) of a head is turned by its position's angle i.</summary>
internal static unsafe class Rope
{
    public static void Forward(WorkerPool pool, Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values) =>
        Rotate(pool, sequenceStarts, rotations, headSize, 1, values);

    /// <summary>The transpose of a rotation is the rotation by the opposite angle.</summary>
    public static void Backward(WorkerPool pool, Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues) =>
        Rotate(pool, sequenceStarts, rotations, headSize, -1, dValues);

    private static void Rotate(WorkerPool pool, Tensor sequenceStarts, Tensor rotations, int headSize, float sign, Tensor values)
    {
        if (headSize <= 0 || headSize % 2 != 0)
        {
            throw new ArgumentException($"headSize is {headSize}: expected an even positive number", nameof(headSize));
        }

        Operand.Check(values);
        if (values.Columns % headSize != 0)
        {
            Operand.Fail(nameof(values), $"a multiple of {headSize} columns", values);
        }

        int count = Operand.CheckSequences(sequenceStarts, values.Rows);
        Operand.Check(rotations, rotations.Rows, headSize);
        int* starts = sequenceStarts.Ints(0);
        using ScratchLease lease = pool.RentScratch();
        int* positions = lease.Buffer.Elements<int>(values.Rows);
        for (int b = 0; b < count; b++)
        {
            if (starts[b + 1] - starts[b] > rotations.Rows)
            {
                Operand.Fail(nameof(rotations), $"{starts[b + 1] - starts[b]} positions for sequence {b}", rotations);
            }

            for (int t = starts[b]; t < starts[b + 1]; t++)
            {
                positions[t] = t - starts[b];
            }
        }

        RowChunks chunks = new(values.Rows, values.Columns);
        pool.Run(
            chunks.Count,
            (chunks, rotations, positions: (nint)positions, headSize, sign, values),
            static (task, s) =>
            {
                for (int row = s.chunks.Start(task); row < s.chunks.End(task); row++)
                {
                    float* rotation = s.rotations.Floats(((int*)s.positions)[row]);
                    float* value = s.values.Floats(row);
                    for (int head = 0; head < s.values.Columns; head += s.headSize)
                    {
                        RotateHead(value + head, rotation, s.headSize / 2, s.sign);
                    }
                }
            });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void RotateHead(float* first, float* cosines, int half, float sign)
    {
        float* second = first + half;
        float* sines = cosines + half;
        for (int i = 0; i < half; i += VectorMath.Lanes)
        {
            int left = half - i;
            var cosine = VectorMath.Load(cosines + i, left);
            var sine = VectorMath.Load(sines + i, left) * sign;
            var x = VectorMath.Load(first + i, left);
            var y = VectorMath.Load(second + i, left);
            VectorMath.Store(VectorMath.MultiplyAdd(-y, sine, x * cosine), first + i, left);
            VectorMath.Store(VectorMath.MultiplyAdd(x, sine, y * cosine), second + i, left);
        }
    }
}
