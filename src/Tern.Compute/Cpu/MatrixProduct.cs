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
    public static void Multiply(ProductKernels kernels, WorkerPool pool, Tensor left, bool transposeLeft, Tensor right, bool transposeRight, bool accumulate, Tensor destination)
    {
        int inner = Validate(left, transposeLeft, right, transposeRight, destination);
        Run(kernels, pool, inner, destination.Columns, new MatrixProductPlan
        {
            Left = left,
            TransposeLeft = transposeLeft,
            Right = new RightOperand { Matrix = right, Transpose = transposeRight },
            Start = accumulate ? destination : default,
            Destination = destination,
        });
    }

    private static void Run(ProductKernels kernels, WorkerPool pool, int inner, int columns, MatrixProductPlan plan)
    {
        if (plan.Destination.ElementCount == 0)
        {
            return;
        }

        if (inner == 0)
        {
            if (plan.Start.IsEmpty)
            {
                Clear(plan.Destination);
            }

            return;
        }

        plan.Kernels = kernels;
        plan.Inner = inner;
        plan.Cut(pool.ThreadCount, columns);
        if (plan.SharesRight(columns) && plan.Right.Panels == null)
        {
            int panelCount = MatrixProductPlan.CeilingDivide(columns, kernels.TileColumns);
            nint size = panelCount * kernels.PanelByteCount(inner);
            using ScratchLease lease = pool.RentScratch();
            plan.Right.Panels = (byte*)lease.Buffer.Floats(size / sizeof(float));
            PackPanels(pool, kernels, plan.Right.Matrix, plan.Right.Transpose, panelCount, plan.Right.Panels);
            RunTasks(pool, plan);
        }
        else
        {
            RunTasks(pool, plan);
        }
    }

    private static void PackPanels(WorkerPool pool, ProductKernels kernels, Tensor right, bool transpose, int panelCount, byte* panels)
    {
        const int PanelsPerTask = 4;
        pool.Run(
            MatrixProductPlan.CeilingDivide(panelCount, PanelsPerTask),
            (kernels, right, transpose, panelCount, Panels: (nint)panels),
            static (task, s) =>
            {
                int first = task * PanelsPerTask;
                int inner = s.transpose ? s.right.Columns : s.right.Rows;
                byte* to = (byte*)s.Panels + (first * s.kernels.PanelByteCount(inner));
                s.kernels.PackPanels(s.right, s.transpose, first, Math.Min(PanelsPerTask, s.panelCount - first), to);
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
