using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli;

/// <summary>Reads a collection's files to their ends and counts; what does not fit together is listed as a problem.</summary>
internal sealed class CollectionScan
{
    private readonly HashSet<string> _documents = new(StringComparer.Ordinal);
    private readonly HashSet<string> _queries = new(StringComparer.Ordinal);
    private readonly List<(CollectionFile File, int Count, List<(string Name, double Value)> Figures)> _results = [];
    private readonly List<string> _problems = [];

    /// <summary>One entry a file: how many records, and figures about them.</summary>
    public IReadOnlyList<(CollectionFile File, int Count, List<(string Name, double Value)> Figures)> Results => _results;

    public IReadOnlyList<string> Problems => _problems;

    public void Read(CollectionFile file, CancellationToken cancellationToken)
    {
        switch (file.Kind)
        {
            case CollectionFileKind.Corpus:
                ReadTexts(file, CorpusReader.Read(file.Path).Select(d => (d.Id, $"{d.Title} {d.Text}")), _documents, cancellationToken);
                break;
            case CollectionFileKind.Queries:
                ReadTexts(file, QueryReader.Read(file.Path).Select(q => (q.Id, q.Text)), _queries, cancellationToken);
                break;
            case CollectionFileKind.Qrels:
                ReadQrels(file);
                break;
            case CollectionFileKind.Training:
                ReadTraining(file, cancellationToken);
                break;
            default:
                ReadRun(file);
                break;
        }
    }

    private void ReadTexts(CollectionFile file, IEnumerable<(string Id, string Text)> texts, HashSet<string> ids, CancellationToken cancellationToken)
    {
        var lengths = new List<int>();
        int empty = 0;
        foreach ((string id, string text) in texts)
        {
            cancellationToken.ThrowIfCancellationRequested();
            ids.Add(id);
            int words = WordCount(text);
            lengths.Add(words);
            empty += words == 0 ? 1 : 0;
        }

        if (empty > 0)
        {
            _problems.Add($"{file.Path}: {empty} texts are empty");
        }

        lengths.Sort();
        List<(string, double)> figures = [];
        if (lengths.Count > 0)
        {
            figures.Add(("words_mean", lengths.Average()));
            figures.Add(("words_median", lengths[lengths.Count / 2]));
            figures.Add(("words_p95", lengths[(int)(0.95 * (lengths.Count - 1))]));
            figures.Add(("words_max", lengths[^1]));
        }

        Finish(file, lengths.Count, figures);
    }

    private void ReadQrels(CollectionFile file)
    {
        Qrels qrels = Qrels.Read(file.Path);
        long judgements = qrels.Topics.Sum(t => (long)qrels[t].Count);
        long relevant = qrels.Topics.Sum(t => (long)qrels[t].Count(d => d.Value > 0));
        Missing(file, "topics", "queries", _queries, qrels.Topics);
        Missing(file, "documents", "the corpus", _documents, qrels.Topics.SelectMany(t => qrels[t].Keys));
        Finish(file, qrels.Topics.Count, [("judgements", judgements), ("relevant_per_topic", (double)relevant / Math.Max(1, qrels.Topics.Count))]);
    }

    private void ReadTraining(CollectionFile file, CancellationToken cancellationToken)
    {
        int count = 0;
        long negatives = 0;
        int scored = 0;
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (TrainingExample example in TrainingExampleReader.Read(file.Path))
        {
            cancellationToken.ThrowIfCancellationRequested();
            count++;
            negatives += example.NegativeIds.Count;
            scored += example.PositiveScore is null ? 0 : 1;
            ids.Add(example.PositiveId);
            ids.UnionWith(example.NegativeIds);
        }

        if (scored != 0 && scored != count)
        {
            _problems.Add($"{file.Path}: {scored} of {count} examples carry teacher scores; a loss with a teacher needs them all");
        }

        Missing(file, "documents", "the corpus", _documents, ids);
        Finish(file, count, [("negatives_per_example", (double)negatives / Math.Max(1, count)), ("with_teacher_scores", scored)]);
    }

    private void ReadRun(CollectionFile file)
    {
        Run run = Run.Read(file.Path);
        Missing(file, "documents", "the corpus", _documents, run.Topics.SelectMany(t => run[t]).Select(d => d.Id));
        Finish(file, run.Topics.Count, [("documents_per_topic", run.Topics.Average(t => (double)run[t].Count))]);
    }

    // Ids can be compared only where the file that defines them was read, too.
    private void Missing(CollectionFile file, string what, string where, HashSet<string> known, IEnumerable<string> ids)
    {
        string[] missing = known.Count == 0 ? [] : [.. ids.Where(id => !known.Contains(id)).Distinct()];
        if (missing.Length > 0)
        {
            _problems.Add($"{file.Path}: {missing.Length} {what} are not in {where}, the first is '{missing[0]}'");
        }
    }

    private void Finish(CollectionFile file, int count, List<(string Name, double Value)> figures)
    {
        if (count == 0)
        {
            _problems.Add($"{file.Path}: the file is empty");
        }

        _results.Add((file, count, figures));
    }

    private static int WordCount(string text)
    {
        int count = 0;
        bool inWord = false;
        foreach (char c in text)
        {
            bool isSpace = char.IsWhiteSpace(c);
            count += !isSpace && !inWord ? 1 : 0;
            inWord = !isSpace;
        }

        return count;
    }
}
