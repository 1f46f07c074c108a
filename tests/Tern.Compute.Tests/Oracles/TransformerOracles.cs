namespace Tern.Compute.Tests.Oracles;

/// <summary>The transformer's operations in double precision, written for reading.</summary>
internal static class TransformerOracles
{
    public static double[] RmsNorm(double[] x, double[] weight, double epsilon, int rows, int columns, double[]? inverseRms = null)
    {
        double[] y = new double[rows * columns];
        for (int t = 0; t < rows; t++)
        {
            double squares = 0;
            for (int i = 0; i < columns; i++)
            {
                squares += x[(t * columns) + i] * x[(t * columns) + i];
            }

            double r = 1 / Math.Sqrt((squares / columns) + epsilon);
            if (inverseRms is not null)
            {
                inverseRms[t] = r;
            }

            for (int i = 0; i < columns; i++)
            {
                y[(t * columns) + i] = x[(t * columns) + i] * r * weight[i];
            }
        }

        return y;
    }

    /// <summary>Angle i of position p turns the pair (v[i], v[i + D/2]) of every head; rotations as in IBackend.</summary>
    public static double[] Rope(double[] values, int[] starts, double[] rotations, int headSize, int columns)
    {
        double[] turned = (double[])values.Clone();
        int half = headSize / 2;
        for (int b = 0; b + 1 < starts.Length; b++)
        {
            for (int t = starts[b]; t < starts[b + 1]; t++)
            {
                int rotation = (t - starts[b]) * headSize;
                for (int head = 0; head < columns; head += headSize)
                {
                    for (int i = 0; i < half; i++)
                    {
                        double cosine = rotations[rotation + i], sine = rotations[rotation + half + i];
                        double x = values[(t * columns) + head + i], y = values[(t * columns) + head + half + i];
                        turned[(t * columns) + head + i] = (x * cosine) - (y * sine);
                        turned[(t * columns) + head + half + i] = (y * cosine) + (x * sine);
                    }
                }
            }
        }

        return turned;
    }

    public static double[] Rotations(int positions, int headSize, double theta = 10000)
    {
        double[] rotations = new double[positions * headSize];
        for (int p = 0; p < positions; p++)
        {
            for (int i = 0; i < headSize / 2; i++)
            {
                double angle = p * Math.Pow(theta, -2.0 * i / headSize);
                rotations[(p * headSize) + i] = Math.Cos(angle);
                rotations[(p * headSize) + (headSize / 2) + i] = Math.Sin(angle);
            }
        }

        return rotations;
    }

    public static double[] Attention(double[] query, double[] key, double[] value, int[] starts, int heads, int keyValueHeads, int headSize, double scale, bool causal, double[]? logSumExp = null)
    {
        int tokens = starts[^1], group = heads / keyValueHeads;
        double[] output = new double[tokens * heads * headSize];
        for (int b = 0; b + 1 < starts.Length; b++)
        {
            for (int n = 0; n < heads; n++)
            {
                for (int i = starts[b]; i < starts[b + 1]; i++)
                {
                    int end = causal ? i + 1 : starts[b + 1];
                    double[] scores = new double[end - starts[b]];
                    for (int j = starts[b]; j < end; j++)
                    {
                        for (int d = 0; d < headSize; d++)
                        {
                            scores[j - starts[b]] += scale * query[(((i * heads) + n) * headSize) + d] * key[(((j * keyValueHeads) + (n / group)) * headSize) + d];
                        }
                    }

                    double total = LossOracles.LogSumExp(scores);
                    if (logSumExp is not null)
                    {
                        logSumExp[(i * heads) + n] = total;
                    }

                    for (int j = starts[b]; j < end; j++)
                    {
                        double probability = Math.Exp(scores[j - starts[b]] - total);
                        for (int d = 0; d < headSize; d++)
                        {
                            output[(((i * heads) + n) * headSize) + d] += probability * value[(((j * keyValueHeads) + (n / group)) * headSize) + d];
                        }
                    }
                }
            }
        }

        return output;
    }

    public static double[] SwiGlu(double[] gate, double[] up)
    {
        double[] y = new double[gate.Length];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = gate[i] / (1 + Math.Exp(-gate[i])) * up[i];
        }

        return y;
    }

    public static double[] Embedding(double[] table, int[] tokens, int columns)
    {
        double[] rows = new double[tokens.Length * columns];
        for (int t = 0; t < tokens.Length; t++)
        {
            Array.Copy(table, tokens[t] * columns, rows, t * columns, columns);
        }

        return rows;
    }
}
