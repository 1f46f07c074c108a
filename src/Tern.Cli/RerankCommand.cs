using System.CommandLine;
using Tern.Pipelines.Teaching;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern rerank</c>: a run's first documents in the order of a model's scores.</summary>
internal static class RerankCommand
{
    public static Command Create(Terminal terminal)
    {
        Option<string> run = Flags.RequiredText("--run", "The run whose documents are scored anew.", "file");
        Option<string> queries = Flags.RequiredText("--queries", "Its topics' texts: BEIR directory, JSON Lines or TSV.", "path");
        Option<string> corpus = Flags.RequiredText("--corpus", "The documents.", "path");
        Option<string> output = Flags.RequiredText("--output", "The TREC run to write; - for standard output.", "file");
        Option<int> k = Flags.Count("--k", "Documents of each topic that are scored and kept.", 100);
        Option<string> tag = new("--tag") { Description = "Last column of the run.", HelpName = "text", DefaultValueFactory = _ => "tern" };
        var scorerFlags = new TeacherFlags("--model", "The model that scores: a reranker (tern train --type reranker) or a retriever.");
        var command = new Verb("rerank", "Scores a run's first documents anew with a reranker, or with a retriever.")
        {
            Examples = ["tern rerank --run bm25.trec --queries beir/scifact --corpus beir/scifact --model models/reranker --k 100 --output reranked.trec"],
        };
        foreach (Option option in new Option[] { run, queries, corpus, output, k, tag })
        {
            command.Add(option);
        }

        scorerFlags.AddTo(command);
        command.SetAction((parsed, cancellationToken) =>
        {
            var first = Run.Read(parsed.GetRequiredValue(run));
            int depth = parsed.GetValue(k);
            Dictionary<string, string> texts = QueryReader.Read(parsed.GetRequiredValue(queries)).Where(q => first.Contains(q.Id)).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
            using IPairScorer scorer = scorerFlags.Open(parsed) ?? throw new UsageException("rerank needs --model DIR (tern rerank --help)");
            Dictionary<string, string[]> candidates = first.Topics.ToDictionary(t => t, t => first.Ranking(t, TieOrder.Trec9).Take(depth).ToArray(), StringComparer.Ordinal);
            Func<string, Document> documents = TeacherFlags.Documents(parsed.GetRequiredValue(corpus), candidates.Values.SelectMany(c => c));
            var reranked = new Run(parsed.GetRequiredValue(tag));
            using (var progress = new ProgressLine(terminal, "topics"))
            {
                foreach (string topic in first.Topics)
                {
                    cancellationToken.ThrowIfCancellationRequested();
                    if (!texts.TryGetValue(topic, out string? text))
                    {
                        throw new InvalidDataException($"{parsed.GetRequiredValue(run)}: topic '{topic}' is not among the queries of {parsed.GetRequiredValue(queries)}");
                    }

                    float[] scores = new float[candidates[topic].Length];
                    scorer.Score(text, Array.ConvertAll(candidates[topic], id => documents(id)), scores);
                    reranked.AddTopic(topic);
                    foreach ((string id, float score) in candidates[topic].Zip(scores))
                    {
                        reranked.Add(topic, id, score);
                    }

                    progress.Report(reranked.Topics.Count);
                }
            }

            reranked.Write(parsed.GetRequiredValue(output));
            terminal.Progress(Invariant($"{reranked.Topics.Count:N0} topics -> {parsed.GetRequiredValue(output)}"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}
