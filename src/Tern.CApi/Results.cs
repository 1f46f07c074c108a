using System.Text;
using Tern.Retrieval;

namespace Tern.CApi;

/// <summary>Lays results out as the structures of tern.h, each with all that it points to in one block.</summary>
internal static unsafe class Results
{
    public static Vector* Sparse(SparseVector vector)
    {
        ReadOnlySpan<int> terms = vector.Terms.Span;
        ReadOnlySpan<float> weights = vector.Weights.Span;
        var block = new NativeBlock(NativeBlock.Size<Vector>(1) + NativeBlock.Size<int>(terms.Length) + NativeBlock.Size<float>(terms.Length));
        Vector* result = block.Take<Vector>(1);
        result->Count = terms.Length;
        result->Terms = block.Take<int>(terms.Length);
        result->Values = block.Take<float>(terms.Length);
        terms.CopyTo(new Span<int>(result->Terms, terms.Length));
        weights.CopyTo(new Span<float>(result->Values, weights.Length));
        return result;
    }

    public static Vector* Dense(ReadOnlySpan<float> values)
    {
        var block = new NativeBlock(NativeBlock.Size<Vector>(1) + NativeBlock.Size<float>(values.Length));
        Vector* result = block.Take<Vector>(1);
        result->Count = values.Length;
        result->Values = block.Take<float>(values.Length);
        values.CopyTo(new Span<float>(result->Values, values.Length));
        return result;
    }

    public static Hits* Of(IReadOnlyList<SearchResult> found)
    {
        nuint size = NativeBlock.Size<Hits>(1) + NativeBlock.Size<Hit>(found.Count);
        foreach (SearchResult result in found)
        {
            size += NativeBlock.Size(result.Id) + NativeBlock.Size(result.Document?.Name) + NativeBlock.Size(result.Document?.Summary);
        }

        var block = new NativeBlock(size);
        Hits* hits = block.Take<Hits>(1);
        hits->Count = found.Count;
        hits->Items = block.Take<Hit>(found.Count);
        for (int i = 0; i < found.Count; i++)
        {
            hits->Items[i] = new Hit
            {
                Id = block.Take(found[i].Id),
                Score = found[i].Score,
                Name = block.Take(found[i].Document?.Name),
                Summary = block.Take(found[i].Document?.Summary),
            };
        }

        return hits;
    }

    public static Explanation* Of(QueryExplanation explanation)
    {
        IReadOnlyList<MatchedTerm> terms = explanation.Result.Terms;
        string? text = explanation.Result.Document?.Text;
        nuint size = NativeBlock.Size<Explanation>(1) + NativeBlock.Size<Term>(terms.Count) + NativeBlock.Size(text);
        foreach (MatchedTerm term in terms)
        {
            size += NativeBlock.Size(term.Text);
        }

        var block = new NativeBlock(size);
        Explanation* result = block.Take<Explanation>(1);
        result->Score = explanation.Result.Score;
        result->Count = terms.Count;
        result->Items = block.Take<Term>(terms.Count);
        result->Text = block.Take(text);
        for (int i = 0; i < terms.Count; i++)
        {
            (int start, int length) = explanation.Spans[i] is { } span && text is not null ? InBytes(text, span) : (-1, 0);
            result->Items[i] = new Term
            {
                Text = block.Take(terms[i].Text),
                QueryWeight = terms[i].QueryWeight,
                DocumentWeight = terms[i].DocumentWeight,
                Contribution = terms[i].Contribution,
                IsExpansion = terms[i].IsExpansion ? 1 : 0,
                Start = start,
                Length = length,
            };
        }

        return result;
    }

    private static (int Start, int Length) InBytes(string text, TextSpan span) =>
        (Encoding.UTF8.GetByteCount(text.AsSpan(0, span.Start)), Encoding.UTF8.GetByteCount(text.AsSpan(span.Start, span.Length)));
}
