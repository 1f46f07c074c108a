using System.Text.Json.Serialization;
using Microsoft.Extensions.AI;
using Tern.Retrieval;

namespace Tern;

/// <summary>
/// A sparse embedding: term ids ascending and distinct with weights greater than zero, out of a vocabulary. Immutable but for
/// what <see cref="Embedding"/> lets be set. Serialise it as this type: <see cref="Embedding"/>'s own list of derived types is
/// closed, so that <c>Serialize&lt;Embedding&gt;</c> refuses it unless <see cref="SparseEmbeddingJson.AddSparseEmbedding"/> was called.
/// </summary>
[JsonConverter(typeof(SparseEmbeddingConverter))]
public sealed class SparseEmbedding : Embedding
{
    /// <summary>Takes ownership of both arrays after checking them.</summary>
    /// <exception cref="ArgumentException">Ids are not ascending and distinct, weights not finite and above zero, or an id is not below <paramref name="vocabularySize"/>.</exception>
    public SparseEmbedding(int[] indices, float[] values, int vocabularySize)
        : this(new SparseVector(indices, values), vocabularySize)
    {
    }

    /// <summary>A vector of a vocabulary.</summary>
    public SparseEmbedding(SparseVector vector, int vocabularySize)
    {
        if (vector.Count > 0 && vector.Terms.Span[^1] >= vocabularySize)
        {
            throw new ArgumentException($"term {vector.Terms.Span[^1]} is not in a vocabulary of {vocabularySize}", nameof(vector));
        }

        Vector = vector;
        VocabularySize = vocabularySize;
    }

    /// <summary>The same as <see cref="Indices"/> and <see cref="Values"/>, as indexes take it.</summary>
    public SparseVector Vector { get; }

    /// <summary>Ascending and distinct.</summary>
    public ReadOnlyMemory<int> Indices => Vector.Terms;

    /// <summary>One for each of <see cref="Indices"/>, finite and greater than zero.</summary>
    public ReadOnlyMemory<float> Values => Vector.Weights;

    public int VocabularySize { get; }

    /// <summary>The vocabulary's size, as every vector of it has that many entries, most of them zero.</summary>
    public override int Dimensions => VocabularySize;

    /// <summary>Inner product over the shared terms.</summary>
    /// <exception cref="ArgumentException">The other is of another vocabulary.</exception>
    public float Dot(SparseEmbedding other) => other.VocabularySize == VocabularySize
        ? Vector.Dot(other.Vector)
        : throw new ArgumentException($"vocabularies of {VocabularySize} and {other.VocabularySize} do not compare: the embeddings are of two models", nameof(other));

    /// <summary>This embedding with only its heaviest terms; 0 keeps all.</summary>
    public SparseEmbedding Top(int count) => new(Vector.Top(count), VocabularySize) { ModelId = ModelId, CreatedAt = CreatedAt, AdditionalProperties = AdditionalProperties };
}
