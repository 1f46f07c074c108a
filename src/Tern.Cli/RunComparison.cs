using Tern.Retrieval;

namespace Tern.Cli;

/// <summary>Runs over the same topics, compared in pairs: computed once, printed as a table or JSON.</summary>
internal sealed class RunComparison
{
    private readonly string[] _runs;
    private readonly EvaluationReport[] _reports;
    private readonly Row[] _rows;

    /// <summary>Reports of the same measures over the same topics; each is compared with the first, or each with each.</summary>
    public RunComparison(string[] runs, EvaluationReport[] reports, bool allPairs, int permutations, ulong seed)
    {
        _runs = runs;
        _reports = reports;
        (Measure Measure, int A, int B, PairedComparison Paired)[] rows =
        [
            .. from measure in reports[0].Measures
               from a in Enumerable.Range(0, allPairs ? runs.Length - 1 : 1)
               from b in Enumerable.Range(a + 1, runs.Length - a - 1)
               select (measure, a, b, RandomizationTest.Paired(reports[b], reports[a], measure, permutations, seed)),
        ];
        double[] adjusted = HolmCorrection.Adjust(Array.ConvertAll(rows, row => row.Paired.PValue));
        _rows = [.. rows.Select((row, i) => new Row(row.Measure, row.A, row.B, row.Paired, adjusted[i]))];
    }

    /// <summary>Writes as "table", "markdown", "latex" or "json".</summary>
    public void Write(Terminal terminal, string format, bool perTopic)
    {
        if (format == "json")
        {
            WriteJson(terminal.Out, perTopic);
            return;
        }

        if (perTopic)
        {
            TopicTable().Write(terminal, format);
            terminal.Out.WriteLine();
        }

        SummaryTable().Write(terminal, format);
        terminal.Out.WriteLine($"{(format == "latex" ? "% " : format == "markdown" ? "\n" : "")}{_reports[0].Topics.Count} topics; p: paired randomisation test, two-sided; Holm: corrected for {_rows.Length} comparison{(_rows.Length == 1 ? "" : "s")}");
    }

    private static string Signed(double value) => Invariant($"{value:+0.0000;-0.0000;0.0000}");

    private static string Probability(double p) => p < 0.0001 ? "<0.0001" : Invariant($"{p:0.0000}");

    private ResultTable SummaryTable()
    {
        var table = new ResultTable("measure", "A", "B", "mean A", "mean B", "B - A", "95 % interval", "p", "p (Holm)", "B wins", "B loses", "ties");
        foreach (Row row in _rows)
        {
            PairedComparison paired = row.Paired;
            table.Add(
                row.Measure.Name,
                _runs[row.A],
                _runs[row.B],
                Mean(row.Measure, row.A),
                Mean(row.Measure, row.B),
                Signed(paired.MeanDifference),
                $"{Signed(paired.IntervalLow)} .. {Signed(paired.IntervalHigh)}",
                Probability(paired.PValue),
                Probability(row.Adjusted),
                Invariant($"{paired.Wins}"),
                Invariant($"{paired.Losses}"),
                Invariant($"{paired.Ties}"));
        }

        return table;
    }

    private ResultTable TopicTable()
    {
        var table = new ResultTable(["topic", "measure", .. _runs, .. _runs.Skip(1).Select(run => $"{run} - {_runs[0]}")]);
        for (int t = 0; t < _reports[0].Topics.Count; t++)
        {
            foreach (Measure measure in _reports[0].Measures)
            {
                double[] values = Array.ConvertAll(_reports, report => report.PerTopic(measure)[t]);
                table.Add([_reports[0].Topics[t], measure.Name, .. values.Select(value => EvaluationReport.Format(measure, value)), .. values.Skip(1).Select(value => Signed(value - values[0]))]);
            }
        }

        return table;
    }

    private void WriteJson(TextWriter output, bool perTopic) => JsonOutput.Write(output, json =>
    {
        json.WriteNumber("topics", _reports[0].Topics.Count);
        json.WriteArray("runs", _runs, json.WriteStringValue);
        json.WriteArray("measures", _rows, row =>
        {
            json.WriteStartObject();
            json.WriteString("measure", row.Measure.Name);
            json.WriteString("run_a", _runs[row.A]);
            json.WriteString("run_b", _runs[row.B]);
            json.WriteNumber("a", MeanValue(row.Measure, row.A));
            json.WriteNumber("b", MeanValue(row.Measure, row.B));
            json.WriteNumber("difference", row.Paired.MeanDifference);
            json.WriteNumber("interval_low", row.Paired.IntervalLow);
            json.WriteNumber("interval_high", row.Paired.IntervalHigh);
            json.WriteNumber("p", row.Paired.PValue);
            json.WriteNumber("p_holm", row.Adjusted);
            json.WriteNumber("wins", row.Paired.Wins);
            json.WriteNumber("losses", row.Paired.Losses);
            json.WriteNumber("ties", row.Paired.Ties);
            json.WriteEndObject();
        });
        if (!perTopic)
        {
            return;
        }

        json.WriteStartObject("per_topic");
        for (int t = 0; t < _reports[0].Topics.Count; t++)
        {
            json.WriteStartObject(_reports[0].Topics[t]);
            foreach (Measure measure in _reports[0].Measures)
            {
                json.WriteArray(measure.Name, _reports, report => json.WriteNumberValue(report.PerTopic(measure)[t]));
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    });

    private double MeanValue(Measure measure, int run) => _reports[run].PerTopic(measure).Average();

    private string Mean(Measure measure, int run) => Invariant($"{MeanValue(measure, run):0.0000}");

    private sealed record Row(Measure Measure, int A, int B, PairedComparison Paired, double Adjusted);
}
