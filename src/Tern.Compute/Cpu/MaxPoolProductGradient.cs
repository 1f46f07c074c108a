using System.Runtime.CompilerServices;
using Tern.Compute.Threading;

namespace Tern.Compute.Cpu;

/// <summary>
/// The backward: maxima[b, v] = scale · hidden[i] · weight[v] + bias[v] with i = argMax[b, v], so each non-zero gradient g
/// gives dHidden[i] += scale · g · weight[v], dWeight[v] += scale · g · hidden[i], dBias[v] += g. The non-zero entries
/// are listed once, by sequence; a stable sort copies them by vocabulary entry. Each list's order is the order of additions.
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

        // The lists first: they get the buffer given back last, which is the forward's laid-out rows, as large as any.
        using ScratchLease lists = pool.RentScratch();
        using ScratchLease offsets = pool.RentScratch();
        GradientPlan plan = new()
        {
            Kernels = path.Kernels,
            Elements = path.Elements,
            DMaxima = dMaxima,
            ArgMax = argMax,
            Hidden = hidden,
            Weight = weight,
            Scale = scale,
            DHidden = accumulateDHidden,
            DWeight = accumulateDWeight,
            DBias = accumulateDBias,
            SequenceStarts = (int*)offsets.Buffer.Floats(sequenceCount + 1),
        };

        pool.Run(sequenceCount, plan, static (b, p) => p.SequenceStarts[b + 1] = p.Kernels.CountNonZeros(p.DMaximaRow(b), p.DMaxima.Columns));
        plan.SequenceStarts[0] = 0;
        for (int b = 0; b < sequenceCount; b++)
        {
            plan.SequenceStarts[b + 1] = checked(plan.SequenceStarts[b] + plan.SequenceStarts[b + 1]);
        }

        int count = plan.SequenceStarts[sequenceCount];
        plan.BySequence = EntryList.At(lists.Buffer.Floats((2 * EntryList.Size(count)) + vocabularySize + 1), count);
        plan.ByVocabulary = EntryList.At(plan.BySequence.Gradient + count, count);
        plan.EntryStarts = (int*)(plan.ByVocabulary.Gradient + count);
        pool.Run(sequenceCount, plan, static (b, p) => ListSequence(p, b));

        int vocabularyTasks = 0;
        if (!accumulateDWeight.IsEmpty || !accumulateDBias.IsEmpty)
        {
            SortByVocabulary(plan, count);
            vocabularyTasks = Rounding.CeilingDivide(vocabularySize, GradientPlan.VocabularyPerTask);
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
        plan.Kernels.FindNonZeros(gradients, plan.DMaxima.Columns, plan.BySequence.Vocabulary + start);
        int* argMax = (int*)plan.ArgMax.Address + ((nint)b * plan.ArgMax.RowPitch);
        for (int e = start; e < plan.SequenceStarts[b + 1]; e++)
        {
            int v = plan.BySequence.Vocabulary[e], row = argMax[v];
            if (row >= plan.Hidden.Rows)
            {
                throw new ArgumentException($"argMax[{b}, {v}] is {row}, but hidden has {plan.Hidden.Rows} rows");
            }

            plan.BySequence.Row[e] = row;
            plan.BySequence.Gradient[e] = gradients[v];
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
            plan.EntryStarts[plan.BySequence.Vocabulary[e]]++;
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
            int v = plan.BySequence.Vocabulary[e], place = --plan.EntryStarts[v];
            plan.ByVocabulary.Vocabulary[place] = v;
            plan.ByVocabulary.Row[place] = plan.BySequence.Row[e];
            plan.ByVocabulary.Gradient[place] = plan.BySequence.Gradient[e];
        }
    }

    private static void AccumulateDHidden(in GradientPlan plan, int b)
    {
        EntryList list = plan.BySequence;
        ScaledRows rows = new() { Scale = plan.Scale, Factors = list.Gradient, From = list.Vocabulary, To = list.Row, Source = plan.Weight, Destination = plan.DHidden };
        plan.Elements.AddScaledRows(rows, plan.SequenceStarts[b], plan.SequenceStarts[b + 1]);
    }

    private static void AccumulateDWeight(in GradientPlan plan, int task)
    {
        EntryList list = plan.ByVocabulary;
        int last = Math.Min((task + 1) * GradientPlan.VocabularyPerTask, plan.DMaxima.Columns);
        int start = plan.EntryStarts[task * GradientPlan.VocabularyPerTask], end = plan.EntryStarts[last];
        if (!plan.DWeight.IsEmpty)
        {
            ScaledRows rows = new() { Scale = plan.Scale, Factors = list.Gradient, From = list.Row, To = list.Vocabulary, Source = plan.Hidden, Destination = plan.DWeight };
            plan.Elements.AddScaledRows(rows, start, end);
        }

        for (int e = start; e < end && !plan.DBias.IsEmpty; e++)
        {
            if (list.Row[e] >= 0)
            {
                ((float*)plan.DBias.Address)[list.Vocabulary[e]] += list.Gradient[e];
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

    /// <summary>Entries with a gradient, as columns of a table.</summary>
    private readonly struct EntryList
    {
        private EntryList(int* memory, int count)
        {
            Vocabulary = memory;
            Row = memory + count;
            Gradient = (float*)(memory + (2 * (nint)count));
        }

        public int* Vocabulary { get; }

        public int* Row { get; }

        public float* Gradient { get; }

        /// <summary>Floats of memory for that many entries.</summary>
        public static nint Size(int count) => 3 * (nint)count;

        public static EntryList At(float* memory, int count) => new((int*)memory, count);
    }

    /// <summary>The operands and the entries with a gradient in two orders.</summary>
    private struct GradientPlan
    {
        public const int VocabularyPerTask = 256;

        public VectorKernels Kernels;
        public ElementKernels Elements;
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
        public EntryList BySequence;

        /// <summary>In order of vocabulary entry, then sequence; those of v start at EntryStarts[v], [V + 1].</summary>
        public EntryList ByVocabulary;
        public int* EntryStarts;

        public readonly float* DMaximaRow(int b) => (float*)DMaxima.Address + ((nint)b * DMaxima.RowPitch);
    }
}
