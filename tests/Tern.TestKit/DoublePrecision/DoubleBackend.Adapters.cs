using Tern.Compute;

namespace Tern.TestKit.DoublePrecision;

public sealed partial class DoubleBackend
{
    public void LoraForward(Tensor input, Tensor a, Tensor b, float scale, in Dropout dropout, Tensor projected, Tensor accumulateDestination)
    {
        DoubleMatrix x = new(input);
        DoubleMatrix down = new(a);
        DoubleMatrix up = new(b);
        DoubleMatrix p = new(projected);
        DoubleMatrix to = new(accumulateDestination);
        Dropout mask = dropout;
        Each(projected, (t, r) => scale * Enumerable.Range(0, x.Columns).Sum(i => Multiply(Kept(mask, t, i) * x[t, i], down[r, i])));
        Each(accumulateDestination, (t, o) => to[t, o] + Enumerable.Range(0, p.Columns).Sum(r => Multiply(p[t, r], up[o, r])));
    }

    public void LoraBackward(Tensor dOutput, Tensor input, Tensor a, Tensor b, Tensor projected, float scale, in Dropout dropout, Tensor accumulateDInput, Tensor accumulateDA, Tensor accumulateDB)
    {
        DoubleMatrix d = new(dOutput);
        DoubleMatrix x = new(input);
        DoubleMatrix down = new(a);
        DoubleMatrix up = new(b);
        DoubleMatrix p = new(projected);
        DoubleMatrix dInput = new(accumulateDInput);
        DoubleMatrix dA = new(accumulateDA);
        DoubleMatrix dB = new(accumulateDB);
        for (int t = 0; t < d.Rows; t++)
        {
            for (int r = 0; r < p.Columns; r++)
            {
                double dProjected = 0;
                for (int o = 0; o < d.Columns; o++)
                {
                    dProjected += d[t, o] * up[o, r];
                    MultiplyAdds++;
                    if (!dB.IsEmpty)
                    {
                        dB[o, r] += d[t, o] * p[t, r];
                        MultiplyAdds++;
                    }
                }

                for (int i = 0; i < x.Columns; i++)
                {
                    double kept = scale * Kept(dropout, t, i) * dProjected;
                    dInput[t, i] += kept * down[r, i];
                    MultiplyAdds++;
                    if (!dA.IsEmpty)
                    {
                        dA[r, i] += kept * x[t, i];
                        MultiplyAdds++;
                    }
                }
            }
        }
    }

    public void CrossEntropyProductForward(Tensor hidden, ProjectionWeight weight, Tensor labels, Tensor logSumExp, Tensor losses, Tensor best)
    {
        DoubleMatrix label = new(labels);
        DoubleMatrix sums = new(logSumExp);
        DoubleMatrix to = new(losses);
        DoubleMatrix winners = new(best);
        double[][] logits = Logits(hidden, weight.Matrix);
        for (int m = 0; m < logits.Length; m++)
        {
            sums[0, m] = LogSumExp(logits[m], 1);
            to[0, m] = sums[0, m] - logits[m][label.Integer(m)];
            winners[0, m] = Array.IndexOf(logits[m], logits[m].Max());
        }
    }

    public void CrossEntropyProductBackward(Tensor hidden, Tensor weight, Tensor labels, Tensor logSumExp, float lossWeight, Tensor dHidden, Tensor accumulateDWeight)
    {
        DoubleMatrix h = new(hidden);
        DoubleMatrix w = new(weight);
        DoubleMatrix label = new(labels);
        DoubleMatrix sums = new(logSumExp);
        DoubleMatrix to = new(dHidden);
        DoubleMatrix dWeight = new(accumulateDWeight);
        double[][] logits = Logits(hidden, weight);
        Fill(0f, dHidden);
        for (int m = 0; m < logits.Length; m++)
        {
            for (int v = 0; v < w.Rows; v++)
            {
                double d = lossWeight * (Math.Exp(logits[m][v] - sums[0, m]) - (v == label.Integer(m) ? 1 : 0));
                for (int i = 0; i < h.Columns; i++)
                {
                    to[m, i] += d * w[v, i];
                    MultiplyAdds++;
                    if (!dWeight.IsEmpty)
                    {
                        dWeight[v, i] += d * h[m, i];
                        MultiplyAdds++;
                    }
                }
            }
        }
    }

    private double[][] Logits(Tensor hidden, Tensor weight)
    {
        DoubleMatrix h = new(hidden);
        DoubleMatrix w = new(weight);
        return [.. Enumerable.Range(0, h.Rows).Select(m => Enumerable.Range(0, w.Rows).Select(v => CountedDot(h.Row(m), w.Row(v))).ToArray())];
    }

    private double Multiply(double left, double right)
    {
        MultiplyAdds++;
        return left * right;
    }

    /// <summary>What an element is multiplied with: 0, or what makes up for those dropped.</summary>
    private static double Kept(in Dropout dropout, int row, int column) => !dropout.IsActive ? 1
        : dropout.Hash(new DoubleMatrix(dropout.RowKeys).Integer(row), column) < dropout.Threshold ? 0 : dropout.Scale;
}
