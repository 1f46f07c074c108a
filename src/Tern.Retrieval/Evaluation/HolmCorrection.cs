namespace Tern.Retrieval;

/// <summary>Holm's step-down correction of several p-values: the chance of any false finding among them stays below the level.</summary>
public static class HolmCorrection
{
    /// <summary>Adjusted p-values in the order given: the i-th smallest of n times n − i, never below a smaller one's, at most 1.</summary>
    public static double[] Adjust(IReadOnlyList<double> pValues)
    {
        int[] order = [.. Enumerable.Range(0, pValues.Count).OrderBy(i => pValues[i])];
        var adjusted = new double[pValues.Count];
        double least = 0;
        for (int i = 0; i < order.Length; i++)
        {
            least = Math.Max(least, Math.Min(1, pValues[order[i]] * (order.Length - i)));
            adjusted[order[i]] = least;
        }

        return adjusted;
    }
}
