using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary>trec_eval's options, by its letters, and how runs and judgements are read.</summary>
internal sealed class EvaluationFlags
{
    private readonly Option<bool> _complete = new("-c") { Description = "Average over all judged topics; those without results count as found nothing." };
    private readonly Option<int> _level = Flags.Count("-l", "The least level that is relevant.", 1);
    private readonly Option<int?> _maxDocuments = Flags.OptionalCount("-M", "Only so many documents of each topic.");
    private readonly Option<bool> _judgedOnly = new("-J") { Description = "Drop documents without a judgement first." };
    private readonly Option<string[]> _measures = new("-m") { Description = "A measure in trec_eval's way, such as ndcg_cut.10,20 or all_trec; may be repeated.", HelpName = "name" };
    private readonly Option<string> _semantics = Flags.Choice("--semantics", "Whose rules hold where trec_eval 9.0.8 and 10.0 differ.", "trec9", "trec9", "trec10");
    private readonly Option<string> _ties = RunFlags.Ties("The order of documents: trec9 by float32 score, then id descending; trec10 the same by double; rank by the rank column; docid-asc; auto as --semantics.");
    private readonly Option<string> _identicalIds = Flags.Choice("--ignore-identical-ids", "Drop documents whose id is their topic's, as BEIR does; auto: with BEIR or JSON judgements, where the topics are documents.", "auto", "auto", "on", "off");
    private readonly Option<string> _runFormat = RunFlags.RunFormat("--run-format", "The run's layout, where its content does not tell.");
    private readonly Option<string> _qrelsFormat = RunFlags.QrelsFormat("--qrels-format", "The judgements' layout, where their content does not tell.");

    public void AddTo(Command command)
    {
        foreach (Option option in new Option[] { _measures, _complete, _level, _maxDocuments, _judgedOnly, _semantics, _ties, _identicalIds, _runFormat, _qrelsFormat })
        {
            command.Add(option);
        }
    }

    public EvaluationOptions Read(ParseResult parsed) => new()
    {
        CompleteTopics = parsed.GetValue(_complete),
        RelevanceLevel = parsed.GetValue(_level),
        MaxDocuments = parsed.GetValue(_maxDocuments),
        JudgedDocumentsOnly = parsed.GetValue(_judgedOnly),
        Semantics = Semantics(parsed),
        Ties = RunFlags.Ties(parsed, _ties),
    };

    /// <summary>
    /// The measures named as arguments, in their order, and with -m, in trec_eval's; the default where there are none.
    /// </summary>
    public IReadOnlyList<Measure> ReadMeasures(ParseResult parsed, IReadOnlyList<string> arguments, string defaults)
    {
        IReadOnlyList<Measure> named = Measure.ParseList(string.Join(' ', arguments), Semantics(parsed));
        string trecs = string.Join(' ', parsed.GetValue(_measures) ?? []);
        IReadOnlyList<Measure> marked = Measure.InTrecOrder(Measure.ParseList(named.Count == 0 && trecs.Length == 0 ? defaults : trecs, Semantics(parsed)));
        return [.. named.Concat(marked).DistinctBy(measure => measure.Name)];
    }

    public Qrels ReadQrels(ParseResult parsed, string path)
    {
        var qrels = Qrels.Read(path, RunFlags.QrelsFormat(parsed.GetRequiredValue(_qrelsFormat)));
        return qrels.Topics.Count > 0 ? qrels : throw new InvalidDataException($"{path}: the file holds no judgement");
    }

    /// <summary>The run without what <c>--ignore-identical-ids</c> drops, and a line on that where there is something to say.</summary>
    public (Run Run, string? Note) ReadRun(ParseResult parsed, string path, Qrels qrels)
    {
        var run = Run.Read(path, RunFlags.RunFormat(parsed.GetRequiredValue(_runFormat)));
        if (run.Topics.Count == 0)
        {
            throw new InvalidDataException($"{path}: the run is empty");
        }

        int own = run.CountIdenticalIds();
        string rule = parsed.GetRequiredValue(_identicalIds);
        bool areDocuments = SelfMatches.TopicsAreDocuments(qrels, run);
        bool drops = rule == "on" || (rule == "auto" && areDocuments && qrels.Format is QrelsFormat.Beir or QrelsFormat.Json);
        if (drops)
        {
            run.RemoveIdenticalIds();
        }

        // Where ids are numbers, a few are equal by chance; nobody needs to hear of these.
        bool isWorthSaying = own > 0 && (drops || areDocuments || rule != "auto");
        return (run, isWorthSaying ? $"{path}: {own} of {run.Topics.Count} topics list a document of their own id, {(drops ? "dropped" : "kept")} (--ignore-identical-ids {rule})" : null);
    }

    private EvaluationSemantics Semantics(ParseResult parsed) => parsed.GetRequiredValue(_semantics) == "trec10" ? EvaluationSemantics.Trec10 : EvaluationSemantics.Trec9;
}
