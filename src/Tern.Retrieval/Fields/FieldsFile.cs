using Tern.Retrieval.Files;

namespace Tern.Retrieval;

/// <summary>Writes the fields of an index whose vectors another builder writes, in the order of adding. Not thread-safe.</summary>
public sealed class FieldsFile(IReadOnlyList<FieldDefinition> fields)
{
    private readonly FieldColumnsWriter _columns = new(fields);

    public void Add(string externalId, IReadOnlyDictionary<string, FieldValue> values) => _columns.Add(externalId, values);

    /// <summary>Nothing where no fields are defined.</summary>
    public void Write(string directory)
    {
        if (fields.Count > 0)
        {
            _columns.Write(PhysicalFiles.Instance, Path.Combine(directory, FieldColumns.FileName), null);
        }
    }
}
