namespace Tern.Pipelines.Study;

/// <summary>y = Scale · x^Exponent, fitted by least squares on logarithms; R2 is of the logarithms.</summary>
public readonly record struct PowerLaw(double Scale, double Exponent, double R2)
{
    /// <summary>The fit through at least two points with different x; all values must be above zero.</summary>
    public static PowerLaw Fit(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        if (x.Count != y.Count || x.Distinct().Count() < 2 || x.Concat(y).Any(v => !(v > 0) || !double.IsFinite(v)))
        {
            throw new ArgumentException($"a power law needs at least two different x and values above zero: {x.Count} and {y.Count} values");
        }

        double[] u = [.. x.Select(a => Math.Log(a))], v = [.. y.Select(b => Math.Log(b))];
        double meanU = u.Average(), meanV = v.Average();
        double uu = u.Sum(a => (a - meanU) * (a - meanU)), uv = u.Zip(v, (a, b) => (a - meanU) * (b - meanV)).Sum(), vv = v.Sum(b => (b - meanV) * (b - meanV));
        double slope = uv / uu;
        return new PowerLaw(Math.Exp(meanV - (slope * meanU)), slope, vv > 0 ? uv * uv / (uu * vv) : 1);
    }

    public double At(double x) => Scale * Math.Pow(x, Exponent);
}
