using Tern.Retrieval.Exchange;

namespace Tern.Retrieval.Tests.Exchange;

/// <summary>Documents to send through a format and back.</summary>
internal static class ExchangeSamples
{
    public static SparseDocument[] Sparse(int seed, int count = 60, int vocabularySize = 400, int maxCount = 30, int distinctWeights = 0)
    {
        var random = new Random(seed);
        return [.. RandomVectors.Ids(random, count).Select(id => new SparseDocument(id, RandomVectors.Vector(random, vocabularySize, maxCount, distinctWeights)))];
    }

    public static DenseDocument[] Dense(int seed, int count = 20, int dimension = 7)
    {
        var random = new Random(seed);
        return [.. RandomVectors.Ids(random, count).Select(id => new DenseDocument(id, Enumerable.Range(0, dimension).Select(_ => (float)(random.NextDouble() - 0.5)).ToArray()))];
    }

    /// <summary>Equal ids, terms and weight bits, in order.</summary>
    public static void Same(IEnumerable<SparseDocument> expected, IEnumerable<SparseDocument> actual) =>
        Xunit.Assert.Equal(expected.Select(Text), actual.Select(Text));

    public static string Text(SparseDocument document) =>
        $"{document.Id}: {string.Join(' ', document.Vector.Terms.ToArray().Zip(document.Vector.Weights.ToArray(), (t, w) => FormattableString.Invariant($"{t}:{w:R}")))}";

    public static string Text(DenseDocument document) =>
        $"{document.Id}: {string.Join(' ', document.Vector.ToArray().Select(w => FormattableString.Invariant($"{w:R}")))}";
}
