using Tern.Text;

namespace Tern.Pipelines.Teaching;

/// <summary>
/// A reranker's scores: query and document go through the network as one text, and the score is the product of its vector with that of
/// the word <see cref="PairTexts.Direction"/>, over the temperature it was trained with (a scale that the contract does not need).
/// </summary>
public sealed class RerankerScorer : IPairScorer
{
    private readonly RetrieverModel _model;
    private readonly float[] _direction;

    /// <exception cref="InvalidDataException">The model is no reranker.</exception>
    public RerankerScorer(RetrieverModel model)
    {
        if (model.Contract.PairTemplate.Length == 0)
        {
            throw new InvalidDataException($"{model.Name}: the model encodes queries and documents apart and is no reranker; train one with tern train --type reranker");
        }

        _model = model;
        _direction = model.EncodeDense([PairTexts.Direction], RetrievalSide.Query)[0];
    }

    public string Name => $"reranker {_model.Name} {_model.Fingerprint}";

    public void Score(string query, IReadOnlyList<Document> documents, Span<float> scores)
    {
        float[][] vectors = _model.EncodeDense([.. documents.Select(d => PairTexts.Compose(_model.Contract, query, d))], RetrievalSide.Document);
        for (int i = 0; i < vectors.Length; i++)
        {
            scores[i] = Vectors.Dot(_direction, vectors[i]) / PairTexts.Temperature;
        }
    }

    public void Dispose() => _model.Dispose();
}
