using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// Dense matrix products on the CPU. Every result element is one chain of fused multiply-adds over the inner index in
/// ascending order, begun at zero or at the destination's element, so its bits depend on nothing but its row and its
/// column: not on the other rows and columns, the blocking, the thread count or the vector width.
/// </summary>
internal static unsafe class MatrixProduct
{
    /// <summary>destination = op(left) · op(right), or += when <paramref name="accumulate"/>; <paramref name="right"/> may be BFloat16.</summary>
    public static void Multiply(WorkerPool pool, Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination) =>
        Multiply(SimdPaths.Current, pool, left, transposeLeft, right, transposeRight, accumulate, destination);

    /// <summary>As the other overload, on a given path.</summary>
    public static void Multiply(SimdPath path, WorkerPool pool, Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination)
    {
        int inner = Validate(left, transposeLeft, right, transposeRight, destination);
        if (destination.ElementCount == 0)
        {
            return;
        }

        if (inner == 0)
        {
            if (!accumulate)
            {
                Clear(destination);
            }

            return;
        }

        MatrixProductPlan plan = new()
        {
            Kernels = path.Kernels,
            Left = left,
            Right = right,
            Destination = destination,
            TransposeLeft = transposeLeft,
            TransposeRight = transposeRight,
            Accumulate = accumulate,
            Inner = inner,
        };
        plan.Cut(pool.ThreadCount);
        if (plan.SharesRight)
        {
            using ScratchLease lease = pool.RentScratch();
            int panelCount = MatrixProductPlan.CeilingDivide(destination.Columns, path.Kernels.TileColumns);
            plan.SharedRight = lease.Buffer.Floats((nint)panelCount * path.Kernels.TileColumns * inner);
            PackShared(pool, plan, panelCount);
            RunTasks(pool, plan);
        }
        else
        {
            RunTasks(pool, plan);
        }
    }

    private static void PackShared(WorkerPool pool, in MatrixProductPlan plan, int panelCount)
    {
        const int PanelsPerTask = 4;
        pool.Run(
            MatrixProductPlan.CeilingDivide(panelCount, PanelsPerTask),
            plan,
            static (task, p) =>
            {
                int width = p.Kernels.TileColumns;
                int column = task * PanelsPerTask * width;
                int count = Math.Min(PanelsPerTask * width, p.Destination.Columns - column);
                Packing.PackRight(p.Right, p.TransposeRight, column, count, 0, p.Inner, width, p.SharedRight + ((nint)column * p.Inner));
            });
    }

    private static void RunTasks(WorkerPool pool, in MatrixProductPlan plan) =>
        pool.Run(
            plan.TaskCount,
            (plan, pool),
            static (task, s) =>
            {
                using ScratchLease lease = s.pool.RentScratch();
                s.plan.Kernels.MultiplyBlock(s.plan, task, lease.Buffer);
            });

    private static int Validate(Tensor left, bool transposeLeft, Tensor right, bool transposeRight, Tensor destination)
    {
        (int rows, int inner) = transposeLeft ? (left.Columns, left.Rows) : (left.Rows, left.Columns);
        (int rightInner, int columns) = transposeRight ? (right.Columns, right.Rows) : (right.Rows, right.Columns);
        if (inner != rightInner || destination.Rows != rows || destination.Columns != columns)
        {
            throw new ArgumentException($"shapes do not agree: {left}{(transposeLeft ? " transposed" : "")} · {right}{(transposeRight ? " transposed" : "")} into {destination}");
        }

        if (left.DType != DType.Float32 || right.DType == DType.Int32 || destination.DType != DType.Float32)
        {
            throw new ArgumentException($"a product takes Float32 · (Float32 or BFloat16) into Float32, not {left} · {right} into {destination}");
        }

        if (!left.IsHost || !right.IsHost || !destination.IsHost)
        {
            throw new ArgumentException($"the CPU multiplies host tensors, not {left} · {right} into {destination}");
        }

        return inner;
    }

    private static void Clear(Tensor destination)
    {
        for (int i = 0; i < destination.Rows; i++)
        {
            destination.Row<float>(i).Clear();
        }
    }
}
