namespace Tern.Retrieval;

/// <summary>How a run's documents are put in order, above all where scores are equal.</summary>
public enum TieOrder
{
    /// <summary>Score as float32 descending, then id descending by bytes: trec_eval to 9.0.8, pytrec_eval; Tern's own.</summary>
    Trec9,

    /// <summary>Score as a double descending, then id descending by bytes: trec_eval from 2023 on, and 10.0.</summary>
    Trec10,

    /// <summary>The rank column ascending (the place in the file where there is none): MS MARCO's own script.</summary>
    Rank,

    /// <summary>Score as float32 descending, then id ascending by bytes: Anserini's order inside.</summary>
    IdAscending,
}

/// <summary>How a run is laid out in a file.</summary>
public enum RunFormat
{
    /// <summary>Topic, Q0, document, rank, score, tag; any white space; further columns are ignored.</summary>
    Trec,

    /// <summary>MS MARCO: topic, document, rank; a document's score is read as minus its rank.</summary>
    MsMarco,

    /// <summary>Tevatron: topic, document, score.</summary>
    Scores,

    /// <summary><c>{topic: {document: score}}</c>.</summary>
    Json,
}
