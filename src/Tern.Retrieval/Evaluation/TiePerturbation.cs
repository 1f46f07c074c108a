namespace Tern.Retrieval;

/// <summary>
/// Scores that put a ranking in its order under any rule for ties: rounded to 1e-4, 1e-6 less for each tie (Anserini's
/// way), and a step of float32 less where that is still not below the score before.
/// </summary>
internal static class TiePerturbation
{
    /// <summary>Scores of a ranking, best first, to strictly falling float32.</summary>
    public static float[] Apply(double[] scores)
    {
        var perturbed = new float[scores.Length];
        double last = double.NaN;
        int ties = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            double rounded = Math.Round(scores[i], 4);
            ties = rounded == last ? ties + 1 : 0;
            last = rounded;
            float score = (float)(rounded - (ties * 1e-6));
            perturbed[i] = i > 0 && !(score < perturbed[i - 1]) ? MathF.BitDecrement(perturbed[i - 1]) : score;
        }

        return perturbed;
    }
}
