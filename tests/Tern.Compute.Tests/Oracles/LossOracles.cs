namespace Tern.Compute.Tests.Oracles;

/// <summary>Losses, the regulariser and the optimiser in double precision.</summary>
internal static class LossOracles
{
    public static double LogSumExp(ReadOnlySpan<double> values)
    {
        double greatest = double.NegativeInfinity, sum = 0;
        foreach (double value in values)
        {
            greatest = Math.Max(greatest, value);
        }

        foreach (double value in values)
        {
            sum += Math.Exp(value - greatest);
        }

        return greatest + Math.Log(sum);
    }

    public static double[] InfoNce(double[] scores, int[] labels, double inverseTemperature, double[]? logSumExp = null)
    {
        int columns = scores.Length / labels.Length;
        double[] losses = new double[labels.Length];
        for (int b = 0; b < labels.Length; b++)
        {
            double[] row = Row(scores, b, columns, inverseTemperature);
            double total = LogSumExp(row);
            if (logSumExp is not null)
            {
                logSumExp[b] = total;
            }

            losses[b] = total - row[labels[b]];
        }

        return losses;
    }

    public static double[] KlDivergence(double[] student, double[] teacher, double inverseTemperature, int columns)
    {
        double[] losses = new double[student.Length / columns];
        for (int b = 0; b < losses.Length; b++)
        {
            double[] s = Row(student, b, columns, inverseTemperature), t = Row(teacher, b, columns, 1);
            double studentTotal = LogSumExp(s), teacherTotal = LogSumExp(t);
            for (int j = 0; j < columns; j++)
            {
                double probability = Math.Exp(t[j] - teacherTotal);
                losses[b] += probability == 0 ? 0 : probability * (t[j] - teacherTotal - (s[j] - studentTotal));
            }
        }

        return losses;
    }

    public static double[] MarginMse(double[] student, double[] teacher, double inverseTemperature, int columns)
    {
        double[] losses = new double[student.Length / columns];
        for (int b = 0; b < losses.Length; b++)
        {
            double[] s = Row(student, b, columns, inverseTemperature), t = Row(teacher, b, columns, 1);
            for (int j = 1; j < columns; j++)
            {
                double error = s[0] - s[j] - (t[0] - t[j]);
                losses[b] += error * error / (columns - 1);
            }
        }

        return losses;
    }

    public static double[] GatherColumns(double[] source, int[] columns, int rows)
    {
        int width = source.Length / rows, count = columns.Length / rows;
        double[] gathered = new double[columns.Length];
        for (int i = 0; i < gathered.Length; i++)
        {
            gathered[i] = source[(i / count * width) + columns[i]];
        }

        return gathered;
    }

    public static double Flops(double[] values, int rows, int columns, double[]? means = null)
    {
        double total = 0;
        for (int v = 0; v < columns; v++)
        {
            double mean = 0;
            for (int b = 0; b < rows; b++)
            {
                mean += Math.Abs(values[(b * columns) + v]) / rows;
            }

            if (means is not null)
            {
                means[v] = mean;
            }

            total += mean * mean;
        }

        return total;
    }

    /// <summary>torch.optim.AdamW's update of one element.</summary>
    public static void AdamW(double gradient, AdamWSettings settings, double learningRate, int step, ref double first, ref double second, ref double parameter)
    {
        parameter -= learningRate * settings.WeightDecay * parameter;
        first = (settings.Beta1 * first) + ((1 - (double)settings.Beta1) * gradient);
        second = (settings.Beta2 * second) + ((1 - (double)settings.Beta2) * gradient * gradient);
        double firstCorrected = first / (1 - Math.Pow(settings.Beta1, step));
        double secondCorrected = second / (1 - Math.Pow(settings.Beta2, step));
        parameter -= learningRate * firstCorrected / (Math.Sqrt(secondCorrected) + settings.Epsilon);
    }

    private static double[] Row(double[] values, int row, int columns, double factor) =>
        Array.ConvertAll(values[(row * columns)..((row + 1) * columns)], v => factor * v);
}
