namespace Tern.Retrieval;

/// <summary>
/// A run of documents that will stay together, with those of their terms whose place is still open. Terms are numbered
/// anew in each part, so that what is kept for each of them fits the cache in small parts.
/// </summary>
internal sealed class BisectionPart
{
    private readonly int _first;

    private BisectionPart(int first, int[] documents, int[] starts, int[] terms, int termCount)
    {
        _first = first;
        Documents = documents;
        Starts = starts;
        Terms = terms;
        TermCount = termCount;
    }

    public int DocumentCount => Documents.Length;

    /// <summary>Numbers of the documents, in their present order.</summary>
    public int[] Documents { get; }

    /// <summary>[DocumentCount + 1], into <see cref="Terms"/>, by the place that a document had when the part was made.</summary>
    public int[] Starts { get; }

    public int[] Terms { get; }

    /// <summary>Term numbers are below this.</summary>
    public int TermCount { get; }

    /// <summary>All documents with the terms that are neither rare nor everywhere.</summary>
    public static BisectionPart Whole(IDocumentTerms documents, BisectionOptions options)
    {
        int count = documents.DocumentCount;
        var frequencies = new int[documents.VocabularySize];
        for (int document = 0; document < count; document++)
        {
            foreach (int term in documents.Terms(document))
            {
                frequencies[term]++;
            }
        }

        int most = (int)Math.Min(int.MaxValue, Math.Max(2, count * options.LargestShare));
        int[] numbers = Number(frequencies, Math.Max(2, options.LeastDocumentFrequency), most, out int termCount, out long total);
        if (total > Array.MaxLength)
        {
            throw new ArgumentException($"{total} postings; at most {Array.MaxLength} can be ordered at once: order smaller segments", nameof(documents));
        }

        var starts = new int[count + 1];
        var terms = new int[total];
        int end = 0;
        for (int document = 0; document < count; document++)
        {
            foreach (int term in documents.Terms(document))
            {
                if (numbers[term] >= 0)
                {
                    terms[end++] = numbers[term];
                }
            }

            starts[document + 1] = end;
        }

        var all = new int[count];
        for (int i = 0; i < count; i++)
        {
            all[i] = i;
        }

        return new BisectionPart(0, all, starts, terms, termCount);
    }

    /// <summary>
    /// A half: the documents at these places, with the terms that more than one and not all of them have. The other terms
    /// cost the same wherever their documents go.
    /// </summary>
    public BisectionPart Take(ReadOnlySpan<int> places, int offset, int[] frequencies)
    {
        Array.Clear(frequencies, 0, TermCount);
        foreach (int place in places)
        {
            foreach (int term in TermsAt(place))
            {
                frequencies[term]++;
            }
        }

        int[] numbers = Number(frequencies.AsSpan(0, TermCount), 2, places.Length - 1, out int termCount, out long total);
        var documents = new int[places.Length];
        var starts = new int[places.Length + 1];
        var terms = new int[total];
        int end = 0;
        for (int i = 0; i < places.Length; i++)
        {
            documents[i] = Documents[places[i]];
            foreach (int term in TermsAt(places[i]))
            {
                int number = numbers[term];
                if (number >= 0)
                {
                    terms[end++] = number;
                }
            }

            starts[i + 1] = end;
        }

        return new BisectionPart(_first + offset, documents, starts, terms, termCount);
    }

    public ReadOnlySpan<int> TermsAt(int place) => Terms.AsSpan(Starts[place], Starts[place + 1] - Starts[place]);

    /// <summary>Puts the documents of a part that is not divided into the order, as they were numbered.</summary>
    public void WriteLeaf(int[] order)
    {
        Documents.CopyTo(order, _first);
        order.AsSpan(_first, Documents.Length).Sort();
    }

    private static int[] Number(ReadOnlySpan<int> frequencies, int least, int most, out int count, out long total)
    {
        var numbers = new int[frequencies.Length];
        count = 0;
        total = 0;
        for (int term = 0; term < numbers.Length; term++)
        {
            bool isKept = frequencies[term] >= least && frequencies[term] <= most;
            numbers[term] = isKept ? count++ : -1;
            total += isKept ? frequencies[term] : 0;
        }

        return numbers;
    }
}
