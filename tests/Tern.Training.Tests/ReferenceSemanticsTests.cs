using Tern.Compute;
using Tern.Compute.Cpu;
using Xunit;

namespace Tern.Training.Tests;

/// <summary>
/// The averaging of the paper's system, simulated as it is: W processes, each of which differentiates its own loss (over gathered vectors
/// where InfoNCE is part of it) with respect to its own vectors, then the mean of the gradients over the processes.
/// </summary>
public sealed class ReferenceSemanticsTests
{
    private const int Dimension = 6, Queries = 4;
    private const double QueryWeight = 0.3, DocumentWeight = 0.2;

    public static TheoryData<string, int, int> Cases()
    {
        TheoryData<string, int, int> cases = [];
        foreach (int processes in new[] { 1, 2, 4 })
        {
            cases.Add("nce", processes, 2);
            cases.Add("nce_kldiv", processes, 2);
            cases.Add("kldiv", processes, 2);
            cases.Add("margin_mse", processes, 1);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TheGradientIsTheMeanOfTheProcesses(string objective, int processes, int negatives)
    {
        (TrainingOptions options, TrainingSet set, TrainingBatch batch) = Setting(objective, processes, negatives);
        double[][] vectors = Vectors(batch);
        float[] actual = Gradient(options, set, batch, vectors);
        double[] expected = [.. Simulate(options, batch, vectors, processes).SelectMany(row => row)];
        double limit = 1e-4 * expected.Max(Math.Abs);
        Assert.True(limit > 1e-7);
        Assert.All(expected.Zip(actual), pair => Assert.True(Math.Abs(pair.First - pair.Second) <= limit, $"{pair.Second}, expected {pair.First} within {limit}"));
    }

    /// <summary>1 : W beside 1 : 1, seen in the gradients: what InfoNCE and FLOPS weigh is divided by W, the teacher's part is not.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void InfoNceToKlIsOneToTheNumberOfProcesses(int processes)
    {
        (TrainingOptions options, TrainingSet set, TrainingBatch batch) = Setting("nce_kldiv", processes, 2);
        double[][] vectors = Vectors(batch);
        TrainingOptions stated = options with { ReferenceRankCount = 0 };
        float[] together = Gradient(options, set, batch, vectors);
        float[] infoNce = Gradient(stated with { Objective = new(0.5f, 0f, 0f) }, set, batch, vectors);
        float[] klDivergence = Gradient(stated with { Objective = new(0f, 0.5f, 0f), QueryFlopsWeight = 0f, DocumentFlopsWeight = 0f }, set, batch, vectors);
        for (int i = 0; i < together.Length; i++)
        {
            Assert.Equal((infoNce[i] / processes) + klDivergence[i], together[i], 1e-6f);
        }
    }

    /// <summary>Two batches a step: the ramp of T = 2 is over after the first step, whose batches have λ/4 and λ.</summary>
    [Fact]
    public void TheRampCountsBatches()
    {
        TrainingOptions options = new() { StepCount = 6, BatchSize = 4, AccumulationCount = 2, QueryFlopsWeight = 1f, DocumentFlopsWeight = 2f, CollapseCheckInterval = 0 };
        Assert.Equal([0.25, 1, 1], Weights(options));
        Assert.Equal([1, 1, 1], Weights(options with { ReferenceRankCount = 4 }));
        Assert.Equal(2, options.RampSteps);

        static double[] Weights(TrainingOptions options)
        {
            using CpuBackend backend = TinyModels.Backend();
            using Model.RetrieverNetwork network = TinyModels.Network(backend, Model.RepresentationKind.Sparse);
            using RetrieverTrainer trainer = new(backend, network, TinyModels.TranslatedSet(20), options);
            network.Weights.ZeroGradients();
            return [.. Enumerable.Range(1, 3).Select(step => trainer.Accumulate(step).QueryFlopsWeight)];
        }
    }

    private static (TrainingOptions Options, TrainingSet Set, TrainingBatch Batch) Setting(string objective, int processes, int negatives)
    {
        TrainingOptions options = new()
        {
            StepCount = 1,
            BatchSize = Queries,
            NegativeCount = negatives,
            Objective = TrainingObjective.Parse(objective),
            Temperature = 0.5f,
            MaskKnownPositives = false,
            QueryFlopsWeight = 1f,
            DocumentFlopsWeight = 1f,
            ReferenceRankCount = processes,
        };
        TrainingSet set = TinyModels.TranslatedSet(12, negatives + 2);
        TrainingBatch batch = new(Queries, negatives);
        new BatchSampler(set, options).Fill(0, batch);
        return (options, set, batch);
    }

    private static double[][] Vectors(TrainingBatch batch)
    {
        SeededRandom random = new(3, 0, 0);
        return [.. Enumerable.Range(0, batch.QueryCount + batch.ContextCount).Select(_ => Enumerable.Range(0, Dimension).Select(_ => (random.Below(2000) + 1) / 2000.0).ToArray())];
    }

    private static float[] Gradient(TrainingOptions options, TrainingSet set, TrainingBatch batch, double[][] vectors)
    {
        using CpuBackend backend = TinyModels.Backend();
        using TensorMemory memory = backend.Allocate(DType.Float32), dMemory = backend.Allocate(DType.Float32);
        using RetrievalLoss loss = new(backend, options, set);
        Tensor representations = memory.Shape(vectors.Length, Dimension), dRepresentations = dMemory.Shape(vectors.Length, Dimension);
        backend.Upload<float>([.. vectors.SelectMany(v => v).Select(x => (float)x)], representations);
        loss.Evaluate(representations, batch, QueryWeight, DocumentWeight, 1, dRepresentations);
        return dRepresentations.Span<float>().ToArray();
    }

    private static double[][] Simulate(TrainingOptions options, TrainingBatch batch, double[][] vectors, int processes)
    {
        const double Step = 1e-5;
        double[][] gradient = [.. vectors.Select(v => new double[Dimension])];
        for (int row = 0; row < vectors.Length; row++)
        {
            int process = Owner(batch, row, processes);
            for (int i = 0; i < Dimension; i++)
            {
                double kept = vectors[row][i];
                vectors[row][i] = kept + Step;
                double above = ProcessLoss(options, batch, vectors, process, processes);
                vectors[row][i] = kept - Step;
                double below = ProcessLoss(options, batch, vectors, process, processes);
                vectors[row][i] = kept;
                gradient[row][i] = (above - below) / (2 * Step) / processes;
            }
        }

        return gradient;
    }

    /// <summary>Process r has queries r·B/W … and their contexts.</summary>
    private static int Owner(TrainingBatch batch, int row, int processes)
    {
        int query = row < 2 * Queries ? row % Queries : (row - (2 * Queries)) / batch.NegativeCount;
        return query / (Queries / processes);
    }

    private static double ProcessLoss(TrainingOptions options, TrainingBatch batch, double[][] vectors, int process, int processes)
    {
        int n = batch.NegativeCount;
        double[][] queries = vectors[..Queries], contexts = vectors[Queries..];
        int[] own = [.. Enumerable.Range(0, Queries).Where(q => Owner(batch, q, processes) == process)];
        double Score(int query, int context) => queries[query].Zip(contexts[context], (x, y) => x * y).Sum() / options.Temperature;
        double infoNce = Enumerable.Range(0, Queries).Average(q => LogSumExp([.. Enumerable.Range(0, contexts.Length).Select(c => Score(q, c))]) - Score(q, q));
        double klDivergence = own.Average(q =>
        {
            double[] student = [.. Enumerable.Range(0, n + 1).Select(j => Score(q, batch.CandidateColumn(q, j)))];
            double[] teacher = [.. batch.TeacherScores.Skip(q * (n + 1)).Take(n + 1).Select(t => (double)t)];
            double studentTotal = LogSumExp(student), teacherTotal = LogSumExp(teacher);
            return Enumerable.Range(0, n + 1).Sum(j => Math.Exp(teacher[j] - teacherTotal) * (teacher[j] - teacherTotal - student[j] + studentTotal));
        });
        double marginMse = own.Average(q => Math.Pow(Score(q, batch.CandidateColumn(q, 0)) - Score(q, batch.CandidateColumn(q, 1)) - (batch.TeacherScores[q * (n + 1)] - batch.TeacherScores[(q * (n + 1)) + 1]), 2));

        TrainingObjective o = options.Objective;
        double rank = (o.InfoNceWeight * infoNce) + (o.KlDivergenceWeight * klDivergence) + (o.MarginMseWeight * marginMse);
        if (o.InfoNceWeight > 0)
        {
            return rank + (QueryWeight * Flops(queries)) + (DocumentWeight * Flops(contexts));
        }

        double[][] positives = [.. own.Select(q => contexts[q])], negatives = [.. own.SelectMany(q => Enumerable.Range(1, n).Select(j => contexts[batch.CandidateColumn(q, j)]))];
        double documents = o.MarginMseWeight > 0 ? (Flops(positives) + Flops(negatives)) / 2 : Flops([.. positives, .. negatives]);
        return rank + (QueryWeight * Flops([.. own.Select(q => queries[q])])) + (DocumentWeight * documents);
    }

    private static double LogSumExp(double[] values)
    {
        double maximum = values.Max();
        return maximum + Math.Log(values.Sum(v => Math.Exp(v - maximum)));
    }

    private static double Flops(double[][] rows) => Enumerable.Range(0, Dimension).Sum(v => Math.Pow(rows.Average(r => Math.Abs(r[v])), 2));
}
