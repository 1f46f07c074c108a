namespace Tern.Retrieval;

/// <summary>
/// One search result: the index's ordinal of the document and its score. Results are ordered by score descending, then
/// by external id descending in UTF-8 byte order (as trec_eval breaks ties); the same order decides who enters at the
/// k-th place.
/// </summary>
public readonly record struct Hit(int DocId, float Score);
