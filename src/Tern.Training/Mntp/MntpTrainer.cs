using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;
using Tern.Text;

namespace Tern.Training;

/// <summary>
/// Masked next-token prediction: the state before a hidden token, which sees the whole block, is to predict it. Turns a causal model into
/// one that reads both ways. A batch is <see cref="TrainingOptions.BatchSize"/> blocks; its loss is the mean over its predictions.
/// </summary>
public sealed class MntpTrainer : Trainer
{
    private const ulong HeldOutSeed = 0;

    private readonly MaskedLanguageNetwork _network;
    private readonly TokenBlocks _blocks;
    private readonly TokenBlocks? _heldOut;
    private readonly TokenMasking _masking;
    private readonly TrainingOptions _options;
    private readonly int _heldOutInterval;
    private readonly EpochOrder _order;
    private readonly TokenBatch _tokens = new();
    private readonly int[] _masked;
    private readonly int[] _blockRows;
    private readonly int[] _blockLabels;
    private readonly List<int> _rows = [];
    private readonly List<int> _labels = [];
    private readonly uint[] _dropoutKeys;
    private readonly byte[] _sums;

    /// <param name="heldOut">Blocks to measure on, every <paramref name="heldOutInterval"/> steps and after the last; null for none.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or does not suit the blocks or the ranks.</exception>
    public MntpTrainer(IBackend backend, MaskedLanguageNetwork network, TokenBlocks blocks, TokenMasking masking, TrainingOptions options, TokenBlocks? heldOut = null, int heldOutInterval = 200, ICollective? ranks = null)
        : base(backend, network, $"{blocks.Fingerprint} {masking.Fingerprint} {heldOut?.Fingerprint} {heldOutInterval}", options, ranks)
    {
        masking.Validate();
        int rankCount = Ranks?.RankCount ?? 1;
        if (options.BatchSize > blocks.Count || options.BatchSize % rankCount != 0)
        {
            throw new ArgumentException($"{nameof(options.BatchSize)} is {options.BatchSize}, must be at most the {blocks.Count} blocks and a multiple of the {rankCount} ranks");
        }

        if (masking.VocabularySize > network.Weights.Config.VocabularySize)
        {
            throw new ArgumentException($"the tokenizer has {masking.VocabularySize} entries, the model's embedding {network.Weights.Config.VocabularySize}: they do not belong together");
        }

        _network = network;
        _blocks = blocks;
        _heldOut = heldOut;
        _masking = masking;
        _options = options;
        _heldOutInterval = heldOutInterval;
        _order = new EpochOrder(options.Seed, blocks.Count);
        _masked = new int[blocks.BlockLength];
        _blockRows = new int[blocks.BlockLength];
        _blockLabels = new int[blocks.BlockLength];
        _dropoutKeys = new uint[options.BatchSize / rankCount];
        _sums = new byte[2 * sizeof(double) * rankCount];
    }

    /// <summary>Mean cross-entropy and accuracy over the masked tokens of held-out blocks, whose masks are always the same.</summary>
    internal (double Loss, double Accuracy) Measure(TokenBlocks blocks)
    {
        double loss = 0;
        long correct = 0;
        long count = 0;
        for (int first = 0; first < blocks.Count; first += _dropoutKeys.Length)
        {
            Clear();
            for (int block = first; block < Math.Min(first + _dropoutKeys.Length, blocks.Count); block++)
            {
                Add(blocks[block], HeldOutSeed, 0, block);
            }

            (double sum, int right) = _network.Forward(_tokens.Tokens, _tokens.SequenceStarts, CollectionsMarshal.AsSpan(_rows), CollectionsMarshal.AsSpan(_labels));
            loss += sum;
            correct += right;
            count += _labels.Count;
        }

        return (loss / Math.Max(count, 1), (double)correct / Math.Max(count, 1));
    }

    /// <inheritdoc/>
    private protected override TrainingStep AccumulateOwn(int step)
    {
        double share = 1.0 / _options.AccumulationCount;
        double loss = 0;
        double accuracy = 0;
        for (int micro = 0; micro < _options.AccumulationCount; micro++)
        {
            int count = Fill(((long)(step - 1) * _options.AccumulationCount) + micro);
            (double sum, int correct) = _network.Forward(_tokens.Tokens, _tokens.SequenceStarts, CollectionsMarshal.AsSpan(_rows), CollectionsMarshal.AsSpan(_labels), keepForBackward: true, _dropoutKeys);
            (sum, double allCorrect) = OverRanks(sum, correct);
            loss += share * sum / Math.Max(count, 1);
            accuracy += share * allCorrect / Math.Max(count, 1);
            _network.Backward((float)(share / Math.Max(count, 1)));
        }

        return new TrainingStep { Step = step, Loss = loss, Accuracy = accuracy, TokenCount = _options.AccumulationCount * _options.BatchSize * _blocks.BlockLength };
    }

    /// <inheritdoc/>
    private protected override TrainingStep Observe(TrainingStep done)
    {
        if (_heldOut is null || (done.Step % _heldOutInterval != 0 && done.Step != _options.StepCount))
        {
            return done;
        }

        (double loss, double accuracy) = Measure(_heldOut);
        return done with { HeldOutLoss = loss, HeldOutAccuracy = accuracy };
    }

    /// <summary>Puts this rank's blocks of a batch together; returns the predictions of all ranks.</summary>
    private int Fill(long batchNumber)
    {
        ReadOnlySpan<int> batch = _order.Batch(batchNumber, _options.BatchSize, out long epoch);
        int own = (Ranks?.Rank ?? 0) * _dropoutKeys.Length;
        int count = 0;
        Clear();
        for (int i = 0; i < _options.BatchSize; i++)
        {
            int block = batch[i];
            if (i >= own && i < own + _dropoutKeys.Length)
            {
                _dropoutKeys[i - own] = (uint)new SeededRandom(_options.Seed, (ulong)epoch, (ulong)block).Next();
                count += Add(_blocks[block], _options.Seed, epoch, block);
            }
            else
            {
                count += _masking.Apply(_blocks[block], _options.Seed, epoch, block, _masked, _blockRows, _blockLabels);
            }
        }

        return count;
    }

    private int Add(ReadOnlySpan<int> block, ulong seed, long epoch, int number)
    {
        int start = _tokens.TokenCount;
        int count = _masking.Apply(block, seed, epoch, number, _masked, _blockRows, _blockLabels);
        _tokens.Add(_masked);
        for (int m = 0; m < count; m++)
        {
            _rows.Add(start + _blockRows[m]);
            _labels.Add(_blockLabels[m]);
        }

        return count;
    }

    private void Clear()
    {
        _tokens.Clear();
        _rows.Clear();
        _labels.Clear();
    }

    /// <summary>Both sums over the ranks, added in their order.</summary>
    private (double Loss, double Correct) OverRanks(double loss, double correct)
    {
        if (Ranks is null)
        {
            return (loss, correct);
        }

        ReadOnlySpan<double> own = [loss, correct];
        Span<byte> all = _sums.AsSpan(0, 2 * sizeof(double) * Ranks.RankCount);
        Ranks.Exchange(MemoryMarshal.AsBytes(own), all);
        double lossSum = 0;
        double correctSum = 0;
        ReadOnlySpan<double> values = MemoryMarshal.Cast<byte, double>(all);
        for (int rank = 0; rank < Ranks.RankCount; rank++)
        {
            lossSum += values[2 * rank];
            correctSum += values[(2 * rank) + 1];
        }

        return (lossSum, correctSum);
    }
}
