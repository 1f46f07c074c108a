using Tern.Text;

namespace Tern.Training;

/// <summary>
/// One contrastive batch: B queries, then their contexts laid out [pos 0 … pos B−1, negatives of query 0, negatives of
/// query 1, …], as token sequences in that order. The label of query i is context i. Filled anew by the sampler.
/// </summary>
internal sealed class TrainingBatch(int queryCount, int negativeCount)
{
    public int QueryCount { get; } = queryCount;

    public int NegativeCount { get; } = negativeCount;

    public int ContextCount { get; } = queryCount * (1 + negativeCount);

    /// <summary>Queries, then contexts.</summary>
    public TokenBatch Sequences { get; } = new();

    /// <summary>Example of each query.</summary>
    public int[] Examples { get; } = new int[queryCount];

    /// <summary>Document of each context.</summary>
    public int[] Documents { get; } = new int[queryCount * (1 + negativeCount)];

    /// <summary>One for each sequence: a function of seed, epoch, example and place, so that a text's mask does not depend on how batches are cut up.</summary>
    public uint[] DropoutKeys { get; } = new uint[queryCount * (2 + negativeCount)];

    /// <summary>Teacher scores of the own candidates, positive first, row-major [B, 1 + n]; NaN where there are none.</summary>
    public float[] TeacherScores { get; } = new float[queryCount * (1 + negativeCount)];

    /// <summary>The contexts of query i: its positive, then its negatives.</summary>
    public int CandidateColumn(int query, int candidate) =>
        candidate == 0 ? query : QueryCount + query * NegativeCount + candidate - 1;
}
