using Tern.Text;
using Xunit;

namespace Tern.Training.Tests;

public sealed class BatchSamplerTests
{
    private static readonly TrainingOptions Options = new() { StepCount = 1, BatchSize = 4, NegativeCount = 3, Seed = 11 };

    [Fact]
    public void ContextsArePositivesThenEachQuerysNegatives()
    {
        TrainingSet set = TinyModels.TranslatedSet(10, negativeCount: 5);
        TrainingBatch batch = Fill(set, Options, 0);

        Assert.Equal(16, batch.ContextCount);
        for (int query = 0; query < 4; query++)
        {
            int example = batch.Examples[query];
            Assert.Equal(query, batch.CandidateColumn(query, 0));
            Assert.Equal(set.Positive(example), batch.Documents[query]);
            Assert.Equal(3f, batch.TeacherScores[query * 4]);
            for (int j = 1; j <= 3; j++)
            {
                int column = 4 + (query * 3) + j - 1;
                Assert.Equal(column, batch.CandidateColumn(query, j));
                int negative = set.Negatives(example).IndexOf(batch.Documents[column]);
                Assert.InRange(negative, 0, 4);
                Assert.Equal(set.NegativeScores(example)[negative], batch.TeacherScores[(query * 4) + j]);
            }
        }

        Assert.Equal(20, batch.Sequences.SequenceCount);
        Assert.Equal(set.QueryTokens(batch.Examples[1]).ToArray(), Sequence(batch, 1));
        Assert.Equal(set.DocumentTokens(batch.Documents[5]).ToArray(), Sequence(batch, 4 + 5));
    }

    [Fact]
    public void AnEpochShowsEveryExampleOnceAndTheNextInAnotherOrder()
    {
        TrainingSet set = TinyModels.TranslatedSet(40, negativeCount: 5);
        int[] Epoch(int epoch) => [.. Enumerable.Range(10 * epoch, 10).SelectMany(b => Fill(set, Options, b).Examples)];

        Assert.Equal(Enumerable.Range(0, 40), Epoch(0).Order());
        Assert.Equal(Enumerable.Range(0, 40), Epoch(1).Order());
        Assert.NotEqual(Epoch(0), Epoch(1));
        Assert.NotEqual(Enumerable.Range(0, 40), Epoch(0));
    }

    [Fact]
    public void NegativesAreDistinctAndDrawnAnewInEveryEpoch()
    {
        TrainingSet set = TinyModels.TranslatedSet(4, negativeCount: 3);
        TrainingSet many = TinyModels.TranslatedSet(40, negativeCount: 12);
        HashSet<string> draws = [];
        for (int batch = 0; batch < 30; batch++)
        {
            TrainingBatch filled = Fill(many, Options, batch);
            for (int query = 0; query < 4; query++)
            {
                int[] negatives = filled.Documents[(4 + (query * 3))..(7 + (query * 3))];
                Assert.Equal(3, negatives.Distinct().Count());
                if (filled.Examples[query] == 0)
                {
                    draws.Add(string.Join(' ', negatives));
                }
            }
        }

        Assert.Equal(3, draws.Count);
        Assert.Equal(set.Negatives(Fill(set, Options, 0).Examples[0]).ToArray().Order(), Fill(set, Options, 0).Documents[4..7].Order());
    }

    [Fact]
    public void ABatchDependsOnItsNumberAndTheSeedOnly()
    {
        TrainingSet set = TinyModels.TranslatedSet(10, negativeCount: 5);
        BatchSampler inOrder = new(set, Options);
        TrainingBatch batch = new(4, 3);
        for (int i = 0; i <= 7; i++)
        {
            inOrder.Fill(i, batch);
        }

        Assert.Equal(batch.Documents, Fill(set, Options, 7).Documents);
        Assert.NotEqual(batch.Documents, Fill(set, Options with { Seed = 12 }, 7).Documents);
    }

    [Fact]
    public void TooFewNegativesAreAnErrorThatNamesTheExample()
    {
        TrainingSet set = TinyModels.Set([new("1", "a", ["b"]), new("2", "b", [])], [new("a", "", "1"), new("b", "", "2")]);

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => new BatchSampler(set, Options with { BatchSize = 1, NegativeCount = 1 }));

        Assert.StartsWith("made-up examples: example 2 has 0 negatives where 1 are asked for", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void MissingNegativesAreFilledWithOtherDocuments()
    {
        (List<TrainingExample> examples, List<Document> documents) = TinyModels.Translated(12, negativeCount: 1);
        TrainingSet set = TinyModels.Set(examples, documents);
        for (int batch = 0; batch < 9; batch++)
        {
            TrainingBatch filled = Fill(set, Options with { AllowFewerNegatives = true }, batch);
            for (int query = 0; query < 4; query++)
            {
                int[] negatives = filled.Documents[(4 + (query * 3))..(7 + (query * 3))];
                Assert.Equal(set.Negatives(filled.Examples[query])[0], negatives[0]);
                Assert.Equal(3, negatives.Distinct().Count());
                Assert.DoesNotContain(filled.Documents[query], negatives);
            }
        }
    }

    [Fact]
    public void ATeachersObjectiveNeedsScores()
    {
        TrainingSet set = TinyModels.Set([new("1", "a", ["b"])], [new("a", "", "1"), new("b", "", "2")]);
        TrainingOptions options = Options with { BatchSize = 1, NegativeCount = 1, Objective = TrainingObjective.KlDivergence };

        Assert.Contains("example 1 has no teacher scores, which the objective kldiv needs", Assert.Throws<InvalidDataException>(() => new BatchSampler(set, options)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ABatchLargerThanTheSetIsAnError() =>
        Assert.Contains("BatchSize is 4, must be at most the 3 examples", Assert.Throws<ArgumentException>(() => new BatchSampler(TinyModels.TranslatedSet(3, 3), Options)).Message, StringComparison.Ordinal);

    private static TrainingBatch Fill(TrainingSet set, TrainingOptions options, long number)
    {
        TrainingBatch batch = new(options.BatchSize, options.NegativeCount);
        new BatchSampler(set, options).Fill(number, batch);
        return batch;
    }

    private static int[] Sequence(TrainingBatch batch, int index) =>
        batch.Sequences.Tokens[batch.Sequences.SequenceStarts[index]..batch.Sequences.SequenceStarts[index + 1]].ToArray();
}
