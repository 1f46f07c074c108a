using System.Text;
using Tern.Model;
using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>Documents of a corpus as an index takes them: encoded, with what is stored and filtered by.</summary>
internal static class DocumentEncoding
{
    public static void ForEach(RetrieverModel model, IEnumerable<Document> documents, Func<Document, string, StoredDocument> store, IReadOnlyList<FieldDefinition> fields, Action<IndexDocument> take, CancellationToken cancellationToken)
    {
        IndexDocument Stored(Document document) => new(document.Id)
        {
            Payload = Encoding.UTF8.GetBytes(store(document, model.Contract.Compose(document)).ToJson()),
            Fields = Fields(document, fields),
        };
        if (model.Contract.Kind == RepresentationKind.Sparse)
        {
            model.EncodeSparseDocuments(documents, (document, vector) => take(Stored(document) with { Sparse = vector }), cancellationToken);
        }
        else
        {
            model.EncodeDenseDocuments(documents, (document, vector) => take(Stored(document) with { Dense = vector }), cancellationToken);
        }
    }

    /// <summary>The defined fields that a document has.</summary>
    /// <exception cref="InvalidDataException">A value is not of its field's kind.</exception>
    public static Dictionary<string, FieldValue> Fields(Document document, IReadOnlyList<FieldDefinition> definitions)
    {
        var values = new Dictionary<string, FieldValue>();
        foreach (FieldDefinition definition in definitions)
        {
            if (document.Fields.TryGetValue(definition.Name, out string? text))
            {
                values.Add(definition.Name, FieldValue.TryParse(definition.Kind, text, out FieldValue value)
                    ? value
                    : throw new InvalidDataException($"document '{document.Id}': field '{definition.Name}' holds '{text}', which is no {definition.Kind.ToString().ToLowerInvariant()}"));
            }
        }

        return values;
    }
}
