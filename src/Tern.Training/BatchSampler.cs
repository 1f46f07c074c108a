namespace Tern.Training;

/// <summary>
/// Which examples and negatives the n-th batch holds: a permutation of the examples per epoch, cut into full batches (the
/// few left over sit the epoch out), and negatives drawn per example and epoch. A pure function of the seed and the batch
/// number, so a position is all that resuming needs.
/// </summary>
internal sealed class BatchSampler
{
    private const ulong NegativeStream = 2;
    private const ulong DropoutStream = 1UL << 62; // far above the negatives' streams, which count epochs

    private readonly TrainingSet _set;
    private readonly ulong _seed;
    private readonly bool _fillWithRandom;
    private readonly EpochOrder _order;
    private int[] _candidates = [];

    /// <exception cref="InvalidDataException">An example lacks negatives or scores that the options ask for; it is named.</exception>
    public BatchSampler(TrainingSet set, TrainingOptions options)
    {
        _set = set;
        _seed = options.Seed;
        _fillWithRandom = options.AllowFewerNegatives;
        _order = new EpochOrder(options.Seed, set.ExampleCount);
        if (set.ExampleCount < options.BatchSize)
        {
            throw new ArgumentException($"{nameof(options.BatchSize)} is {options.BatchSize}, must be at most the {set.ExampleCount} examples of {set.Source}");
        }

        for (int i = 0; i < set.ExampleCount; i++)
        {
            int negatives = set.Negatives(i).Length;
            if (negatives < options.NegativeCount && !_fillWithRandom)
            {
                throw new InvalidDataException($"{set.Describe(i)} has {negatives} negatives where {options.NegativeCount} are asked for; ask for fewer or allow random ones");
            }

            if (options.Objective.UsesTeacher && !set.HasScores(i))
            {
                throw new InvalidDataException($"{set.Describe(i)} has no teacher scores, which the objective {options.Objective} needs");
            }
        }

        if (_fillWithRandom && set.DocumentCount <= options.NegativeCount)
        {
            throw new ArgumentException($"{nameof(options.NegativeCount)} is {options.NegativeCount}, must be less than the {set.DocumentCount} documents of {set.Source}");
        }
    }

    /// <summary>Fills the batch of that 0-based number.</summary>
    public void Fill(long batchNumber, TrainingBatch batch)
    {
        _order.Batch(batchNumber, batch.QueryCount, out long epoch).CopyTo(batch.Examples);

        batch.Sequences.Clear();
        foreach (int example in batch.Examples)
        {
            batch.Sequences.Add(_set.QueryTokens(example));
        }

        for (int query = 0; query < batch.QueryCount; query++)
        {
            ChooseContexts(query, epoch, batch);
        }

        foreach (int document in batch.Documents)
        {
            batch.Sequences.Add(_set.DocumentTokens(document));
        }

        SetDropoutKeys(epoch, batch);
    }

    private void SetDropoutKeys(long epoch, TrainingBatch batch)
    {
        for (int query = 0; query < batch.QueryCount; query++)
        {
            SeededRandom random = new(_seed, DropoutStream + (ulong)epoch, (ulong)batch.Examples[query]);
            batch.DropoutKeys[query] = (uint)random.Next();
            for (int candidate = 0; candidate <= batch.NegativeCount; candidate++)
            {
                batch.DropoutKeys[batch.QueryCount + batch.CandidateColumn(query, candidate)] = (uint)random.Next();
            }
        }
    }

    private void ChooseContexts(int query, long epoch, TrainingBatch batch)
    {
        int example = batch.Examples[query];
        Span<float> scores = batch.TeacherScores.AsSpan(query * (1 + batch.NegativeCount), 1 + batch.NegativeCount);
        batch.Documents[query] = _set.Positive(example);
        scores[0] = _set.PositiveScore(example);
        if (batch.NegativeCount == 0)
        {
            return;
        }

        ReadOnlySpan<int> negatives = _set.Negatives(example);
        ReadOnlySpan<float> negativeScores = _set.NegativeScores(example);
        if (_candidates.Length < negatives.Length)
        {
            _candidates = new int[negatives.Length];
        }

        SeededRandom random = new(_seed, NegativeStream + (ulong)epoch, (ulong)example);
        for (int i = 0; i < negatives.Length; i++)
        {
            _candidates[i] = i;
        }

        for (int k = 0; k < batch.NegativeCount; k++)
        {
            int column = batch.CandidateColumn(query, 1 + k);
            if (k < negatives.Length)
            {
                int j = k + random.Below(negatives.Length - k);
                (_candidates[k], _candidates[j]) = (_candidates[j], _candidates[k]);
                batch.Documents[column] = negatives[_candidates[k]];
                scores[1 + k] = negativeScores[_candidates[k]];
            }
            else
            {
                batch.Documents[column] = RandomDocument(ref random, batch, query, k);
                scores[1 + k] = float.NaN;
            }
        }
    }

    /// <summary>A document that is neither relevant to the query nor among its negatives already.</summary>
    private int RandomDocument(ref SeededRandom random, TrainingBatch batch, int query, int chosenCount)
    {
        ReadOnlySpan<int> chosen = batch.Documents.AsSpan(batch.CandidateColumn(query, 1), chosenCount);
        for (int attempt = 0; ; attempt++)
        {
            int document = random.Below(_set.DocumentCount);
            if (attempt >= 100 || (!chosen.Contains(document) && !_set.IsKnownPositive(batch.Examples[query], document)))
            {
                return document;
            }
        }
    }
}
