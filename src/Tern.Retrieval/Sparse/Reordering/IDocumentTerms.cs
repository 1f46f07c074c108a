namespace Tern.Retrieval;

/// <summary>The documents of a collection as sets of term ids, in the order in which they are numbered now.</summary>
public interface IDocumentTerms
{
    int DocumentCount { get; }

    /// <summary>Term ids are below this.</summary>
    int VocabularySize { get; }

    /// <summary>The document's distinct term ids in any order; valid until the next call on the same thread.</summary>
    ReadOnlySpan<int> Terms(int document);
}
