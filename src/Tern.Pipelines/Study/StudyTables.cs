using System.Globalization;
using System.Text;

namespace Tern.Pipelines.Study;

/// <summary>A study's numbers as CSV: everything that is plotted or said can be made from these again.</summary>
public static class StudyTables
{
    /// <summary>What the columns of clocks are called: all others are equal for equal plans, data and thread counts.</summary>
    public static IReadOnlyList<string> TimedColumns { get; } = ["seconds", "us_per_query"];

    public static string Results(StudyPlan plan, IReadOnlyList<CellRecord> records)
    {
        var text = new StringBuilder("size,type,objective,seed,wrong_positives,teacher_noise,parameters,budget,flops,steps,batch,seconds,encode_flops_per_token,collection,rr10,ndcg10,r1000,nnz_q,nnz_d,us_per_query\n");
        foreach (CellRecord r in records)
        {
            foreach (CellMeasures m in r.Measures)
            {
                Line(text, $"{r.Size},{r.Type},{r.Objective},{r.Seed},{r.WrongPositiveShare},{r.TeacherNoise},{r.NonEmbeddingParameters},{r.BudgetFlops:R},{r.TrainingFlops:R},{r.StepCount},{r.BatchSize},{r.TrainingSeconds:0.0},{plan.EncodingFlopsPerToken(plan.Sizes.Single(s => s.Name == r.Size), r.Type):0},{m.Collection},{m.Rr10:0.0000},{m.Ndcg10:0.0000},{m.R1000:0.0000},{m.QueryNonZeros:0.0},{m.DocumentNonZeros:0.0},{m.MicrosecondsPerQuery:0.0}");
            }
        }

        return text.ToString();
    }

    public static string Fits(StudyAnalysis analysis)
    {
        var text = new StringBuilder("collection,type,objective,scale,exponent,exponent_low,exponent_high,r2,sizes,seeds\n");
        foreach (ScalingFit f in analysis.Fits)
        {
            Line(text, $"{f.Collection},{f.Type},{f.Objective},{f.Law.Scale:0.######},{f.Law.Exponent:0.######},{f.ExponentLow:0.######},{f.ExponentHigh:0.######},{f.Law.R2:0.####},{f.SizeCount},{f.SeedCount}");
        }

        return text.ToString();
    }

    public static string Comparisons(StudyAnalysis analysis)
    {
        var text = new StringBuilder("question,collection,size,first,second,difference,low,high,p,p_holm,wins,losses,ties\n");
        foreach (StudyComparison c in analysis.Comparisons)
        {
            Line(text, $"{c.Question},{c.Collection},{c.Size},{c.First},{c.Second},{c.Figures.MeanDifference:0.######},{c.Figures.IntervalLow:0.######},{c.Figures.IntervalHigh:0.######},{c.Figures.PValue:0.######},{c.AdjustedP:0.######},{c.Figures.Wins},{c.Figures.Losses},{c.Figures.Ties}");
        }

        return text.ToString();
    }

    public static string Robustness(StudyAnalysis analysis)
    {
        var text = new StringBuilder("collection,size,type,objective,errors,level,seeds,ndcg10,clean,kept,low,high\n");
        foreach (RobustnessPoint p in analysis.Robustness)
        {
            Line(text, $"{p.Collection},{p.Size},{p.Type},{p.Objective},{p.Errors},{p.Level},{p.SeedCount},{p.Ndcg10:0.0000},{p.Clean:0.0000},{p.Kept:0.0000},{p.Low:0.0000},{p.High:0.0000}");
        }

        return text.ToString();
    }

    private static void Line(StringBuilder text, FormattableString line) => text.Append(line.ToString(CultureInfo.InvariantCulture)).Append('\n');
}
