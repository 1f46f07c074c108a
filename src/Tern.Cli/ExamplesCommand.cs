using System.CommandLine;
using Tern.Text;

namespace Tern.Cli;

/// <summary><c>tern data examples</c>: teacher scores by query id as the training examples that <c>tern train</c> reads.</summary>
internal static class ExamplesCommand
{
    public static Verb Create(Terminal terminal)
    {
        var scores = new Argument<string>("scores") { Description = """Teacher scores: JSON Lines {"qid": …, "pos": [[id, score], …], "neg": [[id, score], …]}.""" };
        Option<string> queries = Flags.RequiredText("--queries", "The queries' texts: BEIR directory, JSON Lines or TSV.", "path");
        Option<int?> negatives = Flags.OptionalCount("--negatives", "Negatives kept of each query, the first; queries with fewer are left out. All unless given.");
        Option<string> output = Flags.RequiredText("--output", "The training examples to write, as JSON Lines.", "file");
        var command = new Verb("examples", "Turns a teacher's scores by query id into training examples: one for each relevant document.")
        {
            Examples = ["tern data examples teacher.jsonl.gz --queries beir/scifact --output train.jsonl"],
        };
        command.Add(scores);
        foreach (Option option in new Option[] { queries, negatives, output })
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
        {
            Dictionary<string, string> texts = QueryReader.Read(parsed.GetRequiredValue(queries)).ToDictionary(q => q.Id, q => q.Text, StringComparer.Ordinal);
            List<TrainingExample> examples = [];
            int leftOut = 0;
            foreach (TeacherScores read in TeacherScoreReader.Read(parsed.GetRequiredValue(scores)))
            {
                if (!texts.TryGetValue(read.QueryId, out string? text))
                {
                    throw new InvalidDataException($"{read.Place}: query '{read.QueryId}' is not among the queries of {parsed.GetRequiredValue(queries)}");
                }

                int kept = parsed.GetValue(negatives) ?? read.Negatives.Count;
                if (read.Negatives.Count < kept)
                {
                    leftOut++;
                    continue;
                }

                ScoredCandidate[] own = [.. read.Negatives.Take(kept)];
                examples.AddRange(read.Positives.Select(p => new TrainingExample(text, p.Id, [.. own.Select(n => n.Id)], p.Score, [.. own.Select(n => n.Score)])));
            }

            string target = parsed.GetRequiredValue(output);
            TrainingExampleWriter.Write(target, examples.Count > 0 ? examples : throw new InvalidDataException($"{parsed.GetRequiredValue(scores)}: no example came out of it"));
            terminal.Out.WriteLine(Invariant($"{target}: {examples.Count:N0} examples{(leftOut > 0 ? Invariant($", {leftOut:N0} queries with too few negatives left out") : "")}"));
            return Task.FromResult(ExitCode.Ok);
        });
        return command;
    }
}
