using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>
/// Inverts a forward buffer: for each present term, ascending, its runs (one for each window of documents that has it),
/// and in each run the documents ascending. Counting sort: two passes over the postings, no comparison.
/// </summary>
internal sealed class PostingLayout
{
    private readonly ForwardBuffer _forward;
    private readonly long[] _termStarts; // [V + 1] first posting of each term id
    private readonly int[] _termRunStarts; // [present terms + 1]

    public PostingLayout(ForwardBuffer forward, int vocabularySize)
    {
        if (forward.Count > Array.MaxLength)
        {
            throw new InvalidOperationException($"{forward.Count} postings are more than one in-memory build can hold ({Array.MaxLength}); split the documents over several indexes");
        }

        _forward = forward;
        _termStarts = new long[vocabularySize + 1];
        var lastWindow = new int[vocabularySize];
        Array.Fill(lastWindow, -1);
        var runCounts = new int[vocabularySize];
        ForEachPosting((term, document, _) =>
        {
            _termStarts[term + 1]++;
            int window = document >> SegmentFormat.WindowShift;
            if (lastWindow[term] != window)
            {
                lastWindow[term] = window;
                runCounts[term]++;
            }
        });
        Terms = [.. Enumerable.Range(0, vocabularySize).Where(term => _termStarts[term + 1] > 0)];
        for (int term = 0; term < vocabularySize; term++)
        {
            _termStarts[term + 1] += _termStarts[term];
        }

        _termRunStarts = new int[Terms.Length + 1];
        for (int i = 0; i < Terms.Length; i++)
        {
            _termRunStarts[i + 1] = checked(_termRunStarts[i] + runCounts[Terms[i]]);
        }

        RunWindows = new int[_termRunStarts[^1]];
        RunStarts = new ulong[_termRunStarts[^1] + 1];
        RunStarts[^1] = (ulong)forward.Count;
    }

    /// <summary>Ids of the terms that occur.</summary>
    public int[] Terms { get; }

    /// <summary>The window of each run.</summary>
    public int[] RunWindows { get; }

    /// <summary>First posting of each run, and the end of the last.</summary>
    public ulong[] RunStarts { get; }

    public void WriteTables(SectionFileWriter writer)
    {
        FillRuns();
        writer.Write<int>("terms", Terms);
        writer.Write<int>("termruns", _termRunStarts);
        writer.Write<int>("runwin", RunWindows);
        writer.Write<ulong>("runstart", RunStarts);
    }

    public void WritePostings<T>(SectionFileWriter writer, Func<float, T> impact)
        where T : unmanaged
    {
        long[] next = _termStarts.AsSpan(0, _termStarts.Length - 1).ToArray();
        var documents = GC.AllocateUninitializedArray<ushort>((int)_forward.Count);
        var impacts = GC.AllocateUninitializedArray<T>((int)_forward.Count);
        ForEachPosting((term, document, posting) =>
        {
            long at = next[term]++;
            documents[at] = (ushort)(document & (SegmentFormat.WindowSize - 1));
            impacts[at] = impact(_forward.Weight(posting));
        });
        writer.Write<ushort>("postdoc", documents);
        writer.Write<T>("postval", impacts);
    }

    private void FillRuns()
    {
        var indexOfTerm = new int[_termStarts.Length - 1];
        for (int i = 0; i < Terms.Length; i++)
        {
            indexOfTerm[Terms[i]] = i;
        }

        int[] nextRun = _termRunStarts.AsSpan(0, Terms.Length).ToArray();
        long[] next = _termStarts.AsSpan(0, _termStarts.Length - 1).ToArray();
        ForEachPosting((term, document, _) =>
        {
            int i = indexOfTerm[term];
            int window = document >> SegmentFormat.WindowShift;
            if (nextRun[i] == _termRunStarts[i] || RunWindows[nextRun[i] - 1] != window)
            {
                RunWindows[nextRun[i]] = window;
                RunStarts[nextRun[i]++] = (ulong)next[term];
            }

            next[term]++;
        });
    }

    private void ForEachPosting(Action<int, int, long> visit)
    {
        for (int document = 0; document < _forward.DocumentCount; document++)
        {
            for (long posting = _forward.Start(document); posting < _forward.Start(document + 1); posting++)
            {
                visit(_forward.Term(posting), document, posting);
            }
        }
    }
}
