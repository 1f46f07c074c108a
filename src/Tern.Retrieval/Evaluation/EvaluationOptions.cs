namespace Tern.Retrieval;

/// <summary>Whose rules hold where the versions of trec_eval differ.</summary>
public enum EvaluationSemantics
{
    /// <summary>
    /// trec_eval 9.0.8 (and pytrec_eval, Anserini, BEIR): scores are float32; without -c the average is over topics of
    /// both files; recall points need ⌊fraction · relevant + 0.9⌋ documents.
    /// </summary>
    Trec9,

    /// <summary>
    /// trec_eval 10.0: scores are doubles; a judged topic that the run lacks is an error without -c; recall points are
    /// rounded.
    /// </summary>
    Trec10,
}

/// <summary>trec_eval's options; the letters are its own.</summary>
public sealed record EvaluationOptions
{
    /// <summary>-c: average over all topics of the qrels; those without results count as found nothing.</summary>
    public bool CompleteTopics { get; init; }

    /// <summary>-l: the least level that is relevant (nDCG uses the levels themselves).</summary>
    public int RelevanceLevel { get; init; } = 1;

    /// <summary>-M: only so many documents of each topic.</summary>
    public int? MaxDocuments { get; init; }

    /// <summary>-J: drop documents without a judgement before anything else.</summary>
    public bool JudgedDocumentsOnly { get; init; }

    public EvaluationSemantics Semantics { get; init; }

    /// <summary>The order of documents; the semantics' own unless given.</summary>
    public TieOrder? Ties { get; init; }
}
