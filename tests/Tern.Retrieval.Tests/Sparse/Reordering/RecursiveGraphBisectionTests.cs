using CsCheck;
using Xunit;

namespace Tern.Retrieval.Tests.Sparse.Reordering;

public class RecursiveGraphBisectionTests
{
    [Fact]
    public void AnyDocumentsGiveAPermutation() =>
        Gen.Select(Gen.Int[0, 300], Gen.Int[1, 60], Gen.Int[1, 40], Gen.Int[0, 5], Gen.Int).Sample(
            (count, vocabularySize, leafSize, iterations, seed) =>
            {
                var random = new Random(seed);
                var documents = new ArrayTerms([.. Enumerable.Range(0, count).Select(_ => RandomVectors.Vector(random, vocabularySize, 20).Terms.ToArray())], vocabularySize);
                int[] order = RecursiveGraphBisection.Order(documents, new BisectionOptions { LeafSize = leafSize, IterationCount = iterations, LeastDocumentFrequency = 1, LargestShare = 1 });
                Assert.Equal(Enumerable.Range(0, count), order.Order());
            },
            iter: 60);

    [Fact]
    public void DocumentsOfOneTopicComeTogether()
    {
        ArrayTerms documents = Topics(seed: 5, topicCount: 32, documentsOfTopic: 64, out int[] topics);
        int[] order = RecursiveGraphBisection.Order(documents, new BisectionOptions { LargestShare = 1 });
        int changes = Enumerable.Range(1, order.Length - 1).Count(i => topics[order[i]] != topics[order[i - 1]]);
        // Shuffled there are about 1,980 changes of topic, at best 31.
        Assert.InRange(changes, 31, 120);
        double before = LogGaps(documents, [.. Enumerable.Range(0, documents.DocumentCount)]), after = LogGaps(documents, order);
        Assert.True(after < 0.55 * before, $"{before:0} bits of gaps became {after:0}");
    }

    [Fact]
    public void OneDivisionFindsTheTwoGroups()
    {
        int[] groups = [.. Enumerable.Range(0, 64).Select(i => i % 2)];
        new Random(3).Shuffle(groups);
        int[][] terms = [.. groups.Select((group, i) => group == 0 ? new[] { 0, 1, 2 + (i % 8) } : [10, 11, 12 + (i % 8)])];
        int[] order = RecursiveGraphBisection.Order(new ArrayTerms(terms, 20), new BisectionOptions { LeafSize = 32, LeastDocumentFrequency = 1, LargestShare = 1 });
        Assert.Single(order.Take(32).Select(i => groups[i]).Distinct());
        Assert.Equal(order.Take(32).Order(), order.Take(32));
    }

    [Fact]
    public void TheOrderDoesNotDependOnTheNumberOfThreads()
    {
        ArrayTerms documents = Topics(seed: 6, topicCount: 100, documentsOfTopic: 130, out _);
        int[] one = RecursiveGraphBisection.Order(documents, new BisectionOptions { ThreadCount = 1 });
        Assert.NotEqual(Enumerable.Range(0, one.Length), one);
        foreach (int threads in (int[])[2, 3, 8])
        {
            Assert.Equal(one, RecursiveGraphBisection.Order(documents, new BisectionOptions { ThreadCount = threads }));
        }
    }

    [Fact]
    public void ItCanBeCancelled()
    {
        using var cancellation = new CancellationTokenSource();
        cancellation.Cancel();
        Assert.ThrowsAny<OperationCanceledException>(() => RecursiveGraphBisection.Order(Topics(1, 4, 40, out _), null, cancellation.Token));
    }

    private static ArrayTerms Topics(int seed, int topicCount, int documentsOfTopic, out int[] topics)
    {
        var random = new Random(seed);
        topics = [.. Enumerable.Range(0, topicCount * documentsOfTopic).Select(i => i % topicCount)];
        random.Shuffle(topics);
        const int Common = 500, OfTopic = 30;
        int[] topicOf = topics;
        int[][] terms = [.. topics.Select((topic, i) => Enumerable.Range(0, 14).Select(_ => Common + (topicOf[i] * OfTopic) + random.Next(OfTopic)).Concat(Enumerable.Range(0, 6).Select(_ => random.Next(Common))).Distinct().ToArray())];
        return new ArrayTerms(terms, Common + (topicCount * OfTopic));
    }

    private static double LogGaps(ArrayTerms documents, int[] order)
    {
        int[] last = [.. Enumerable.Repeat(-1, documents.VocabularySize)];
        double bits = 0;
        for (int place = 0; place < order.Length; place++)
        {
            foreach (int term in documents.Terms(order[place]))
            {
                bits += Math.Log2(place - last[term]);
                last[term] = place;
            }
        }

        return bits;
    }

    private sealed class ArrayTerms(int[][] documents, int vocabularySize) : IDocumentTerms
    {
        public int DocumentCount => documents.Length;

        public int VocabularySize => vocabularySize;

        public ReadOnlySpan<int> Terms(int document) => documents[document];
    }
}
