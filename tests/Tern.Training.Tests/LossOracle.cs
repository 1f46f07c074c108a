namespace Tern.Training.Tests;

/// <summary>The training loss in double precision, written as its formulas read; gradients by central differences of it.</summary>
internal sealed class LossOracle(TrainingOptions options, TrainingBatch batch, TrainingSet set, double queryFlopsWeight, double documentFlopsWeight)
{
    /// <summary>vectors: one row per sequence, queries first.</summary>
    public LossParts Evaluate(double[][] vectors)
    {
        double[][] queries = vectors[..batch.QueryCount];
        double[][] contexts = vectors[batch.QueryCount..];
        double infoNce = 0;
        double klDivergence = 0;
        double marginMse = 0;
        for (int i = 0; i < queries.Length; i++)
        {
            double[] scores = [.. contexts.Select(c => c.Zip(queries[i], (x, y) => x * y).Sum() / options.Temperature)];
            bool Counts(int c) => !options.MaskKnownPositives || c == i || !set.IsKnownPositive(batch.Examples[i], batch.Documents[c]);
            infoNce -= scores[i] - LogSumExp(scores.Where((_, c) => Counts(c)));

            double[] student = [.. Enumerable.Range(0, 1 + batch.NegativeCount).Select(j => scores[j == 0 ? i : queries.Length + (i * batch.NegativeCount) + j - 1])];
            double[] teacher = [.. batch.TeacherScores.Skip(i * student.Length).Take(student.Length).Select(t => (double)t)];
            for (int j = 0; j < student.Length; j++)
            {
                double teacherLog = teacher[j] - LogSumExp(teacher);
                klDivergence += Math.Exp(teacherLog) * (teacherLog - (student[j] - LogSumExp(student)));
            }

            for (int j = 1; j < student.Length; j++)
            {
                marginMse += Math.Pow(student[0] - student[j] - (teacher[0] - teacher[j]), 2) / batch.NegativeCount;
            }
        }

        double count = queries.Length;
        TrainingObjective objective = options.Objective;
        (double q, double d) = (options.QueryFlopsWeight > 0 ? Flops(queries) : 0, options.DocumentFlopsWeight > 0 ? Flops(contexts) : 0);
        double total = ((objective.InfoNceWeight * infoNce) + (objective.KlDivergenceWeight * klDivergence) + (objective.MarginMseWeight * marginMse)) / count;
        return new LossParts(
            objective.InfoNceWeight > 0 ? infoNce / count : 0,
            objective.KlDivergenceWeight > 0 ? klDivergence / count : 0,
            objective.MarginMseWeight > 0 ? marginMse / count : 0,
            q,
            d,
            total + (queryFlopsWeight * q) + (documentFlopsWeight * d));
    }

    public double[][] Gradient(double[][] vectors)
    {
        const double epsilon = 1e-5;
        double[][] gradient = [.. vectors.Select(v => new double[v.Length])];
        for (int row = 0; row < vectors.Length; row++)
        {
            for (int i = 0; i < vectors[row].Length; i++)
            {
                double kept = vectors[row][i];
                vectors[row][i] = kept + epsilon;
                double above = Evaluate(vectors).Total;
                vectors[row][i] = kept - epsilon;
                double below = Evaluate(vectors).Total;
                vectors[row][i] = kept;
                gradient[row][i] = (above - below) / (2 * epsilon);
            }
        }

        return gradient;
    }

    private static double LogSumExp(IEnumerable<double> values)
    {
        double maximum = values.Max();
        return maximum + Math.Log(values.Sum(v => Math.Exp(v - maximum)));
    }

    private static double Flops(double[][] rows) =>
        Enumerable.Range(0, rows[0].Length).Sum(v => Math.Pow(rows.Average(r => Math.Abs(r[v])), 2));
}
