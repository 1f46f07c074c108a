using Tern.Compute;

namespace Tern.TestKit.DoublePrecision;

public sealed partial class DoubleBackend
{
    public void MaxPoolProductForward(Tensor hidden, ProjectionWeight weight, Tensor bias, Tensor sequenceStarts, float scale, Tensor maxima, Tensor argMax)
    {
        DoubleMatrix h = new(hidden);
        DoubleMatrix w = new(weight.Matrix);
        DoubleMatrix addend = new(bias);
        DoubleMatrix starts = new(sequenceStarts);
        DoubleMatrix winners = new(argMax);
        Each(maxima, (b, v) =>
        {
            double best = double.NegativeInfinity;
            winners[b, v] = -1;
            for (int row = starts.Integer(b); row < starts.Integer(b + 1); row++)
            {
                double score = (scale * CountedDot(h.Row(row), w.Row(v))) + (addend.IsEmpty ? 0 : addend[0, v]);
                if (score > best)
                {
                    (best, winners[b, v]) = (score, row);
                }
            }

            return best;
        });
    }

    public void MaxPoolProductBackward(Tensor dMaxima, Tensor argMax, Tensor hidden, Tensor weight, float scale, Tensor accumulateDHidden, Tensor accumulateDWeight, Tensor accumulateDBias)
    {
        DoubleMatrix d = new(dMaxima);
        DoubleMatrix winners = new(argMax);
        DoubleMatrix h = new(hidden);
        DoubleMatrix w = new(weight);
        DoubleMatrix dHidden = new(accumulateDHidden);
        DoubleMatrix dWeight = new(accumulateDWeight);
        DoubleMatrix dBias = new(accumulateDBias);
        for (int b = 0; b < d.Rows; b++)
        {
            for (int v = 0; v < d.Columns; v++)
            {
                double g = d[b, v];
                int row = (int)winners[b, v];
                if (g == 0)
                {
                    continue;
                }

                for (int i = 0; i < h.Columns; i++)
                {
                    dHidden[row, i] += scale * g * w[v, i];
                    MultiplyAdds++;
                    if (!dWeight.IsEmpty)
                    {
                        dWeight[v, i] += scale * g * h[row, i];
                        MultiplyAdds++;
                    }
                }

                if (!dBias.IsEmpty)
                {
                    dBias[0, v] += g;
                }
            }
        }
    }

    public void Log1pReluForward(Tensor maxima, Tensor destination)
    {
        DoubleMatrix m = new(maxima);
        Each(destination, (b, v) => Math.Log(1 + Math.Max(0, m[b, v])));
    }

