using Tern.Text;

namespace Tern.Training.Planning;

/// <summary>A batch of texts of given lengths, for plans that know no data.</summary>
public static class LongestTexts
{
    /// <summary>One batch of examples, each with teacher scores, whose tokens are all 0.</summary>
    public static TrainingSet Of(int batchSize, int negativeCount, int queryLength, int documentLength, string source)
    {
        int candidates = 1 + negativeCount;
        return TrainingSet.Create(
            Enumerable.Range(0, batchSize).Select(i => new TrainingExample(FormattableString.Invariant($"{i}"), Id(i, 0), [.. Enumerable.Range(1, negativeCount).Select(n => Id(i, n))], 1f, new float[negativeCount])),
            Enumerable.Range(0, batchSize * candidates).Select(i => new Document(Id(i / candidates, i % candidates), "", "")),
            (_, tokens) => tokens.AddRange(new int[queryLength]),
            (_, tokens) => tokens.AddRange(new int[documentLength]),
            source);

        static string Id(int example, int candidate) => FormattableString.Invariant($"{example}.{candidate}");
    }
}
