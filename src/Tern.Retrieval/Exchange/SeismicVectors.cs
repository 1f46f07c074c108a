namespace Tern.Retrieval.Exchange;

/// <summary>
/// Seismic's JSON Lines: ids are whole numbers, so documents are numbered from 0 and their own ids go to a list beside.
/// More than 65,536 terms need Seismic's "LV" index types. Reading is <see cref="SparseJson.Read"/>.
/// </summary>
public static class SeismicVectors
{
    public const int TermLimit = 65_536;

    public static void Write(Stream stream, TextWriter ids, IEnumerable<SparseDocument> documents, TermNames names)
    {
        int number = 0;
        foreach (SparseDocument document in documents)
        {
            SparseJson.WriteLine(stream, json =>
            {
                json.WriteNumber("id", number);
                json.WriteString("content", "");
                SparseJson.WriteWeights(json, "vector", document.Vector, names);
            });
            ids.WriteLine(document.Id);
            number++;
        }
    }
}
