using System.Buffers;

namespace Tern.Training;

/// <summary>The ways in which a retriever stops telling texts apart, each with its limit and what to try.</summary>
internal static class CollapseCheck
{
    /// <summary>Mean cosine between a batch's documents above which they count as alike.</summary>
    public const double CosineLimit = 0.99;

    /// <summary>Part of all maxima that one position may win.</summary>
    public const double PositionLimit = 0.99;

    public static void Loss(int step, double loss, double gradientNorm)
    {
        if (!double.IsFinite(loss) || !double.IsFinite(gradientNorm))
        {
            throw new TrainingCollapsedException(
                step,
                FormattableString.Invariant($"the loss is {loss} and the gradient's norm {gradientNorm}"),
                "lower the learning rate, lengthen the warm-up, and see that teacher scores are finite");
        }
    }

    /// <summary>Vectors of a batch, queries first.</summary>
    public static void Vectors(int step, ReadOnlySpan<float> vectors, int dimension, int queryCount)
    {
        NotZero(step, vectors[..(queryCount * dimension)], "query");
        NotZero(step, vectors[(queryCount * dimension)..], "document");
        double cosine = MeanPairwiseCosine(vectors[(queryCount * dimension)..], dimension);
        if (cosine > CosineLimit)
        {
            throw new TrainingCollapsedException(
                step,
                FormattableString.Invariant($"all documents look alike, their mean cosine is {cosine:f4} (limit {CosineLimit})"),
                "lower the learning rate, lengthen the warm-up, or (dense) raise the temperature");
        }
    }

    /// <summary>Which row won each positive entry of a sparse batch; rows count from the first token of the batch.</summary>
    public static void Positions(int step, ReadOnlySpan<float> vectors, ReadOnlySpan<int> argMax, ReadOnlySpan<int> sequenceStarts)
    {
        int sequenceCount = sequenceStarts.Length - 1;
        int dimension = vectors.Length / sequenceCount;
        long all = 0;
        long first = 0;
        long last = 0;
        for (int b = 0; b < sequenceCount; b++)
        {
            int start = sequenceStarts[b];
            int end = sequenceStarts[b + 1];
            if (end - start < 2)
            {
                continue;
            }

            ReadOnlySpan<float> values = vectors.Slice(b * dimension, dimension);
            ReadOnlySpan<int> rows = argMax.Slice(b * dimension, dimension);
            for (int v = 0; v < dimension; v++)
            {
                if (values[v] > 0f)
                {
                    all++;
                    first += rows[v] == start ? 1 : 0;
                    last += rows[v] == end - 1 ? 1 : 0;
                }
            }
        }

        double share = all == 0 ? 0 : Math.Max(first, last) / (double)all;
        if (share > PositionLimit)
        {
            throw new TrainingCollapsedException(
                step,
                FormattableString.Invariant($"the {(first >= last ? "first" : "last")} position of each text wins {100 * share:f1} % of all maxima (limit {100 * PositionLimit:f0} %), the others are not read"),
                "lower the learning rate, or leave BOS and EOS out of the contract");
        }
    }

    /// <summary>(‖Σ u‖² − n) / (n (n − 1)) over the n non-zero vectors' directions u; 0 for fewer than two.</summary>
    internal static double MeanPairwiseCosine(ReadOnlySpan<float> vectors, int dimension)
    {
        double[] rented = ArrayPool<double>.Shared.Rent(dimension);
        Span<double> sum = rented.AsSpan(0, dimension);
        sum.Clear();
        int count = 0;
        for (int row = 0; row < vectors.Length; row += dimension)
        {
            ReadOnlySpan<float> vector = vectors.Slice(row, dimension);
            double squares = 0;
            foreach (float value in vector)
            {
                squares += (double)value * value;
            }

            if (squares > 0)
            {
                count++;
                double scale = 1 / Math.Sqrt(squares);
                for (int i = 0; i < dimension; i++)
                {
                    sum[i] += vector[i] * scale;
                }
            }
        }

        double total = 0;
        foreach (double value in sum)
        {
            total += value * value;
        }

        ArrayPool<double>.Shared.Return(rented);
        return count < 2 ? 0 : (total - count) / ((double)count * (count - 1));
    }

    private static void NotZero(int step, ReadOnlySpan<float> vectors, string side)
    {
        if (!vectors.ContainsAnyExcept(0f))
        {
            throw new TrainingCollapsedException(
                step,
                $"every {side} vector of the batch is all zeros",
                "lower the FLOPS weights, lengthen their ramp, or start the term bias higher");
        }
    }
}
