using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Cuda.Tests;

/// <summary>Candidates of a device beside a scan in double precision.</summary>
public sealed class CandidateRowsTests
{
    private const int Dimension = 6, QueryCount = 3, Best = 5;

    /// <summary>More rows than one block of scores, whole numbers, so that sums are exact and many are equal.</summary>
    [EmulatedDeviceTheory]
    [InlineData(0)]
    [InlineData(3)]
    public void EveryRowThatCanBeAmongTheBestIsThereAndFewOthers(int slack)
    {
        const int Count = 9000;
        float[] values = [.. TestValues.Integers(Count * Dimension, 41, 1).Select(x => x - 20f)], queries = [.. TestValues.Integers(QueryCount * Dimension, 9, 2).Select(x => x - 4f)];
        int[]?[] found = Search(values, queries, slack + 0.5f);
        for (int q = 0; q < QueryCount; q++)
        {
            double[] scores = [.. Enumerable.Range(0, Count).Select(row => Score(values, row, queries, q))];
            double threshold = scores.OrderDescending().ElementAt(Best - 1) - slack;
            Assert.Equal(Enumerable.Range(0, Count).Where(row => scores[row] >= threshold), found[q]!.Order());
        }
    }

    [EmulatedDeviceFact]
    public void MoreThanThereIsRoomForIsToldAsUnknown() => Assert.All(Search(new float[12_000 * Dimension], [.. Enumerable.Repeat(1f, QueryCount * Dimension)], 0.5f), Assert.Null);

    private static unsafe int[]?[] Search(float[] values, float[] queries, float slack)
    {
        using IBackend backend = Backends.Create("cuda:0", 1);
        fixed (float* start = values)
        {
            using ICandidateRows rows = ((ICandidateBackend)backend).KeepRows(new Tensor((nint)start, DType.Float32, values.Length / Dimension, Dimension));
            return rows.Candidates(queries, Best, [slack, slack, slack]);
        }
    }

    private static double Score(float[] values, int row, float[] queries, int query)
    {
        double sum = 0;
        for (int i = 0; i < Dimension; i++)
        {
            sum += (double)values[(row * Dimension) + i] * queries[(query * Dimension) + i];
        }

        return sum;
    }
}
