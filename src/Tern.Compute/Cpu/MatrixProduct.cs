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

    /// <summary>See <see cref="IBackend.Prepare"/>.</summary>
    public static CpuPreparedWeight Prepare(ProductKernels kernels, WorkerPool pool, Tensor weight, bool narrow)
    {
        if (weight.DType == DType.Int32 || !weight.IsHost)
        {
            throw new ArgumentException($"a weight is Float32 or BFloat16 in host memory, not {weight}", nameof(weight));
        }

        CpuPreparedWeight prepared = new(kernels, weight.Rows, weight.Columns, narrow);
        PackPanels(pool, kernels, weight, true, Rounding.CeilingDivide(weight.Rows, kernels.TileColumns), prepared.Panels, narrow);
        return prepared;
    }

    /// <summary>See <see cref="IBackend.ProjectForward"/>; <paramref name="kernels"/> are for a weight that is not prepared.</summary>
    public static void Project(ProductKernels kernels, WorkerPool pool, Tensor input, ProjectionWeight weight, Tensor start, Tensor destination)
    {
        RightOperand right = Operand(weight, ref kernels);
        int inner = Validate(input, false, weight.Matrix, true, destination);
        if (!start.IsEmpty)
        {
            Cpu.Operand.Check(start, destination.Rows, destination.Columns);
        }

        Run(kernels, pool, inner, destination.Columns, new MatrixProductPlan { Left = input, Right = right, Start = start, Destination = destination });
    }

    /// <summary>See <see cref="IBackend.GatedProjectForward"/>.</summary>
    public static void ProjectGated(ProductKernels kernels, WorkerPool pool, Tensor input, ProjectionWeight gate, ProjectionWeight up, Tensor gateOutput, Tensor upOutput, Tensor activated)
    {
        ProductKernels upKernels = kernels;
        RightOperand left = Operand(gate, ref kernels);
        RightOperand right = Operand(up, ref upKernels);
        if (kernels != upKernels)
        {
            throw new ArgumentException("gate and up must both be prepared, or neither", nameof(up));
        }

        int inner = Validate(input, false, gate.Matrix, true, activated);
        Validate(input, false, up.Matrix, true, activated);
        if (gateOutput.IsEmpty != upOutput.IsEmpty)
        {
            throw new ArgumentException("gateOutput and upOutput are kept both or not at all", nameof(upOutput));
        }

        if (!gateOutput.IsEmpty)
        {
            Cpu.Operand.Check(gateOutput, activated.Rows, activated.Columns);
            Cpu.Operand.Check(upOutput, activated.Rows, activated.Columns);
        }

        Run(kernels, pool, inner, activated.Columns, new MatrixProductPlan { Left = input, Right = left, Up = right, Destination = gateOutput, UpDestination = upOutput, Activated = activated });
    }

    /// <summary>The weight as a right operand; a prepared one brings its own kernels.</summary>
    internal static RightOperand Operand(ProjectionWeight weight, ref ProductKernels kernels)
    {
        RightOperand operand = new() { Matrix = weight.Matrix, Transpose = true };
        if (weight.Prepared is { } prepared)
        {
            if (prepared is not CpuPreparedWeight own || own.Panels == null || own.Rows != weight.Matrix.Rows || own.Columns != weight.Matrix.Columns)
            {
                throw new ArgumentException($"the prepared form of {weight.Matrix} is disposed, of another shape or of another backend", nameof(weight));
            }

            operand.Panels = own.Panels;
            operand.IsNarrow = own.IsNarrow;
            kernels = own.Kernels;
        }

        return operand;
    }

    private static void Run(ProductKernels kernels, WorkerPool pool, int inner, int columns, MatrixProductPlan plan)
    {
        if (plan.Rows == 0 || columns == 0)
        {
            return;
        }

        if (inner == 0)
        {
            EmptySum(plan);
            return;
        }

        plan.Kernels = kernels;
        plan.Inner = inner;
        plan.Columns = columns;
        plan.Cut(pool.ThreadCount);
        if (plan.Right.Panels != null || !plan.PacksFirst)
        {
            RunTasks(pool, plan);
            return;
        }

        int panelCount = Rounding.CeilingDivide(columns, kernels.TileColumns);
        nint size = panelCount * kernels.PanelByteCount(inner);
        using ScratchLease lease = pool.RentScratch();
        plan.Right.Panels = (byte*)lease.Buffer.Floats((plan.IsGated ? 2 : 1) * size / sizeof(float));
        PackPanels(pool, kernels, plan.Right.Matrix, plan.Right.Transpose, panelCount, plan.Right.Panels, narrow: false);
        if (plan.IsGated)
        {
            plan.Up.Panels = plan.Right.Panels + size;
            PackPanels(pool, kernels, plan.Up.Matrix, plan.Up.Transpose, panelCount, plan.Up.Panels, narrow: false);
        }

        RunTasks(pool, plan);
    }

    private static void PackPanels(WorkerPool pool, ProductKernels kernels, Tensor right, bool transpose, int panelCount, byte* panels, bool narrow)
    {
        const int PanelsPerTask = 4;
        pool.Run(
            Rounding.CeilingDivide(panelCount, PanelsPerTask),
            (kernels, right, transpose, panelCount, Panels: (nint)panels, narrow),
            static (task, s) =>
            {
                int first = task * PanelsPerTask;
                int inner = s.transpose ? s.right.Columns : s.right.Rows;
                int count = Math.Min(PanelsPerTask, s.panelCount - first);
                nint start = first * s.kernels.PanelByteCount(inner);
                if (s.narrow)
                {
                    s.kernels.PackNarrowPanels(s.right, s.transpose, first, count, (ushort*)((byte*)s.Panels + (start / 2)));
                }
                else
                {
                    s.kernels.PackPanels(s.right, s.transpose, first, count, (byte*)s.Panels + start);
                }
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

    /// <summary>What a product over no inner elements gives: where the sums begin.</summary>
    private static void EmptySum(in MatrixProductPlan plan)
    {
        foreach (Tensor destination in (ReadOnlySpan<Tensor>)[plan.Destination, plan.UpDestination, plan.Activated])
        {
            if (destination.IsEmpty || destination == plan.Start)
            {
                continue;
            }

            for (int i = 0; i < destination.Rows; i++)
            {
                if (plan.Start.IsEmpty)
                {
                    destination.Row<float>(i).Clear();
                }
                else
                {
                    plan.Start.Row<float>(i).CopyTo(destination.Row<float>(i));
                }
            }
        }
    }
}
