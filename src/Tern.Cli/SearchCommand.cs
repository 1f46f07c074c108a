using System.CommandLine;
using Spectre.Console;
using Tern.Retrieval;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern search</c>: one query to the terminal, or a file of queries into a run.</summary>
internal static class SearchCommand
{
    private const int QueriesPerChunk = 512;
    private const int TermsShown = 6;

    // As wide as rank and score.
    private const string Indent = "               ";

    public static Command Create(Terminal terminal)
    {
        Option<string> index = Flags.RequiredText("--index", "The index directory.", "dir");
        Option<string?> model = Flags.Text("--model", "The index's model, where it is no longer in its old place.", "dir");
        Option<int?> k = Flags.OptionalCount("--k", "Hits for each query: 10 on the terminal, 1000 in a run, unless given.");
        Option<string?> queries = Flags.Text("--queries", "Queries to search: BEIR directory, JSON Lines or TSV; - for standard input.", "file");
        Option<string?> run = Flags.Text("--run", "The TREC run to write; - for standard output.", "file");
        Option<string?> qrels = Flags.Text("--qrels", "Search only the queries that are judged here.", "file");
        Option<string> tag = new("--tag") { Description = "Last column of the run.", HelpName = "text", DefaultValueFactory = _ => "tern" };
        Option<string> algorithm = Flags.Choice("--algorithm", "How a sparse index is searched; the hits are the same.", "auto", [.. SearchAlgorithms.All.Select(a => a.Name)]);
        Option<double> quality = Flags.Number("--quality", "The recall that a search of a sparse index has to have, as tern index calibrate measured it; below 1 it may be approximate and faster.", 1);
        Option<string?> filter = Flags.Text("--filter", "Documents that may be found: comparisons (= != < <= > >=, in (a, b), exists) over the index's fields, joined by and, or, not, ( ).", "expr");
        Option<bool> json = Flags.Json("the hits");
        var query = new Argument<string[]>("query") { Description = "The query, quoted or not.", Arity = ArgumentArity.ZeroOrMore };
        var modelFlags = new ModelFlags();
        var command = new Verb("search", "Answers one query on the terminal, or a file of queries into a TREC run.")
        {
            Examples =
            [
                "tern search --index artifacts/demo/index/sparse \"make a copy of part of an array\"",
                "tern search --index idx --k 3 --json how to read a file",
                "tern search --index idx/news --filter \"lang = en and year >= 2020\" floods",
                "tern search --index idx/news --quality 0.98 floods",
                "tern search --index idx --queries beir/scifact --qrels beir/scifact/qrels/test.tsv --run scifact.trec --k 100",
            ],
            ForeignFlags = new Dictionary<string, string> { ["--index-dir"] = "--index", ["--query-path"] = "--queries", ["--hits"] = "--k", ["--top-k"] = "--k" },
        };
        foreach (Option option in new Option[] { index, model, k, queries, run, qrels, tag, algorithm, quality, filter, json })
        {
            command.Add(option);
        }

        modelFlags.AddTo(command);
        command.Add(query);
        command.SetAction((parsed, cancellationToken) =>
        {
            string text = string.Join(' ', parsed.GetValue(query)!);
            string? queryFile = parsed.GetValue(queries);
            string? runFile = parsed.GetValue(run);
            if ((text.Length > 0) == (queryFile is not null))
            {
                throw new UsageException("search needs either a query as its argument or --queries FILE (tern search --help)");
            }

            if ((queryFile is null) != (runFile is null))
            {
                throw new UsageException("--queries FILE and --run FILE go together (tern search --help)");
            }

            if (!(parsed.GetValue(quality) is > 0 and <= 1))
            {
                throw new UsageException(Invariant($"--quality {parsed.GetValue(quality)}: a recall, above 0 and at most 1, for example 0.98"));
            }

            using var retriever = Retriever.Open(parsed.GetRequiredValue(index), new RetrieverOptions { ModelDirectory = parsed.GetValue(model), Algorithm = SearchAlgorithms.ByName(parsed.GetRequiredValue(algorithm)), Quality = parsed.GetValue(quality), Filter = parsed.GetValue(filter), Model = modelFlags.Read(parsed) });
            if (queryFile is not null)
            {
                Qrels? judged = parsed.GetValue(qrels) is { } path ? Qrels.Read(path) : null;
                IEnumerable<Query> selected = QueryReader.Read(queryFile).Where(q => judged is null || judged.Contains(q.Id));
                WriteRun(terminal, retriever, selected, parsed.GetValue(k) ?? 1000, runFile!, parsed.GetRequiredValue(tag), cancellationToken);
            }
            else
            {
                int count = parsed.GetValue(k) ?? 10;
                IReadOnlyList<SearchResult> hits = retriever.Search(text, count);
                if (parsed.GetValue(json))
                {
                    WriteJson(terminal, text, hits, retriever.Recall(count));
                }
                else
                {
                    WriteHits(terminal, hits);
                    if (retriever.Recall(count) is { } recall)
                    {
                        terminal.OutConsole.MarkupLine($"[grey]{Describe(recall).EscapeMarkup()}[/]");
                    }
                }
            }

            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }

    private static void WriteRun(Terminal terminal, Retriever retriever, IEnumerable<Query> queries, int k, string path, string tag, CancellationToken cancellationToken)
    {
        var run = new Run(tag);
        using (var progress = new ProgressLine(terminal, "queries"))
        {
            foreach (Query[] chunk in queries.Chunk(QueriesPerChunk))
            {
                IReadOnlyList<IReadOnlyList<ScoredDocument>> results = retriever.SearchAll(Array.ConvertAll(chunk, q => q.Text), k, cancellationToken);
                for (int i = 0; i < chunk.Length; i++)
                {
                    run.AddTopic(chunk[i].Id);
                    foreach (ScoredDocument document in results[i])
                    {
                        run.Add(chunk[i].Id, document.Id, document.Score);
                    }
                }

                progress.Report(run.Topics.Count);
            }
        }

        if (run.Topics.Count == 0)
        {
            throw new InvalidDataException("there is no query to search for: the file is empty, or --qrels judges none of its queries");
        }

        run.Write(path);
        terminal.Progress(Invariant($"{run.Topics.Count:N0} queries -> {path}"));
        if (retriever.Recall(k) is { } recall)
        {
            terminal.Error.WriteLine(Describe(recall));
        }
    }

    /// <summary>What is known of the hits of an approximate search.</summary>
    private static string Describe(MeasuredRecall recall)
    {
        string queries = Invariant($"{recall.QueryCount:N0} {(recall.Source == CalibrationSource.Documents ? "of the index's own documents as queries" : "queries")}");
        string stale = recall.IsStale ? "; the index has changed since: run tern index calibrate again" : "";
        return recall.IsExact
            ? Invariant($"exact: for {recall.K} hits no approximation of quality {recall.Quality} is calibrated that is cheaper{stale}")
            : Invariant($"approximate: recall@{recall.K} {recall.Recall:0.0000} (95 % bound {recall.LeastRecall:0.0000}), measured with {queries}{stale}");
    }

    private static void WriteHits(Terminal terminal, IReadOnlyList<SearchResult> hits)
    {
        if (hits.Count == 0)
        {
            terminal.OutConsole.WriteLine("nothing found: no document shares a term with the query, or the filter admits none");
            return;
        }

        for (int i = 0; i < hits.Count; i++)
        {
            SearchResult hit = hits[i];
            string name = hit.Document?.Name ?? hit.Id;
            terminal.OutConsole.MarkupLine(Invariant($"{i + 1,3}  {hit.Score,8:0.000}  ") + $"[bold]{name.EscapeMarkup()}[/]" + (name == hit.Id ? "" : $"  [grey]{hit.Id.EscapeMarkup()}[/]"));
            string summary = Excerpt(hit.Document);
            if (summary.Length > 0)
            {
                terminal.OutConsole.MarkupLine(Indent + summary.EscapeMarkup());
            }

            if (hit.Terms.Count > 0)
            {
                terminal.OutConsole.MarkupLine(Indent + TermBars.Markup(hit.Terms, TermsShown, terminal.OutIsTerminal, terminal.OutConsole.Profile.Width - Indent.Length));
            }
        }
    }

    private static string Excerpt(StoredDocument? document)
    {
        const int Longest = 140;
        string text = document is null ? "" : document.Summary.Length > 0 ? document.Summary : document.Text;
        if (document is not null && text.StartsWith(document.Name, StringComparison.Ordinal))
        {
            text = text[document.Name.Length..].TrimStart();
        }

        return text.Length <= Longest ? text : string.Concat(text.AsSpan(0, Longest - 1).TrimEnd(), "…");
    }

    private static void WriteJson(Terminal terminal, string query, IReadOnlyList<SearchResult> hits, MeasuredRecall? recall) => JsonOutput.Write(terminal.Out, json =>
    {
        json.WriteString("query", query);
        if (recall is not null)
        {
            json.WriteNumber("quality", recall.Quality);
            json.WriteBoolean("exact", recall.IsExact);
            json.WriteNumber("recall", Math.Round(recall.Recall, 5));
            json.WriteNumber("recall_least", Math.Round(recall.LeastRecall, 5));
            json.WriteNumber("recall_k", recall.K);
            json.WriteNumber("recall_queries", recall.QueryCount);
            json.WriteString("recall_source", recall.Source.ToString().ToLowerInvariant());
            json.WriteBoolean("recall_stale", recall.IsStale);
        }

        int rank = 0;
        json.WriteArray("hits", hits, hit =>
        {
            json.WriteStartObject();
            json.WriteNumber("rank", ++rank);
            json.WriteString("id", hit.Id);
            json.WriteNumber("score", hit.Score);
            if (hit.Document is { } document)
            {
                json.WriteString("name", document.Name);
                json.WriteString("summary", document.Summary);
            }

            json.WriteArray("terms", hit.Terms, term => ExplainCommand.WriteTerm(json, term, null, null));
            json.WriteEndObject();
        });
    });
}
