using Tern.Compute;
using Tern.Cuda.Interop;
using Tern.Cuda.Kernels;

namespace Tern.Cuda;

/// <summary>
/// The two operations over the vocabulary, a block of its entries at a time: [tokens, vocabulary] never exists. Logits are
/// Float32, or BFloat16 where the hidden states are.
/// </summary>
public sealed partial class CudaBackend
{
    /// <summary>Entries that one list of the backward covers; the kernels' own number.</summary>
    private const int ListChunk = 2048, ScanBlock = 4096;

    private static readonly KernelFamily SegmentMaxKernel = new("tern_segment_max");
    private static readonly KernelFamily HeadGatherKernel = new("tern_head_gather");
    private static readonly KernelFamily HeadWeightKernel = new("tern_head_weight_gradient");

    /// <summary>The most bytes of logits at a time; 128 MiB, which no GPU's measurement has chosen yet.</summary>
    public long LogitsByteCount { get; init; } = 128L << 20;

    public void MaxPoolProductForward(Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax)
    {
        using CudaRange range = Begin();
        Tensor matrix = PreparedMatrix(weight);
        CheckHead(hidden, matrix, maxima, argMax);
        CheckStarts(sequenceStarts, maxima.Rows);
        Tensor operand = As(OperandType, hidden);
        VocabularyBlocks blocks = new(this, matrix, hidden);
        for (int first = 0; first < matrix.Rows; first += blocks.Size)
        {
            Tensor rows = blocks.Weight(first), logits = blocks.Logits(first);
            _blas.Multiply(operand, false, rows, true, 1, 0, logits);
            Launch(SegmentMaxKernel.For(logits), logits, (long)logits.RowPitch, bias, sequenceStarts, maxima.Rows, scale, first, logits.Columns, matrix.Rows, maxima, argMax);
        }
    }

