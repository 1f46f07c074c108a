namespace Tern.TestKit;

/// <summary>Derivatives of double-precision functions by central differences.</summary>
public static class CentralDifferences
{
    private const double Step = 1e-5; // truncation and rounding error both near 1e-10 for functions of unit scale

    /// <summary>
    /// The derivative of Σ cotangent · forward() with respect to each element of <paramref name="input"/>, which forward
    /// reads; input is varied in place and restored.
    /// </summary>
    public static double[] Gradient(Func<double[]> forward, double[] input, double[] cotangent)
    {
        double[] gradient = new double[input.Length];
        for (int i = 0; i < input.Length; i++)
        {
            double value = input[i];
            input[i] = value + Step;
            double above = Contract(forward(), cotangent);
            input[i] = value - Step;
            double below = Contract(forward(), cotangent);
            input[i] = value;
            gradient[i] = (above - below) / (2 * Step);
        }

        return gradient;
    }

    /// <summary>Elementwise a + factor · b: what an accumulating destination should hold.</summary>
    public static double[] Plus(this double[] a, double[] b, double factor = 1)
    {
        double[] sum = new double[a.Length];
        for (int i = 0; i < a.Length; i++)
        {
            sum[i] = a[i] + (factor * b[i]);
        }

        return sum;
    }

    private static double Contract(double[] output, double[] cotangent)
    {
        if (output.Length != cotangent.Length)
        {
            throw new ArgumentException($"{cotangent.Length} cotangents for {output.Length} outputs");
        }

        double sum = 0;
        for (int i = 0; i < output.Length; i++)
        {
            sum += cotangent[i] * output[i];
        }

        return sum;
    }
}
