using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Dense;

/// <summary>A batch on the emulated device against single searches: equal hits, to the bit.</summary>
public sealed class DenseDeviceTests
{
    [EmulatedDeviceTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void ABatchOnADeviceFindsWhatSingleSearchesFind(bool whole)
    {
        const int Count = 8500, Dimension = 19;
        var random = new Random(3);
        using var directory = new TemporaryDirectory();
        string[] ids = RandomVectors.Ids(random, Count);
        using (var builder = new DenseIndexBuilder(directory.Path, Dimension))
        {
            foreach (string id in ids)
            {
                builder.Add(id, Vector(random, Dimension, whole));
            }

            builder.Complete();
        }

        using IBackend device = Backends.Create("cuda:0", 1);
        using DenseIndex index = DenseIndex.Open(directory.Path);
        float[][] queries = [.. Enumerable.Range(0, 5).Select(_ => Vector(random, Dimension, whole)), new float[Dimension]];
        foreach (int k in new[] { 1, 10, 700 })
        {
            Hit[][] batch = index.SearchBatch(queries, k, device: device);
            Assert.Equal(queries.Select(query => index.Search(query, k)), batch);
        }
    }

    private static float[] Vector(Random random, int dimension, bool whole) =>
        [.. Enumerable.Range(0, dimension).Select(_ => whole ? random.Next(-3, 4) : (float)((random.NextDouble() * 2) - 1))];
}
