using Tern.Compute;

namespace Tern.Model;

/// <summary>Outcome of a self-test that passed.</summary>
/// <param name="VectorCount">Golden vectors compared; 0 when the contract has none.</param>
/// <param name="MaximalDeviation">Largest difference of an element, relative to the largest element of its vector.</param>
public readonly record struct SelfTestResult(int VectorCount, double MaximalDeviation);

/// <summary>Vectors that a model keeps of itself, and the check that it still produces them.</summary>
public static class GoldenVectors
{
    /// <summary>Largest relative deviation that a self-test accepts: rounding on another machine, not another model.</summary>
    public const double Tolerance = 1e-4;

    /// <summary>The same where vectors are made, or were made, with products of that precision: several times what was seen of small trained models.</summary>
    public static double ToleranceOf(ProductPrecision precision) => precision switch
    {
        ProductPrecision.BFloat16 => 0.05,
        ProductPrecision.Int8 => 0.2,
        _ => Tolerance,
    };

    /// <summary>Heaviest terms kept of a sparse vector.</summary>
    public const int MaxTermCount = 1024;

    /// <summary>Encodes the token ids (specials included) and adds text, ids and vector to the contract.</summary>
    public static void AddGolden(this RetrieverNetwork network, string text, bool isQuery, IReadOnlyList<int> tokenIds) =>
        network.Contract = network.Contract with { Golden = [.. network.Contract.Golden, Compute(network, text, isQuery, tokenIds)] };

    /// <summary>Encodes the golden vectors' token ids again and compares.</summary>
    /// <exception cref="InvalidDataException">A vector deviates by more than <see cref="ToleranceOf"/> the coarser of the network's and the contract's precision.</exception>
    public static SelfTestResult SelfTest(this RetrieverNetwork network)
    {
        double tolerance = Math.Max(ToleranceOf(ProductPrecisions.Parse(network.Contract.Precision)), ToleranceOf(network.Backend.Precision));
        double maximal = 0;
        foreach (GoldenVector golden in network.Contract.Golden)
        {
            double deviation = Deviation(golden, Encode(network, golden.TokenIds), network.Contract.Kind);
            if (!(deviation <= tolerance))
            {
                throw new InvalidDataException(FormattableString.Invariant($"{RetrieverContract.FileName}: this model gives another vector for \"{golden.Text}\" than the one stored with it (relative deviation {deviation:g3}, accepted {tolerance:g3}): its weights or settings were changed or damaged; copy the model again, or save it anew with its own contract"));
            }

            maximal = Math.Max(maximal, deviation);
        }

        return new SelfTestResult(network.Contract.Golden.Count, maximal);
    }

    internal static void RenewGolden(this RetrieverNetwork network) =>
        network.Contract = network.Contract with { Golden = [.. network.Contract.Golden.Select(g => Compute(network, g.Text, g.IsQuery, g.TokenIds))] };

    private static GoldenVector Compute(RetrieverNetwork network, string text, bool isQuery, IReadOnlyList<int> tokenIds)
    {
        float[] vector = Encode(network, tokenIds);
        if (network.Contract.Kind == RepresentationKind.Dense)
        {
            return new GoldenVector(text, isQuery, [.. tokenIds], [], vector);
        }

        int[] terms = [.. Enumerable.Range(0, vector.Length).Where(v => vector[v] > 0).OrderByDescending(v => vector[v]).ThenBy(v => v).Take(MaxTermCount).Order()];
        return new GoldenVector(text, isQuery, [.. tokenIds], terms, [.. terms.Select(v => vector[v])]);
    }

    private static float[] Encode(RetrieverNetwork network, IReadOnlyList<int> tokenIds)
    {
        Tensor representation = network.Forward([.. tokenIds], [0, tokenIds.Count]);
        float[] vector = new float[network.Dimension];
        network.Backend.Download<float>(representation, vector);
        return vector;
    }

    private static double Deviation(GoldenVector golden, float[] vector, RepresentationKind kind)
    {
        if (kind == RepresentationKind.Dense)
        {
            return golden.Values.Count != vector.Length ? double.PositiveInfinity : Relative(golden.Values, vector);
        }

        if (golden.Terms.Count != golden.Values.Count || golden.Terms.Any(t => (uint)t >= (uint)vector.Length))
        {
            return double.PositiveInfinity;
        }

        // Terms that were not stored must be 0, or below the lightest stored one where the vector was cut.
        float cut = golden.Terms.Count < MaxTermCount ? 0f : golden.Values.Min();
        HashSet<int> stored = [.. golden.Terms];
        var expected = new List<float>(golden.Values);
        var actual = new List<float>(golden.Terms.Select(t => vector[t]));
        for (int v = 0; v < vector.Length; v++)
        {
            if (!stored.Contains(v) && !(vector[v] <= cut))
            {
                expected.Add(cut);
                actual.Add(vector[v]);
            }
        }

        return Relative(expected, actual);
    }

    private static double Relative(IReadOnlyList<float> expected, IReadOnlyList<float> actual)
    {
        double largest = expected.Count == 0 ? 0 : expected.Max(e => Math.Abs((double)e));
        double deviation = 0;
        for (int i = 0; i < expected.Count; i++)
        {
            double difference = Math.Abs((double)expected[i] - actual[i]);
            deviation = double.IsNaN(difference) ? double.PositiveInfinity : Math.Max(deviation, difference);
        }

        return deviation == 0 ? 0 : deviation / Math.Max(largest, 1e-30);
    }
}
