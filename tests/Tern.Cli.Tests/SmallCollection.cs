using Tern.Tests;
using Tern.Text;

namespace Tern.Cli.Tests;

/// <summary>A made-up BEIR directory: every query names the color and the animal of one document.</summary>
internal static class SmallCollection
{
    public static string Write(string directory)
    {
        Directory.CreateDirectory(Path.Combine(directory, "qrels"));
        CorpusWriter.Write(Path.Combine(directory, "corpus.jsonl"), TinyModel.Documents);
        QueryWriter.Write(Path.Combine(directory, "queries.jsonl"), TinyModel.Documents.Select(d => new Query($"q-{d.Id}", $"where is the {d.Title}")));
        foreach ((string split, Func<int, bool> keep) in new[] { ("train", (Func<int, bool>)(i => i % 4 != 0)), ("test", i => i % 4 == 0) })
        {
            File.WriteAllLines(
                Path.Combine(directory, "qrels", $"{split}.tsv"),
                TinyModel.Documents.Where((_, i) => keep(i)).Select(d => $"q-{d.Id}\t{d.Id}\t1").Prepend("query-id\tcorpus-id\tscore"));
        }

        return directory;
    }
}
