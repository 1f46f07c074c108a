namespace Tern.Training;

/// <summary>
/// Which tokens of a block are hidden and by what. Each token that is not special is chosen with <see cref="Probability"/>; of the chosen
/// 80 % become the mask token, 10 % any token of the vocabulary, 10 % stay, and all of them are to be predicted, from the state before.
/// </summary>
public sealed record TokenMasking
{
    private const ulong Stream = 1UL << 61; // apart from the streams of orders and negatives

    public required int MaskTokenId { get; init; }

    /// <summary>Entries that a random token is drawn from: the tokenizer's.</summary>
    public required int VocabularySize { get; init; }

    public double Probability { get; init; } = 0.2;

    /// <summary>True: all chosen tokens become the mask token.</summary>
    public bool MasksAll { get; init; }

    /// <summary>Ids that are never chosen, such as BOS.</summary>
    public IReadOnlySet<int> SpecialIds { get; init; } = new HashSet<int>();

    /// <summary>What stands for all of this in a checkpoint.</summary>
    internal string Fingerprint => FormattableString.Invariant($"mask {MaskTokenId} of {VocabularySize}, p {Probability}, all {MasksAll}, special {string.Join(',', SpecialIds.Order())}");

    /// <exception cref="ArgumentException">A value is out of its range; names it.</exception>
    public void Validate()
    {
        if (!(Probability > 0 && Probability < 1))
        {
            throw new ArgumentException(FormattableString.Invariant($"{nameof(Probability)} is {Probability}, must be above 0 and below 1"));
        }

        if ((uint)MaskTokenId >= (uint)VocabularySize)
        {
            throw new ArgumentException($"{nameof(MaskTokenId)} is {MaskTokenId}, must be below {VocabularySize}");
        }
    }

    /// <summary>
    /// Writes a block as the model is to see it; a pure function of seed, epoch and the block's number. Returns how many predictions there
    /// are: the state in row rows[m] of the block (0-based) predicts labels[m]. A chosen first token is hidden but predicted by nobody.
    /// </summary>
    internal int Apply(ReadOnlySpan<int> block, ulong seed, long epoch, int blockNumber, Span<int> masked, Span<int> rows, Span<int> labels)
    {
        SeededRandom random = new(seed, Stream + (ulong)epoch, (ulong)blockNumber);
        int count = 0;
        for (int t = 0; t < block.Length; t++)
        {
            masked[t] = block[t];
            if (SpecialIds.Contains(block[t]) || random.NextDouble() >= Probability)
            {
                continue;
            }

            if (t > 0)
            {
                rows[count] = t - 1;
                labels[count++] = block[t];
            }

            double kind = MasksAll ? 0 : random.NextDouble();
            if (kind < 0.8)
            {
                masked[t] = MaskTokenId;
            }
            else if (kind < 0.9)
            {
                masked[t] = random.Below(VocabularySize);
            }
        }

        return count;
    }
}
