using System.CommandLine;
using Tern.Retrieval;

namespace Tern.Cli;

/// <summary>trec_eval's options, by its letters.</summary>
internal sealed class EvaluationFlags
{
    private readonly Option<bool> _complete = new("-c") { Description = "Average over all judged topics; those without results count as found nothing." };
    private readonly Option<int> _level = Flags.Count("-l", "The least level that is relevant.", 1);
    private readonly Option<int?> _maxDocuments = Flags.OptionalCount("-M", "Only so many documents of each topic.");
    private readonly Option<bool> _judgedOnly = new("-J") { Description = "Drop documents without a judgement first." };

    public void AddTo(Command command)
    {
        command.Add(_complete);
        command.Add(_level);
        command.Add(_maxDocuments);
        command.Add(_judgedOnly);
    }

    public EvaluationOptions Read(ParseResult parsed) => new()
    {
        CompleteTopics = parsed.GetValue(_complete),
        RelevanceLevel = parsed.GetValue(_level),
        MaxDocuments = parsed.GetValue(_maxDocuments),
        JudgedDocumentsOnly = parsed.GetValue(_judgedOnly),
    };
}
