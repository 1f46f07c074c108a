using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// The backward: maxima[b, v] = scale · hidden[i] · weight[v] + bias[v] with i = argMax[b, v], so each non-zero gradient g
/// gives dHidden[i] += scale · g · weight[v], dWeight[v] += scale · g · hidden[i], dBias[v] += g. The non-zero entries
/// are listed once, by sequence; a stable sort lists them by vocabulary entry. Each list's order is the order of additions.
/// </summary>
internal static unsafe partial class MaxPoolProduct
{
    /// <summary>See <see cref="IBackend.MaxPoolProductBackward"/>.</summary>
    public static void Backward(WorkerPool pool, Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias) =>
        Backward(SimdPaths.Current, pool, dMaxima, argMax, hidden, weight, scale, accumulateDHidden, accumulateDWeight, accumulateDBias);

    /// <summary>As the other overload, on a given path.</summary>
    public static void Backward(SimdPath path, WorkerPool pool, Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias)
    {
        ValidateBackward(dMaxima, argMax, hidden, weight, accumulateDHidden, accumulateDWeight, accumulateDBias);
        if (dMaxima.ElementCount == 0)
        {
            return;
        }

        int sequenceCount = dMaxima.Rows;
        int vocabularySize = dMaxima.Columns;
        using ScratchLease offsets = pool.RentScratch();
        using ScratchLease lists = pool.RentScratch();
        GradientPlan plan = new()
        {
            Kernels = path.Kernels,
            DMaxima = dMaxima,
            ArgMax = argMax,
            Hidden = hidden,
            Weight = weight,
            Scale = scale,
            DHidden = accumulateDHidden,
            DWeight = accumulateDWeight,
            DBias = accumulateDBias,
            SequenceStarts = (int*)offsets.Buffer.Floats(sequenceCount + vocabularySize + 2),
        };
        plan.EntryStarts = plan.SequenceStarts + sequenceCount + 1;

        pool.Run(sequenceCount, plan, static (b, p) => p.SequenceStarts[b + 1] = p.Kernels.CountNonZeros(p.DMaximaRow(b), p.DMaxima.Columns));
        plan.SequenceStarts[0] = 0;
        for (int b = 0; b < sequenceCount; b++)
        {
            plan.SequenceStarts[b + 1] = checked(plan.SequenceStarts[b] + plan.SequenceStarts[b + 1]);
        }

        int count = plan.SequenceStarts[sequenceCount];
        plan.Vocabulary = (int*)lists.Buffer.Floats(4 * (nint)count);
        plan.Row = plan.Vocabulary + count;
        plan.ByVocabulary = plan.Row + count;
        plan.Gradient = (float*)(plan.ByVocabulary + count);
        pool.Run(sequenceCount, plan, static (b, p) => ListSequence(p, b));

        int vocabularyTasks = 0;
        if (!accumulateDWeight.IsEmpty || !accumulateDBias.IsEmpty)
        {
            SortByVocabulary(plan, count);
            vocabularyTasks = MatrixProductPlan.CeilingDivide(vocabularySize, GradientPlan.VocabularyPerTask);
        }

        pool.Run(
            sequenceCount + vocabularyTasks,
            plan,
            static (task, p) =>
            {
                if (task < p.DMaxima.Rows)
                {
                    AccumulateDHidden(p, task);
                }
                else
                {
                    AccumulateDWeight(p, task - p.DMaxima.Rows);
                }
            });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ListSequence(in GradientPlan plan, int b)
    {
        int start = plan.SequenceStarts[b];
        float* gradients = plan.DMaximaRow(b);
        plan.Kernels.FindNonZeros(gradients, plan.DMaxima.Columns, plan.Vocabulary + start);
        int* argMax = (int*)plan.ArgMax.Address + ((nint)b * plan.ArgMax.RowPitch);
        for (int e = start; e < plan.SequenceStarts[b + 1]; e++)
        {
            int row = argMax[plan.Vocabulary[e]];
            if (row >= plan.Hidden.Rows)
            {
                throw new ArgumentException($"argMax[{b}, {plan.Vocabulary[e]}] is {row}, but hidden has {plan.Hidden.Rows} rows");
            }

            plan.Row[e] = row;
            plan.Gradient[e] = gradients[plan.Vocabulary[e]];
        }
    }

    /// <summary>A counting sort, which keeps the sequences of one vocabulary entry in order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void SortByVocabulary(in GradientPlan plan, int count)
    {
        int vocabularySize = plan.DMaxima.Columns;
        new Span<int>(plan.EntryStarts, vocabularySize + 1).Clear();
        for (int e = 0; e < count; e++)
        {
            plan.EntryStarts[plan.Vocabulary[e]]++;
        }

        // Ends first; placing the entries from the last to the first turns them into starts.
        int end = 0;
        for (int v = 0; v <= vocabularySize; v++)
        {
            end += plan.EntryStarts[v];
            plan.EntryStarts[v] = end;
        }

        for (int e = count - 1; e >= 0; e--)
        {
            plan.ByVocabulary[--plan.EntryStarts[plan.Vocabulary[e]]] = e;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AccumulateDHidden(in GradientPlan plan, int b)
    {
        nint weightPitch = plan.Weight.RowPitch * (nint)plan.Weight.DType.ByteSize();
        for (int e = plan.SequenceStarts[b]; e < plan.SequenceStarts[b + 1]; e++)
        {
            if (plan.Row[e] >= 0)
            {
                int v = plan.Vocabulary[e];
                float* dHidden = (float*)plan.DHidden.Address + ((nint)plan.Row[e] * plan.DHidden.RowPitch);
                plan.Kernels.AddScaled(plan.Scale * plan.Gradient[e], (byte*)plan.Weight.Address + (v * weightPitch), plan.Weight.DType, plan.Weight.Columns, dHidden);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AccumulateDWeight(in GradientPlan plan, int task)
    {
        int last = Math.Min((task + 1) * GradientPlan.VocabularyPerTask, plan.DMaxima.Columns);
        for (int v = task * GradientPlan.VocabularyPerTask; v < last; v++)
        {
            for (int z = plan.EntryStarts[v]; z < plan.EntryStarts[v + 1]; z++)
            {
                int e = plan.ByVocabulary[z];
                if (plan.Row[e] < 0)
                {
                    continue;
                }

                if (!plan.DWeight.IsEmpty)
                {
                    byte* hidden = (byte*)plan.Hidden.Address + ((nint)plan.Row[e] * plan.Hidden.RowPitch * sizeof(float));
                    plan.Kernels.AddScaled(plan.Scale * plan.Gradient[e], hidden, DType.Float32, plan.Hidden.Columns, (float*)plan.DWeight.Address + ((nint)v * plan.DWeight.RowPitch));
                }

                if (!plan.DBias.IsEmpty)
                {
                    ((float*)plan.DBias.Address)[v] += plan.Gradient[e];
                }
            }
        }
    }

    private static void ValidateBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, Tensor dHidden, Tensor dWeight, Tensor dBias)
    {
        bool shapesAgree = hidden.Columns == weight.Columns && dMaxima.Columns == weight.Rows && (argMax.Rows, argMax.Columns) == (dMaxima.Rows, dMaxima.Columns)
            && (dHidden.Rows, dHidden.Columns) == (hidden.Rows, hidden.Columns)
            && (dWeight.IsEmpty || (dWeight.Rows, dWeight.Columns) == (weight.Rows, weight.Columns))
            && (dBias.IsEmpty || dBias.Columns == weight.Rows);
        if (!shapesAgree)
        {
            throw new ArgumentException($"shapes do not agree: dMaxima {dMaxima}, argMax {argMax}, hidden {hidden}, weight {weight}, dHidden {dHidden}, dWeight {dWeight}, dBias {dBias}");
        }

        bool typesFit = dMaxima.DType == DType.Float32 && argMax.DType == DType.Int32 && hidden.DType == DType.Float32 && weight.DType != DType.Int32
            && dHidden.DType == DType.Float32 && (dWeight.IsEmpty || dWeight.DType == DType.Float32) && (dBias.IsEmpty || dBias.DType == DType.Float32);
        if (!typesFit)
        {
            throw new ArgumentException($"element types do not fit: dMaxima {dMaxima}, argMax {argMax}, hidden {hidden}, weight {weight}, dHidden {dHidden}, dWeight {dWeight}, dBias {dBias}");
        }
    }

    /// <summary>The operands, and the entries with a gradient as columns of a table: vocabulary entry, row and gradient.</summary>
    private struct GradientPlan
    {
        public const int VocabularyPerTask = 256;

        public VectorKernels Kernels;
        public Tensor DMaxima;
        public Tensor ArgMax;
        public Tensor Hidden;
        public Tensor Weight;
        public Tensor DHidden;
        public Tensor DWeight;
        public Tensor DBias;
        public float Scale;

        /// <summary>[B + 1]: where each sequence's entries start; within a sequence they ascend by vocabulary entry.</summary>
        public int* SequenceStarts;
        public int* Vocabulary;
        public int* Row;
        public float* Gradient;

        /// <summary>Entries in order of vocabulary entry, then sequence; those of v start at EntryStarts[v], [V + 1].</summary>
        public int* ByVocabulary;
        public int* EntryStarts;

        public readonly float* DMaximaRow(int b) => (float*)DMaxima.Address + ((nint)b * DMaxima.RowPitch);
    }
}
