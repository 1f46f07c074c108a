using System.CommandLine;
using Tern.Pipelines.Teaching;
using Tern.Text;

namespace Tern.Cli;

/// <summary>What gives scores: a model directory (a reranker or a retriever) or a run.</summary>
internal sealed class TeacherFlags(string modelName, string modelDescription)
{
    private readonly ModelFlags _compute = new();

    public Option<string?> Model { get; } = Flags.Text(modelName, modelDescription, "dir");

    public void AddTo(Command command)
    {
        command.Add(Model);
        _compute.AddTo(command);
    }

    public ModelOptions Compute(ParseResult parsed) => _compute.Read(parsed);

    /// <summary>The model's scorer, whichever kind it is; null when none was given.</summary>
    public IPairScorer? Open(ParseResult parsed)
    {
        if (parsed.GetValue(Model) is not { } directory)
        {
            return null;
        }

        var model = RetrieverModel.Load(directory, Compute(parsed));
        return model.Contract.PairTemplate.Length > 0 ? new RerankerScorer(model) : new RetrieverScorer(model);
    }

    /// <summary>The documents that are asked for, by id, out of a corpus.</summary>
    /// <exception cref="InvalidDataException">One of them is not there; it is named.</exception>
    public static Func<string, Document> Documents(string corpus, IEnumerable<string> ids)
    {
        HashSet<string> named = [.. ids];
        Dictionary<string, Document> documents = new(StringComparer.Ordinal);
        foreach (Document document in CorpusReader.Read(corpus).Where(d => named.Contains(d.Id)))
        {
            documents[document.Id] = document;
        }

        return id => documents.TryGetValue(id, out Document? document) ? document : throw new InvalidDataException($"{corpus}: no document '{id}', which is to be scored");
    }
}
