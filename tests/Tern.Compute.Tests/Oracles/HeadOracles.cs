namespace Tern.Compute.Tests.Oracles;

/// <summary>The ends of the two heads in double precision.</summary>
internal static class HeadOracles
{
    public static double[] Log1pRelu(double[] x) => Array.ConvertAll(x, static v => v > 0 ? Log1p(v) : 0);

    /// <summary>ln(1 + x) by its series where 1 + x would lose x's digits.</summary>
    public static double Log1p(double x) => x < 1e-4 ? x - (x * x / 2) + (x * x * x / 3) - (x * x * x * x / 4) : Math.Log(1 + x);

    public static double[] NormalizedMean(double[] hidden, int[] starts, int columns, double[]? inverseNorms = null)
    {
        double[] means = new double[(starts.Length - 1) * columns];
        for (int b = 0; b + 1 < starts.Length; b++)
        {
            for (int t = starts[b]; t < starts[b + 1]; t++)
            {
                double squares = 0;
                for (int i = 0; i < columns; i++)
                {
                    squares += hidden[(t * columns) + i] * hidden[(t * columns) + i];
                }

                double inverse = 1 / Math.Max(Math.Sqrt(squares), 1e-12);
                if (inverseNorms is not null)
                {
                    inverseNorms[t] = inverse;
                }

                for (int i = 0; i < columns; i++)
                {
                    means[(b * columns) + i] += hidden[(t * columns) + i] * inverse / (starts[b + 1] - starts[b]);
                }
            }
        }

        return means;
    }

    /// <summary>maxima[b, v] of scale · (hidden · weight) + bias; argMax gets the first row that attains it.</summary>
    public static double[] MaxPoolProduct(double[] hidden, double[] weight, double[]? bias, int[] starts, double scale, int columns, int[]? argMax = null)
    {
        int vocabulary = weight.Length / columns;
        double[] maxima = new double[(starts.Length - 1) * vocabulary];
        for (int b = 0; b + 1 < starts.Length; b++)
        {
            for (int v = 0; v < vocabulary; v++)
            {
                double greatest = double.NegativeInfinity;
                int winner = -1;
                for (int t = starts[b]; t < starts[b + 1]; t++)
                {
                    double logit = bias is null ? 0 : bias[v];
                    for (int i = 0; i < columns; i++)
                    {
                        logit += scale * hidden[(t * columns) + i] * weight[(v * columns) + i];
                    }

                    if (logit > greatest)
                    {
                        greatest = logit;
                        winner = t;
                    }
                }

                maxima[(b * vocabulary) + v] = greatest;
                if (argMax is not null)
                {
                    argMax[(b * vocabulary) + v] = winner;
                }
            }
        }

        return maxima;
    }
}