    public void Log1pReluBackward(Tensor dOutput, Tensor maxima, Tensor dMaxima)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix m = new(maxima);
        Each(dMaxima, (b, v) => m[b, v] > 0 ? d[b, v] / (1 + m[b, v]) : 0);
    }

    public void NormalizedMeanForward(Tensor hidden, Tensor sequenceStarts, Tensor inverseNorms, Tensor destination)
    {
        DoubleMatrix h = new(hidden);
        DoubleMatrix starts = new(sequenceStarts);
        DoubleMatrix inverse = new(inverseNorms);
        for (int row = 0; row < h.Rows; row++)
        {
            inverse[0, row] = 1 / Math.Max(Math.Sqrt(Dot(h.Row(row), h.Row(row))), 1e-12);
        }

        Each(destination, (b, i) =>
        {
            int count = starts.Integer(b + 1) - starts.Integer(b);
            double sum = 0;
            for (int row = starts.Integer(b); row < starts.Integer(b + 1); row++)
            {
                sum += h[row, i] * inverse[0, row];
            }

            return count == 0 ? 0 : sum / count;
        });
    }

    public void NormalizedMeanBackward(Tensor dOutput, Tensor hidden, Tensor inverseNorms, Tensor sequenceStarts, Tensor dHidden)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix h = new(hidden);
        DoubleMatrix inverse = new(inverseNorms);
        DoubleMatrix starts = new(sequenceStarts);
        DoubleMatrix to = new(dHidden);
        for (int b = 0; b < d.Rows; b++)
        {
            int count = starts.Integer(b + 1) - starts.Integer(b);
            for (int row = starts.Integer(b); row < starts.Integer(b + 1); row++)
            {
                double r = inverse[0, row];
                double dot = Dot(d.Row(b), h.Row(row));
                for (int i = 0; i < h.Columns; i++)
                {
                    to[row, i] = r * (d[b, i] - (h[row, i] * r * r * dot)) / count;
                }
            }
        }
    }

    public void InfoNceForward(Tensor scores, Tensor labels, float inverseTemperature, Tensor logSumExp, Tensor losses)
    {
        DoubleMatrix s = new(scores);
        DoubleMatrix label = new(labels);
        DoubleMatrix sums = new(logSumExp);
        DoubleMatrix to = new(losses);
        for (int b = 0; b < s.Rows; b++)
        {
            sums[0, b] = LogSumExp(s.Row(b), inverseTemperature);
            to[0, b] = sums[0, b] - (inverseTemperature * s[b, label.Integer(b)]);
        }
    }

    public void InfoNceBackward(Tensor scores, Tensor labels, Tensor logSumExp, float inverseTemperature, float weight, Tensor accumulateDScores)
    {
        DoubleMatrix s = new(scores);
        DoubleMatrix label = new(labels);
        DoubleMatrix sums = new(logSumExp);
        DoubleMatrix to = new(accumulateDScores);
        Each(accumulateDScores, (b, m) => to[b, m] + (weight * inverseTemperature * (Math.Exp((inverseTemperature * s[b, m]) - sums[0, b]) - (m == label.Integer(b) ? 1 : 0))));
    }

    public void KlDivergenceForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
        DoubleMatrix s = new(student);
        DoubleMatrix t = new(teacher);
        DoubleMatrix to = new(losses);
        for (int b = 0; b < s.Rows; b++)
        {
            double studentSum = LogSumExp(s.Row(b), inverseTemperature);
            double teacherSum = LogSumExp(t.Row(b), 1);
            to[0, b] = 0;
            for (int m = 0; m < s.Columns; m++)
            {
                double log = t[b, m] - teacherSum;
                to[0, b] += Math.Exp(log) * (log - ((inverseTemperature * s[b, m]) - studentSum));
            }
        }
    }

    public void KlDivergenceBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
        DoubleMatrix s = new(student);
        DoubleMatrix t = new(teacher);
        DoubleMatrix to = new(accumulateDStudent);
        Each(accumulateDStudent, (b, m) => to[b, m] + (weight * inverseTemperature
            * (Math.Exp((inverseTemperature * s[b, m]) - LogSumExp(s.Row(b), inverseTemperature)) - Math.Exp(t[b, m] - LogSumExp(t.Row(b), 1)))));
    }

    public void MarginMseForward(Tensor student, Tensor teacher, float inverseTemperature, Tensor losses)
    {
        DoubleMatrix to = new(losses);
        for (int b = 0; b < student.Rows; b++)
        {
            to[0, b] = 0;
            for (int m = 1; m < student.Columns; m++)
            {
                to[0, b] += Math.Pow(MarginError(student, teacher, inverseTemperature, b, m), 2) / (student.Columns - 1);
            }
        }
    }

    public void MarginMseBackward(Tensor student, Tensor teacher, float inverseTemperature, float weight, Tensor accumulateDStudent)
    {
        DoubleMatrix to = new(accumulateDStudent);
        for (int b = 0; b < student.Rows; b++)
        {
            for (int m = 1; m < student.Columns; m++)
            {
                double d = weight * inverseTemperature * 2 * MarginError(student, teacher, inverseTemperature, b, m) / (student.Columns - 1);
                to[b, 0] += d;
                to[b, m] -= d;
            }
        }
    }

    public void GatherColumnsForward(Tensor source, Tensor columns, Tensor destination)
    {
        DoubleMatrix from = new(source);
        DoubleMatrix at = new(columns);
        Each(destination, (b, j) => from[b, (int)at[b, j]]);
    }

    public void GatherColumnsBackward(Tensor dOutput, Tensor columns, Tensor accumulateDSource)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix at = new(columns);
        DoubleMatrix to = new(accumulateDSource);
        for (int b = 0; b < d.Rows; b++)
        {
            for (int j = 0; j < d.Columns; j++)
            {
                to[b, (int)at[b, j]] += d[b, j];
            }
        }
    }

    public double FlopsForward(Tensor values, Tensor columnMeans)
    {
        DoubleMatrix v = new(values);
        DoubleMatrix means = new(columnMeans);
        double sum = 0;
        for (int j = 0; j < v.Columns; j++)
        {
            means[0, j] = 0;
            for (int b = 0; b < v.Rows; b++)
            {
                means[0, j] += Math.Abs(v[b, j]) / v.Rows;
            }

            sum += means[0, j] * means[0, j];
        }

        return sum;
    }

    public void FlopsBackward(Tensor values, Tensor columnMeans, float weight, Tensor accumulateDValues)
    {
        DoubleMatrix v = new(values);
        DoubleMatrix means = new(columnMeans);
        DoubleMatrix to = new(accumulateDValues);
        Each(accumulateDValues, (b, j) => to[b, j] + (weight * 2 * means[0, j] * Math.Sign(v[b, j]) / v.Rows));
    }

    private static double MarginError(Tensor student, Tensor teacher, float inverseTemperature, int b, int m)
    {
        DoubleMatrix s = new(student);
        DoubleMatrix t = new(teacher);
        return (inverseTemperature * (s[b, 0] - s[b, m])) - (t[b, 0] - t[b, m]);
    }

    private double CountedDot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        MultiplyAdds += left.Length;
        return Dot(left, right);
    }

    private static double Dot(ReadOnlySpan<double> left, ReadOnlySpan<double> right)
    {
        double sum = 0;
        for (int i = 0; i < left.Length; i++)
        {
            sum += left[i] * right[i];
        }

        return sum;
    }

    private static double LogSumExp(ReadOnlySpan<double> values, double scale)
    {
        double maximum = double.NegativeInfinity;
        foreach (double value in values)
        {
            maximum = Math.Max(maximum, scale * value);
        }

        double sum = 0;
        foreach (double value in values)
        {
            sum += Math.Exp((scale * value) - maximum);
        }

        return maximum + Math.Log(sum);
    }
}
