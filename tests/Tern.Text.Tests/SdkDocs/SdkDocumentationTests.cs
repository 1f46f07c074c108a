using System.Text.Json;

namespace Tern.Text.Tests.SdkDocs;

public sealed class SdkDocumentationTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Sdk(string members, string version = "10.0.1")
    {
        _folder.Write($"packs/Microsoft.NETCore.App.Ref/{version}/ref/net10.0/A.xml", $"<doc><assembly><name>A</name></assembly><members>{members}</members></doc>");
        _folder.Write($"packs/Microsoft.AspNetCore.App.Ref/{version}/ref/net10.0/B.xml", "<doc><members /></doc>");
        return _folder.Path;
    }

    [Fact]
    public void OverloadsAreOneDocumentWithoutTheirSummaries()
    {
        SdkCollection collection = SdkDocumentation.Build(Sdk("""
            <member name="T:N.BitArray`1"><summary>Holds   <see langword="true" /> and
               <see cref="T:System.Collections.Generic.List`1" /> of <typeparamref name="T" />.</summary><remarks>long</remarks></member>
            <member name="M:N.BitArray`1.#ctor(System.Int32)"><summary>Makes one of a given length, see <see cref="M:N.BitArray`1.#ctor(System.Int32)" />.</summary><param name="n">The length.</param></member>
            <member name="M:N.BitArray`1.CopyTo(System.Int32)"><summary>First summary of them.</summary><param name="index">Where <paramref name="index" /> begins.</param><returns>A <c>count</c>.</returns></member>
            <member name="M:N.BitArray`1.CopyTo``1(System.Int64)"><summary>Second summary of them all.<para>More.</para></summary><param name="index">Where <paramref name="index" /> begins.</param><param name="to">The <see cref="M:N.X.GetAt(System.Int32)">target</see>.</param></member>
            <member name="M:N.BitArray`1.System#Collections#ICollection#CopyTo(System.Array)"><summary>x</summary></member>
            <member name="M:N.BitArray`1.op_Addition(N.BitArray{`0},N.BitArray{`0})"><summary>Adds.</summary></member>
            <member name="M:N.BitArray`1.Bare"><param name="a">Without summary</param></member>
            """));
        Assert.Equal(
            [
                ("T:N.BitArray", "type", "N.BitArray", "Holds true and List of T.", "type Bit Array Bit Array N.BitArray"),
                ("C:N.BitArray.BitArray", "constructor", "N.BitArray.BitArray", "Makes one of a given length, see BitArray.", "constructor Bit Array Bit Array N.BitArray.BitArray The length."),
                ("M:N.BitArray.CopyTo", "method", "N.BitArray.CopyTo", "First summary of them.", "method Copy To Bit Array N.BitArray.CopyTo Where index begins. A count. The target."),
                ("M:N.BitArray.System.Collections.ICollection.CopyTo", "method", "N.BitArray.System.Collections.ICollection.CopyTo", "x", "method Copy To Bit Array N.BitArray.System.Collections.ICollection.CopyTo"),
                ("O:N.BitArray.op_Addition", "operator", "N.BitArray.op_Addition", "Adds.", "operator Addition Bit Array N.BitArray.op_Addition"),
            ],
            collection.Members.Select(m => (m.Id, m.Kind, m.FullName, m.Summary, m.Text)));
        Assert.Equal(
            ["Holds true and List of T.", "Makes one of a given length, see BitArray.", "Second summary of them all. More."],
            collection.Train.Concat(collection.Dev).Concat(collection.Test).Select(q => q.Text));
        Assert.Equal("sdkdocs-1: Microsoft.NETCore.App.Ref 10.0.1, Microsoft.AspNetCore.App.Ref 10.0.1", collection.Fingerprint);
    }

    [Fact]
    public void SummariesOfManyMembersOrFewWordsAreNoQueries()
    {
        string members = string.Concat(Enumerable.Range(0, 6).Select(i => $"<member name=\"F:N.T.A{i}\"><summary>one two three four five</summary></member>"))
            + string.Concat(Enumerable.Range(0, 5).Select(i => $"<member name=\"F:N.T.B{i}\"><summary>one two three four six</summary></member>"))
            + "<member name=\"F:N.T.C\"><summary>one two three four</summary></member>";
        SdkCollection collection = SdkDocumentation.Build(Sdk(members));
        SdkQuery query = Assert.Single(collection.Train.Concat(collection.Dev).Concat(collection.Test));
        Assert.Equal("one two three four six", query.Text);
        Assert.Equal(["F:N.T.B0", "F:N.T.B1", "F:N.T.B2", "F:N.T.B3", "F:N.T.B4"], query.RelevantIds);
    }

    [Fact]
    public void ASummaryOfTypesOfDifferentSetsIsDropped()
    {
        string members = string.Concat(Enumerable.Range(0, 200).Select(i =>
            $"<member name=\"F:N.T{i}.A\"><summary>a summary of type {i} alone</summary></member>"
            + $"<member name=\"F:N.T{i}.B\"><summary>a summary of types {i / 2} together</summary></member>"));
        SdkCollection collection = SdkDocumentation.Build(Sdk(members));
        Dictionary<string, int> setOfType = [];
        IReadOnlyList<SdkQuery>[] sets = [collection.Train, collection.Dev, collection.Test];
        for (int set = 0; set < 3; set++)
        {
            foreach (SdkQuery query in sets[set].Where(q => q.Text.EndsWith("alone", StringComparison.Ordinal)))
            {
                setOfType[query.RelevantIds[0][2..^2]] = set;
            }
        }
        Assert.Equal([0, 1, 2], setOfType.Values.Distinct().Order());
        int expected = Enumerable.Range(0, 100).Count(i => setOfType[$"N.T{2 * i}"] == setOfType[$"N.T{(2 * i) + 1}"]);
        Assert.Equal(expected, sets.Sum(s => s.Count(q => q.Text.EndsWith("together", StringComparison.Ordinal))));
        Assert.True(expected < 100);
    }

    [Fact]
    public void TheNewestVersionOfAPackIsRead()
    {
        Sdk("", "10.0.9");
        Sdk("", "10.0.10-preview.1");
        string root = Sdk("<member name=\"T:N.T\"><summary>x</summary></member>", "10.0.10");
        Assert.EndsWith("Microsoft.AspNetCore.App.Ref 10.0.10", SdkDocumentation.Build(root).Fingerprint, StringComparison.Ordinal);
        Assert.Equal(SdkDocumentation.Build(root).Fingerprint, SdkDocumentation.Fingerprint(root));
    }

    [Fact]
    public void AMissingSdkOrMalformedFileIsNamed()
    {
        Assert.Contains(_folder.Path, Assert.Throws<DirectoryNotFoundException>(() => SdkDocumentation.Build(_folder.Path)).Message, StringComparison.Ordinal);
        string root = Sdk("\n<member name=\"T:N.T\">");
        Exception e = Assert.ThrowsAny<Exception>(() => SdkDocumentation.Build(root));
        Assert.IsType<InvalidDataException>(e);
        Assert.Contains("A.xml:2: not valid XML", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ReadOnlySpan", "Read Only Span")]
    [InlineData("IOException", "IO Exception")]
    [InlineData("XmlHTTPRequest2Go", "Xml HTTP Request2 Go")]
    [InlineData("GetHashCode_Safe", "Get Hash Code Safe")]
    [InlineData("UTF8", "UTF8")]
    public void NamesInWords(string name, string words) => Assert.Equal(words, MemberName.InWords(name));

    // The collection of the SDK that these tests run on; its exact counts change with the version.
    [Fact]
    public void TheInstalledSdk()
    {
        SdkCollection collection = SdkDocumentation.Build();
        Assert.InRange(collection.Members.Count, 50_000, 75_000);
        Assert.InRange(collection.Train.Count, 45_000, 70_000);
        Assert.InRange(collection.Dev.Count, 1_000, 3_000);
        Assert.InRange(collection.Test.Count, 1_200, 3_500);
        Dictionary<string, SdkMember> members = collection.Members.ToDictionary(m => m.Id);
        SdkMember copy = members["M:System.Array.Copy"];
        Assert.StartsWith("method Copy Array System.Array.Copy ", copy.Text, StringComparison.Ordinal);
        Assert.DoesNotContain(copy.Summary, copy.Text, StringComparison.Ordinal);

        SdkDocumentation.Write(collection, _folder.File("sdkdocs"));
        Assert.Equal(collection.Members.Select(m => new Document(m.Id, "", m.Text) { Name = m.FullName, Summary = m.Summary }), CorpusReader.Read(_folder.File("sdkdocs")).Select(document => document with { Fields = new Document("", "", "").Fields }));
        Assert.Equal(collection.Train.Count + collection.Dev.Count + collection.Test.Count, QueryReader.Read(_folder.File("sdkdocs")).Count());
        string[] judgements = File.ReadAllLines(_folder.File("sdkdocs/qrels/test.tsv"));
        Assert.Equal("query-id\tcorpus-id\tscore", judgements[0]);
        Assert.Equal($"{collection.Test[0].Id}\t{collection.Test[0].RelevantIds[0]}\t1", judgements[1]);
        using JsonDocument record = JsonDocument.Parse(File.ReadLines(_folder.File("sdkdocs/corpus.jsonl")).First());
        Assert.Equal(collection.Members[0].Summary, record.RootElement.GetProperty("metadata").GetProperty("summary").GetString());
        using JsonDocument about = JsonDocument.Parse(File.ReadAllText(_folder.File("sdkdocs/collection.json")));
        Assert.Equal(collection.Fingerprint, about.RootElement.GetProperty("fingerprint").GetString());
        Assert.Equal(collection.Test.Count, about.RootElement.GetProperty("test_queries").GetInt32());
    }
}
