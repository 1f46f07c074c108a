using System.Text;

namespace Tern.Retrieval;

/// <summary>
/// Evaluates a run as trec_eval does, to the digit that it prints. Which topics are averaged over, and how scores are
/// compared, is said by <see cref="EvaluationOptions"/>.
/// </summary>
public static class TrecEval
{
    /// <summary>What trec_eval 10 takes for the results of a topic without any: one document that nobody judged.</summary>
    private static readonly RunEntry[] Placeholder = [new("", 1, 1)];

    /// <summary>
    /// Topics stand in the order of their bytes. A judged topic without results is an <see cref="InvalidDataException"/>
    /// under <see cref="EvaluationSemantics.Trec10"/> unless topics are to be complete.
    /// </summary>
    public static EvaluationReport Evaluate(Qrels qrels, Run run, IEnumerable<Measure> measures, EvaluationOptions? options = null)
    {
        options ??= new EvaluationOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.RelevanceLevel, 1);
        run.CheckDuplicates();
        string[] topics = [.. qrels.Topics.Where(topic => options.CompleteTopics || options.Semantics == EvaluationSemantics.Trec10 || run.Contains(topic))];
        Array.Sort(Array.ConvertAll(topics, Encoding.UTF8.GetBytes), topics, Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
        string[] missing = [.. topics.Where(topic => !run.Contains(topic))];
        if (missing.Length > 0 && !options.CompleteTopics)
        {
            throw new InvalidDataException($"{missing.Length} judged topics are not in the run, the first is '{missing[0]}': trec_eval 10 stops here; complete topics (-c) count them as found nothing");
        }

        TieOrder order = options.Ties ?? (options.Semantics == EvaluationSemantics.Trec10 ? TieOrder.Trec10 : TieOrder.Trec9);
        Measure[] list = [.. measures];
        double[][] values = [.. list.Select(_ => new double[topics.Length])];
        var texts = new string[topics.Length][];
        for (int t = 0; t < topics.Length; t++)
        {
            bool isMissing = !run.Contains(topics[t]);
            var ranking = new JudgedRanking(qrels[topics[t]], isMissing && options.Semantics == EvaluationSemantics.Trec10 ? Placeholder : run.Ranked(topics[t], order), options);
            texts[t] = [.. list.Where(measure => measure.Kind == MeasureKind.RelevanceString).Select(measure => isMissing && IsCleared(measure, options) ? "" : ranking.RelevanceString((int)measure.Parameters[0]))];
            for (int m = 0; m < list.Length; m++)
            {
                values[m][t] = isMissing && IsCleared(list[m], options) ? 0 : ranking.Compute(list[m]);
            }
        }

        double[] summaries = [.. list.Select((measure, m) => Summarize(measure, values[m], qrels, options))];
        return new EvaluationReport(list, topics, values, summaries, texts, missing, options, run.Tag);
    }

    /// <summary>
    /// trec_eval 9 computes nothing for a topic that the run lacks. 10 ranks the placeholder and clears what that leaves
    /// behind by the measure's name, so that measures whose names carry parameters keep it; their values are its, too.
    /// </summary>
    private static bool IsCleared(Measure measure, EvaluationOptions options) => options.Semantics == EvaluationSemantics.Trec9
        ? measure.Kind is not (MeasureKind.TopicCount or MeasureKind.RelevantCount) && !measure.IsGeometric
        : measure.Kind is MeasureKind.RetrievedCount or MeasureKind.Unjudged || measure.Name is "utility" or "relstring" or "rbp_resid";

    private static double Summarize(Measure measure, double[] values, Qrels qrels, EvaluationOptions options)
    {
        if (measure.Kind == MeasureKind.RelevantCount && options.CompleteTopics)
        {
            // trec_eval counts all positive levels here, whatever -l says.
            return qrels.Topics.Sum(topic => qrels[topic].Values.Count(level => level > 0));
        }

        // One after the other, as trec_eval adds: another order may differ in the last bit.
        double sum = 0;
        foreach (double value in values)
        {
            sum += value;
        }

        return measure switch
        {
            { IsCount: true } => sum,
            _ when values.Length == 0 => 0,
            { IsGeometric: true } => Math.Exp(sum / values.Length),
            _ => sum / values.Length,
        };
    }
}
