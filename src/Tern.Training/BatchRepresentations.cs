using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;
using Tern.Text;

namespace Tern.Training;

/// <summary>
/// A batch's representations and the way back, however it is divided. Each rank encodes its own queries' sequences and gets the others'
/// vectors, so that the loss is that of the whole batch. In chunks (GradCache) a first pass keeps nothing but the vectors, and after the
/// loss a second one keeps and uses the activations of one chunk at a time: the gradient is that of the undivided batch.
/// </summary>
internal sealed class BatchRepresentations : IDisposable
{
    private readonly IBackend _backend;
    private readonly RetrieverNetwork _network;
    private readonly ICollective? _ranks;
    private readonly (int Start, int Count)[] _sections; // of the batch's sequences: queries, positives, negatives; each divides evenly among the ranks
    private readonly List<List<RowRun>> _chunks;
    private readonly TokenBatch _tokens = new();
    private readonly uint[] _dropoutKeys;
    private readonly bool _isWhole;
    private readonly TensorMemory _all;
    private readonly TensorMemory _chunkGradient;

    /// <exception cref="ArgumentException">The batch does not divide evenly among the ranks.</exception>
    public BatchRepresentations(IBackend backend, RetrieverNetwork network, TrainingOptions options, ICollective? ranks)
    {
        _backend = backend;
        _network = network;
        _ranks = ranks;
        int rankCount = ranks?.RankCount ?? 1;
        if (options.BatchSize % rankCount != 0)
        {
            throw new ArgumentException($"{nameof(options.BatchSize)} is {options.BatchSize}, must be a multiple of the {rankCount} ranks, which share its queries");
        }

        int queries = options.BatchSize;
        _sections = [(0, queries), (queries, queries), (2 * queries, queries * options.NegativeCount)];
        _chunks = Divide(ranks?.Rank ?? 0, rankCount, options.GradCacheChunk);
        _isWhole = _chunks is [[{ } run]] && run.Count == queries * (2 + options.NegativeCount);
        _dropoutKeys = new uint[_chunks.Max(chunk => chunk.Sum(run => run.Count))];
        _all = backend.Allocate(DType.Float32);
        _chunkGradient = backend.Allocate(DType.Float32);
    }

    /// <summary>The network's last result and the starts of its sequences, for looks at where maxima were; valid until the next call.</summary>
    public (Tensor Vectors, TokenBatch Sequences) Latest { get; private set; }

    /// <summary>All ranks' representations [B + C, D] in the batch's order, valid until <see cref="Backward"/> has returned.</summary>
    public Tensor Forward(TrainingBatch batch)
    {
        if (_isWhole)
        {
            Tensor whole = _network.Forward(batch.Sequences.Tokens, batch.Sequences.SequenceStarts, keepForBackward: true, batch.DropoutKeys);
            Latest = (whole, batch.Sequences);
            return whole;
        }

        Tensor all = _all.Shape(batch.Sequences.SequenceCount, _network.Dimension);
        foreach (List<RowRun> chunk in _chunks)
        {
            Tensor vectors = Encode(batch, chunk, keepForBackward: _chunks.Count == 1);
            foreach (RowRun run in chunk)
            {
                _backend.Copy(vectors.SliceRows(run.InChunk, run.Count), all.SliceRows(run.InBatch, run.Count));
            }

            Latest = (vectors, _tokens);
        }

        if (_ranks is not null)
        {
            foreach ((int start, int count) in _sections)
            {
                if (count > 0)
                {
                    _ranks.AllGather(all.SliceRows(start, count));
                }
            }
        }

        return all;
    }

    /// <summary>Adds the gradients of this rank's sequences to the weights', given those of all representations.</summary>
    public void Backward(TrainingBatch batch, Tensor dRepresentations)
    {
        if (_isWhole)
        {
            _network.Backward(dRepresentations);
            return;
        }

        foreach (List<RowRun> chunk in _chunks)
        {
            if (_chunks.Count > 1)
            {
                _ = Encode(batch, chunk, keepForBackward: true);
            }

            _network.Backward(Gather(dRepresentations, chunk));
        }
    }

    public void Dispose()
    {
        _all.Dispose();
        _chunkGradient.Dispose();
    }

    private Tensor Encode(TrainingBatch batch, List<RowRun> chunk, bool keepForBackward)
    {
        _tokens.Clear();
        foreach (RowRun run in chunk)
        {
            for (int row = run.InBatch; row < run.InBatch + run.Count; row++)
            {
                _dropoutKeys[_tokens.SequenceCount] = batch.DropoutKeys[row];
                _tokens.Add(batch.Sequences.Tokens[batch.Sequences.SequenceStarts[row]..batch.Sequences.SequenceStarts[row + 1]]);
            }
        }

        return _network.Forward(_tokens.Tokens, _tokens.SequenceStarts, keepForBackward, _dropoutKeys.AsSpan(0, _tokens.SequenceCount));
    }

    private Tensor Gather(Tensor rows, List<RowRun> chunk)
    {
        if (chunk is [{ } only])
        {
            return rows.SliceRows(only.InBatch, only.Count);
        }

        Tensor gathered = _chunkGradient.Shape(chunk.Sum(r => r.Count), rows.Columns);
        foreach (RowRun run in chunk)
        {
            _backend.Copy(rows.SliceRows(run.InBatch, run.Count), gathered.SliceRows(run.InChunk, run.Count));
        }

        return gathered;
    }

    /// <summary>This rank's part of every section, cut into chunks of at most so many sequences (0: one chunk).</summary>
    private List<List<RowRun>> Divide(int rank, int rankCount, int chunkLength)
    {
        List<List<RowRun>> chunks = [];
        int left = 0;
        foreach ((int start, int count) in _sections)
        {
            int row = start + (count / rankCount * rank);
            int end = row + (count / rankCount);
            while (row < end)
            {
                if (left == 0)
                {
                    chunks.Add([]);
                    left = chunkLength > 0 ? chunkLength : int.MaxValue;
                }

                List<RowRun> chunk = chunks[^1];
                int length = Math.Min(left, end - row);
                if (chunk is [.., { } last] && last.InBatch + last.Count == row)
                {
                    chunk[^1] = last with { Count = last.Count + length };
                }
                else
                {
                    chunk.Add(new RowRun(row, chunk.Sum(r => r.Count), length));
                }

                row += length;
                left -= length;
            }
        }

        return chunks;
    }

    /// <summary>Consecutive sequences of a batch, where they lie in it and where in their chunk.</summary>
    private readonly record struct RowRun(int InBatch, int InChunk, int Count);
}
