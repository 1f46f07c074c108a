using Tern.Compute;

namespace Tern.TestKit.DoublePrecision;

public sealed partial class DoubleBackend
{
    public void EmbeddingForward(Tensor table, Tensor tokens, Tensor destination)
    {
        DoubleMatrix rows = new(table);
        DoubleMatrix ids = new(tokens);
        Each(destination, (t, h) => rows[ids.Integer(t), h]);
    }

    public void EmbeddingBackward(Tensor dOutput, Tensor tokens, Tensor accumulateDTable)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix ids = new(tokens);
        DoubleMatrix table = new(accumulateDTable);
        for (int t = 0; t < d.Rows; t++)
        {
            for (int h = 0; h < d.Columns; h++)
            {
                table[ids.Integer(t), h] += d[t, h];
            }
        }
    }

    public void RmsNormForward(Tensor input, Tensor weight, float epsilon, Tensor inverseRms, Tensor destination)
    {
        DoubleMatrix x = new(input);
        DoubleMatrix w = new(weight);
        DoubleMatrix r = new(inverseRms);
        for (int t = 0; t < x.Rows; t++)
        {
            double squares = 0;
            foreach (double value in x.Row(t))
            {
                squares += value * value;
            }

            r[0, t] = 1 / Math.Sqrt((squares / x.Columns) + epsilon);
        }

        Each(destination, (t, h) => x[t, h] * r[0, t] * w[0, h]);
    }

    public void RmsNormBackward(Tensor dOutput, Tensor input, Tensor weight, Tensor inverseRms, Tensor accumulateDInput, Tensor accumulateDWeight)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix x = new(input);
        DoubleMatrix w = new(weight);
        DoubleMatrix r = new(inverseRms);
        DoubleMatrix dInput = new(accumulateDInput);
        DoubleMatrix dWeight = new(accumulateDWeight);
        for (int t = 0; t < x.Rows; t++)
        {
            double inverse = r[0, t];
            double dot = 0;
            for (int h = 0; h < x.Columns; h++)
            {
                dot += d[t, h] * w[0, h] * x[t, h];
            }

            for (int h = 0; h < x.Columns; h++)
            {
                dInput[t, h] += inverse * ((d[t, h] * w[0, h]) - (x[t, h] * inverse * inverse * dot / x.Columns));
                if (!dWeight.IsEmpty)
                {
                    dWeight[0, h] += d[t, h] * x[t, h] * inverse;
                }
            }
        }
    }

    public void RopeForward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values) => Rotate(sequenceStarts, rotations, headSize, values, 1);

    public void RopeBackward(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor dValues) => Rotate(sequenceStarts, rotations, headSize, dValues, -1);

    public void AttentionForward(Tensor query, Tensor key, Tensor value, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor logSumExp, Tensor destination)
    {
        DoubleMatrix v = new(value);
        DoubleMatrix sums = new(logSumExp);
        DoubleMatrix to = new(destination);
        int size = destination.Columns / headCount;
        Attend(query, key, sequenceStarts, headCount, keyValueHeadCount, scale, causal, (row, head, group, first, scores) =>
        {
            double maximum = scores.Max();
            double sum = scores.Sum(s => Math.Exp(s - maximum));
            sums[row, head] = maximum + Math.Log(sum);
            for (int e = 0; e < size; e++)
            {
                double mean = 0;
                for (int j = 0; j < scores.Length; j++)
                {
                    mean += Math.Exp(scores[j] - sums[row, head]) * v[first + j, (group * size) + e];
                    MultiplyAdds++;
                }

                to[row, (head * size) + e] = mean;
            }
        });
    }

    public void AttentionBackward(Tensor dOutput, Tensor query, Tensor key, Tensor value, Tensor output, Tensor logSumExp, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Tensor dQuery, Tensor dKey, Tensor dValue)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix q = new(query);
        DoubleMatrix k = new(key);
        DoubleMatrix v = new(value);
        DoubleMatrix sums = new(logSumExp);
        DoubleMatrix dq = new(dQuery);
        DoubleMatrix dk = new(dKey);
        DoubleMatrix dv = new(dValue);
        Fill(0f, dQuery);
        Fill(0f, dKey);
        Fill(0f, dValue);
        int size = dOutput.Columns / headCount;
        Attend(query, key, sequenceStarts, headCount, keyValueHeadCount, scale, causal, (row, head, group, first, scores) =>
        {
            double[] p = [.. scores.Select(s => Math.Exp(s - sums[row, head]))];
            double[] dp = new double[p.Length];
            for (int j = 0; j < p.Length; j++)
            {
                for (int e = 0; e < size; e++)
                {
                    dp[j] += d[row, (head * size) + e] * v[first + j, (group * size) + e];
                    dv[first + j, (group * size) + e] += p[j] * d[row, (head * size) + e];
                    MultiplyAdds += 2;
                }
            }

            double mean = p.Zip(dp, (x, y) => x * y).Sum();
            for (int j = 0; j < p.Length; j++)
            {
                double ds = scale * p[j] * (dp[j] - mean);
                for (int e = 0; e < size; e++)
                {
                    dq[row, (head * size) + e] += ds * k[first + j, (group * size) + e];
                    dk[first + j, (group * size) + e] += ds * q[row, (head * size) + e];
                    MultiplyAdds += 2;
                }
            }
        });
    }

    public void SwiGluForward(Tensor gate, Tensor up, Tensor destination)
    {
        DoubleMatrix g = new(gate);
        DoubleMatrix u = new(up);
        Each(destination, (t, i) => g[t, i] / (1 + Math.Exp(-g[t, i])) * u[t, i]);
    }

    public void SwiGluBackward(Tensor dOutput, Tensor gate, Tensor up, Tensor dGate, Tensor dUp)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix g = new(gate);
        DoubleMatrix u = new(up);
        DoubleMatrix toGate = new(dGate);
        DoubleMatrix toUp = new(dUp);
        for (int t = 0; t < d.Rows; t++)
        {
            for (int i = 0; i < d.Columns; i++)
            {
                double sigmoid = 1 / (1 + Math.Exp(-g[t, i]));
                double forGate = d[t, i] * u[t, i] * (sigmoid + (g[t, i] * sigmoid * (1 - sigmoid)));
                double forUp = d[t, i] * g[t, i] * sigmoid;
                toGate[t, i] = forGate;
                toUp[t, i] = forUp;
            }
        }
    }

    /// <summary>Calls back with the scores of each row's head over the rows from <c>first</c> on that it sees.</summary>
    private void Attend(Tensor query, Tensor key, Tensor sequenceStarts, int headCount, int keyValueHeadCount, float scale, bool causal, Action<int, int, int, int, double[]> visit)
    {
        DoubleMatrix q = new(query);
        DoubleMatrix k = new(key);
        DoubleMatrix starts = new(sequenceStarts);
        int size = query.Columns / headCount;
        for (int b = 0; b + 1 < sequenceStarts.Columns; b++)
        {
            int first = starts.Integer(b);
            for (int row = first; row < starts.Integer(b + 1); row++)
            {
                for (int head = 0; head < headCount; head++)
                {
                    int group = head / (headCount / keyValueHeadCount);
                    double[] scores = new double[(causal ? row + 1 : starts.Integer(b + 1)) - first];
                    for (int j = 0; j < scores.Length; j++)
                    {
                        for (int e = 0; e < size; e++)
                        {
                            scores[j] += scale * q[row, (head * size) + e] * k[first + j, (group * size) + e];
                            MultiplyAdds++;
                        }
                    }

                    visit(row, head, group, first, scores);
                }
            }
        }
    }

    private static void Rotate(Tensor sequenceStarts, Tensor rotations, int headSize, Tensor values, int direction)
    {
        DoubleMatrix starts = new(sequenceStarts);
        DoubleMatrix table = new(rotations);
        DoubleMatrix v = new(values);
        int half = headSize / 2;
        for (int b = 0; b + 1 < sequenceStarts.Columns; b++)
        {
            for (int row = starts.Integer(b); row < starts.Integer(b + 1); row++)
            {
                int position = row - starts.Integer(b);
                for (int column = 0; column < v.Columns; column++)
                {
                    if (column % headSize >= half)
                    {
                        continue;
                    }

                    double cos = table[position, column % headSize];
                    double sin = direction * table[position, half + (column % headSize)];
                    (double x, double y) = (v[row, column], v[row, column + half]);
                    v[row, column] = (x * cos) - (y * sin);
                    v[row, column + half] = (y * cos) + (x * sin);
                }
            }
        }
    }
}
