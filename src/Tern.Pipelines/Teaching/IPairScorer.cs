using Tern.Text;

namespace Tern.Pipelines.Teaching;

/// <summary>Scores documents for a query: a teacher, or what orders a run anew. A pair's score depends on nothing but the pair.</summary>
public interface IPairScorer : IDisposable
{
    /// <summary>What it is, with what its scores depend on: for manifests.</summary>
    string Name { get; }

    /// <summary>One score for each document, higher for better; NaN where there is none.</summary>
    void Score(string query, IReadOnlyList<Document> documents, Span<float> scores);
}
