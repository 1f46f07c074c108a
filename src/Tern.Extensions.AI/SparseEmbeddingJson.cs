using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;

namespace Tern;

/// <summary>Makes <see cref="SparseEmbedding"/> one of the types that an <see cref="Embedding"/> may be in JSON.</summary>
public static class SparseEmbeddingJson
{
    /// <summary>Lets these options write and read a sparse embedding as an <see cref="Embedding"/>: <c>{"$type": "sparse", …}</c>.</summary>
    public static JsonSerializerOptions AddSparseEmbedding(this JsonSerializerOptions options)
    {
        options.Converters.Add(new EmbeddingConverter());
        options.TypeInfoResolver = (options.TypeInfoResolver ?? AIJsonUtilities.DefaultOptions.TypeInfoResolver!).WithAddedModifier(static contract =>
        {
            if (contract.Type == typeof(Embedding))
            {
                contract.PolymorphismOptions = null; // The converter sees to the kinds.
            }
        });
        return options;
    }

    // A type with a converter of its own cannot be a derived type of a polymorphic one; so the base gets a converter that
    // knows the sparse kind and leaves the others to the serialiser's own contract.
    private sealed class EmbeddingConverter : JsonConverter<Embedding>
    {
        private const string Discriminator = "$type";
        private const string Sparse = "sparse";

        private static readonly SparseEmbeddingConverter SparseConverter = new();

        public override Embedding? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            Utf8JsonReader ahead = reader;
            return IsSparse(ref ahead)
                ? SparseConverter.Read(ref reader, typeof(SparseEmbedding), options)
                : JsonSerializer.Deserialize(ref reader, OwnContract);
        }

        public override void Write(Utf8JsonWriter writer, Embedding value, JsonSerializerOptions options)
        {
            if (value is SparseEmbedding sparse)
            {
                SparseEmbeddingConverter.WriteTagged(writer, Discriminator, Sparse, sparse);
            }
            else
            {
                JsonSerializer.Serialize(writer, value, OwnContract);
            }
        }

        private static bool IsSparse(ref Utf8JsonReader reader) =>
            reader.TokenType == JsonTokenType.StartObject && reader.Read() && reader.TokenType == JsonTokenType.PropertyName
            && reader.ValueTextEquals(Discriminator) && reader.Read() && reader.TokenType == JsonTokenType.String && reader.ValueTextEquals(Sparse);

        private static JsonTypeInfo<Embedding> OwnContract => (JsonTypeInfo<Embedding>)AIJsonUtilities.DefaultOptions.GetTypeInfo(typeof(Embedding));
    }
}