    public void MaxPoolProductBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias)
    {
        using CudaRange range = Begin();
        CheckHead(hidden, weight, dMaxima, argMax);
        CheckSameShape(hidden, accumulateDHidden);
        int sequences = dMaxima.Rows, vocabulary = weight.Rows, chunks = (vocabulary + ListChunk - 1) / ListChunk;
        long countCount = (long)hidden.Rows * chunks;
        if (sequences > 0 && hidden.Rows > 0)
        {
            // A list of (entry, gradient) for each row, in the order of the vocabulary: count, sum, fill, then gather rows of W.
            int sumCount = (int)((countCount + ScanBlock - 1) / ScanBlock);
            Tensor next = _arena.Take(DType.Int32, hidden.Rows, chunks), sums = _arena.Take(DType.Int32, 1, sumCount + 1);
            Tensor terms = _arena.Take(DType.Int32, sequences, vocabulary), gradients = _arena.Take(DType.Float32, sequences, vocabulary);
            CudaCall.Check(DriverApi.cuMemsetD32Async(next.Address, 0, (nuint)countCount, _stream.Handle));
            Launch("tern_head_count", dMaxima, argMax, sequences, vocabulary, chunks, next);
            Launch("tern_scan_sums", next, countCount, sums);
            Launch("tern_scan_of_sums", sumCount, sums);
            Launch("tern_scan_blocks", sums, countCount, next);
            Launch("tern_head_fill", dMaxima, argMax, sequences, vocabulary, chunks, next, terms, gradients);
            Launch(HeadGatherKernel.For(weight, accumulateDHidden), next, terms, gradients, weight, (long)weight.RowPitch, scale, hidden.Rows, chunks, hidden.Columns, (long)accumulateDHidden.RowPitch, accumulateDHidden);
        }

        if (!accumulateDWeight.IsEmpty)
        {
            Launch(HeadWeightKernel.For(hidden), dMaxima, argMax, hidden, (long)hidden.RowPitch, scale, sequences, vocabulary, hidden.Columns, (long)accumulateDWeight.RowPitch, accumulateDWeight);
        }

        if (!accumulateDBias.IsEmpty)
        {
            Launch("tern_head_bias_gradient_f32", dMaxima, sequences, vocabulary, accumulateDBias);
        }
    }

    public void CrossEntropyProductForward(Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best)
    {
        using CudaRange range = Begin();
        Tensor matrix = PreparedMatrix(weight);
        CheckColumns(hidden, matrix);
        CheckVector(logSumExp, hidden.Rows);
        CheckVector(losses, hidden.Rows);
        Tensor operand = As(OperandType, hidden);
        Tensor state = _arena.Take(DType.Float32, 3, hidden.Rows);
        VocabularyBlocks blocks = new(this, matrix, hidden, DType.Float32);
        for (int first = 0; first < matrix.Rows; first += blocks.Size)
        {
            Tensor rows = blocks.Weight(first), logits = blocks.Logits(first);
            _blas.Multiply(operand, false, rows, true, 1, 0, logits);
            Launch("tern_cross_entropy_forward_f32", logits, (long)logits.RowPitch, labels, first, logits.Rows, logits.Columns, state, best);
        }

        Launch("tern_cross_entropy_finish_f32", state, hidden.Rows, logSumExp, losses);
    }

    public void CrossEntropyProductBackward(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight)
    {
        using CudaRange range = Begin();
        CheckColumns(hidden, weight);
        CheckVector(logSumExp, hidden.Rows);
        CheckSameShape(hidden, dHidden);
        Tensor operand = As(OperandType, hidden);
        VocabularyBlocks blocks = new(this, weight, hidden, DType.Float32);
        for (int first = 0; first < weight.Rows; first += blocks.Size)
        {
            Tensor rows = blocks.Weight(first), logits = blocks.Logits(first);
            _blas.Multiply(operand, false, rows, true, 1, 0, logits);
            Launch("tern_cross_entropy_backward_f32", labels, logSumExp, lossWeight, first, logits.Rows, logits.Columns, (long)logits.RowPitch, logits);
            Tensor gradient = blocks.Gradient(logits);
            _blas.Multiply(gradient, false, rows, false, 1, first == 0 ? 0 : 1, dHidden);
            if (!accumulateDWeight.IsEmpty)
            {
                _blas.Multiply(gradient, true, operand, false, 1, 1, accumulateDWeight.SliceRows(first, logits.Columns));
            }
        }
    }

    private static void CheckHead(Tensor hidden, Tensor weight, Tensor maxima, Tensor argMax)
    {
        CheckColumns(hidden, weight);
        CheckDevice(maxima, DType.Float32);
        CheckDevice(argMax, DType.Int32);
        CheckSameShape(maxima, argMax);
        if (maxima.Columns != weight.Rows || !maxima.IsContiguous || !argMax.IsContiguous)
        {
            throw new ArgumentException($"{maxima} and {argMax} for a vocabulary of {weight.Rows}: they must have a column for each entry and no gaps");
        }
    }

    /// <summary>
    /// The weight's rows a block at a time in the type of the products, and room for their logits. Takes what it needs from the
    /// arena once.
    /// </summary>
    private readonly struct VocabularyBlocks
    {
        private const int Step = 128;
        private readonly CudaBackend _backend;
        private readonly Tensor _weight;
        private readonly Tensor _converted;
        private readonly Tensor _logits;
        private readonly Tensor _gradient;

        public VocabularyBlocks(CudaBackend backend, Tensor weight, Tensor hidden, DType? logitsType = null)
        {
            _backend = backend;
            _weight = weight;
            DType type = logitsType ?? hidden.DType;
            long fitting = backend.LogitsByteCount / Math.Max(1, (long)hidden.Rows * type.ByteSize()) / Step * Step;
            Size = (int)Math.Min(Math.Max(Step, fitting), Math.Max(1, weight.Rows));
            _logits = backend._arena.Take(type, hidden.Rows, Size);
            _converted = weight.DType == backend.OperandType ? default : backend._arena.Take(backend.OperandType, Size, weight.Columns);
            _gradient = logitsType is null || type == backend.OperandType ? default : backend._arena.Take(backend.OperandType, hidden.Rows, Size);
        }

        /// <summary>Entries of a block.</summary>
        public int Size { get; }

        public Tensor Weight(int first)
        {
            Tensor rows = _weight.SliceRows(first, Math.Min(Size, _weight.Rows - first));
            if (_converted.IsEmpty)
            {
                return rows;
            }

            Tensor converted = _converted.SliceRows(0, rows.Rows);
            _backend.Convert(rows, converted);
            return converted;
        }

        /// <summary>[T, entries of the block], without gaps.</summary>
        public Tensor Logits(int first)
        {
            int columns = Math.Min(Size, _weight.Rows - first);
            return _logits with { Columns = columns, RowPitch = columns };
        }

        /// <summary>The logits' gradient as an operand.</summary>
        public Tensor Gradient(Tensor logits)
        {
            if (_gradient.IsEmpty)
            {
                return logits;
            }

            Tensor rounded = _gradient with { Columns = logits.Columns, RowPitch = logits.Columns };
            _backend.Convert(logits, rounded);
            return rounded;
        }
    }
}
