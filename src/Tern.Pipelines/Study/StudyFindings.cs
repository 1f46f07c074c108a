namespace Tern.Pipelines.Study;

/// <summary>One of the paper's findings asked of this study: what was seen, in one sentence of counts, and whether it agrees.</summary>
/// <param name="Agrees">Null where the data do not decide: no cells, or no difference beyond chance.</param>
public sealed record Finding(string Claim, string Answer, bool? Agrees);

/// <summary>The findings of Zeng, Killingback and Zamani (SIGIR 2025), each put to a study's own comparisons; robustness where the plan sweeps errors.</summary>
public static class StudyFindings
{
    private const double Level = 0.05;

    public const string Caveat =
        "These models are small and were trained from random weights; what they show cannot settle claims about pretrained models of one to eight billion parameters.";

    public static IReadOnlyList<Finding> Of(StudyPlan plan, StudyAnalysis analysis)
    {
        string[] Named(params string[] losses) => [.. plan.Objectives.Where(o => losses.Contains(o.Loss)).Select(o => o.Name)];
        string[] contrastive = Named("nce"), distilled = Named("margin_mse", "kldiv"), combined = Named("nce_kldiv");
        return
        [
            Scaling(analysis, contrastive, distilled), SparseAgainstDense(analysis), Combination(plan, analysis, contrastive, distilled, combined),
            .. plan.Robustness is null ? Array.Empty<Finding>() : [Robustness(analysis)],
        ];
    }

    private static Finding Robustness(StudyAnalysis analysis)
    {
        const string Claim = "Sparse is more robust to imperfect supervision.";
        var kept = (from collection in analysis.Collections
                    from errors in new[] { RobustnessAnalysis.WrongPositives, RobustnessAnalysis.TeacherNoise }
                    let difference = RobustnessAnalysis.SparseLessDense(analysis, collection, errors)
                    where difference is not null
                    select (Collection: collection, Errors: errors, Difference: difference.Value)).ToList();
        if (kept.Count == 0)
        {
            return new Finding(Claim, "not asked: it needs cells of both types, with errors and without.", null);
        }

        int more = kept.Count(k => k.Difference.Low > 0), less = kept.Count(k => k.Difference.High < 0);
        return new Finding(
            Claim,
            $"part of nDCG@10 that is left, sparse less dense: {string.Join("; ", kept.Select(k => FormattableString.Invariant($"{k.Collection}, {k.Errors}: {k.Difference.Difference:+0.000;−0.000} ({k.Difference.Low:+0.000;−0.000} to {k.Difference.High:+0.000;−0.000})")))}.",
            more == less ? null : more > less);
    }

    private static Finding Scaling(StudyAnalysis analysis, string[] contrastive, string[] distilled)
    {
        const string Claim = "Quality grows with size clearly under the contrastive loss only.";
        var slopes = analysis.Slopes.SelectMany(s => contrastive.Contains(s.First) && distilled.Contains(s.Second) ? [s]
            : contrastive.Contains(s.Second) && distilled.Contains(s.First) ? [s with { Difference = -s.Difference, Low = -s.High, High = -s.Low }]
            : Array.Empty<SlopeDifference>()).ToList();
        ScalingFit[] own = [.. analysis.Fits.Where(f => contrastive.Contains(f.Objective))], others = [.. analysis.Fits.Where(f => distilled.Contains(f.Objective))];
        if (slopes.Count == 0)
        {
            return new Finding(Claim, "not asked: it needs at least two sizes under a contrastive and a distillation loss.", null);
        }

        // The error falls faster with size where the exponent is further below zero.
        int steeper = slopes.Count(s => s.High < 0), flatter = slopes.Count(s => s.Low > 0);
        int fall = own.Count(f => f.ExponentHigh < 0), otherFall = others.Count(f => f.ExponentHigh < 0);
        return new Finding(
            Claim,
            $"the error falls with size beyond its interval in {fall} of {own.Length} contrastive and {otherFall} of {others.Length} distilled fits; the contrastive slope is steeper in {steeper} of {slopes.Count} pairs, flatter in {flatter}, undecided in {slopes.Count - steeper - flatter}.",
            steeper == flatter ? null : steeper > flatter && fall > 0);
    }

    private static Finding SparseAgainstDense(StudyAnalysis analysis)
    {
        const string Claim = "Sparse beats dense, in the domain and out of it.";
        StudyComparison[] all = [.. analysis.Comparisons.Where(c => c.Question == "sparse against dense")];
        return all.Length == 0
            ? new Finding(Claim, "not asked: it needs cells of both types.", null)
            : Count(Claim, all, "sparse", "dense");
    }

    private static Finding Combination(StudyPlan plan, StudyAnalysis analysis, string[] contrastive, string[] distilled, string[] combined)
    {
        const string Claim = "The largest sparse model trained with both losses is the best of all.";
        string largest = plan.Sizes.MaxBy(s => s.NonEmbeddingParameters)!.Name;
        StudyComparison[] all = [.. analysis.Comparisons.Where(c => c.Question == "objective against objective" && c.Size == largest).SelectMany(c =>
            Is(c.First, combined) && (Is(c.Second, contrastive) || Is(c.Second, distilled)) ? [c]
            : Is(c.Second, combined) && (Is(c.First, contrastive) || Is(c.First, distilled)) ? [Turned(c)]
            : Array.Empty<StudyComparison>()).Where(c => c.First.StartsWith("sparse ", StringComparison.Ordinal))];
        return all.Length == 0
            ? new Finding(Claim, "not asked: it needs sparse cells of the largest size under a combined loss and another.", null)
            : Count(Claim, all, "both losses", "one loss");

        static bool Is(string system, string[] objectives) => objectives.Contains(system[(system.IndexOf(' ', StringComparison.Ordinal) + 1)..]);
    }

    private static StudyComparison Turned(StudyComparison c) => c with
    {
        First = c.Second,
        Second = c.First,
        Figures = c.Figures with { MeanDifference = -c.Figures.MeanDifference, IntervalLow = -c.Figures.IntervalHigh, IntervalHigh = -c.Figures.IntervalLow, Wins = c.Figures.Losses, Losses = c.Figures.Wins },
    };

    private static Finding Count(string claim, StudyComparison[] all, string first, string second)
    {
        int better = all.Count(c => c.AdjustedP < Level && c.Figures.MeanDifference > 0), worse = all.Count(c => c.AdjustedP < Level && c.Figures.MeanDifference < 0);
        double mean = all.Average(c => c.Figures.MeanDifference);
        return new Finding(
            claim,
            FormattableString.Invariant($"of {all.Length} paired comparisons {first} wins {better} and {second} {worse} at p < {Level} after Holm's correction, {all.Length - better - worse} undecided; mean difference in nDCG@10 {mean:+0.000;−0.000}."),
            better == worse ? null : better > worse);
    }
}
