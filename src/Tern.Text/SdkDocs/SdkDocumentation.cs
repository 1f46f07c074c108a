using System.IO.Hashing;
using System.Text;
using System.Text.Json;

namespace Tern.Text;

/// <summary>
/// "Search the .NET API in your own words": a retrieval collection made of the XML documentation that every .NET 10 SDK carries.
/// The same packs give the same collection.
/// </summary>
public static class SdkDocumentation
{
    private const string Rules = "sdkdocs-1";
    private const int FewestQueryWords = 5;
    private const int MostRelevant = 5;

    // A few types (hardware intrinsics) have a thousand members each, with summaries that hardly differ; the set that one of them falls
    // into is another task. This seed was picked for dev and test sets of the usual size without them, on which BM25 scores what it
    // scored on the collection's first division (RR@10 0.336, nDCG@10 0.372, R@100 0.663).
    private const long SplitSeed = 4911;

    /// <summary>
    /// Builds the collection from the SDK at <paramref name="dotnetRoot"/>, or the one found by DOTNET_ROOT, the running runtime's place
    /// or PATH. <see cref="DirectoryNotFoundException"/> says where it looked.
    /// </summary>
    public static SdkCollection Build(string? dotnetRoot = null)
    {
        SdkPacks packs = SdkPacks.Find(dotnetRoot);
        var members = new Dictionary<string, MemberDraft>(StringComparer.Ordinal);
        var order = new List<MemberDraft>();
        foreach (List<MemberDoc> file in ReadFiles(packs))
        {
            foreach (MemberDoc doc in file)
            {
                MemberName name = MemberName.Parse(doc.Id);
                string id = $"{name.Prefix}:{name.FullName}";
                if (!members.TryGetValue(id, out MemberDraft? draft))
                {
                    members.Add(id, draft = new MemberDraft(id, name));
                    order.Add(draft);
                }
                draft.Add(doc);
            }
        }
        List<SdkQuery>[] sets = DivideQueries(order);
        return new SdkCollection(Fingerprint(packs), [.. order.Select(d => d.ToMember())], sets[0], sets[1], sets[2]);
    }

    /// <summary>The fingerprint of the collection that <see cref="Build"/> would make, without reading any documentation.</summary>
    public static string Fingerprint(string? dotnetRoot = null) => Fingerprint(SdkPacks.Find(dotnetRoot));

    /// <summary>
    /// Writes corpus.jsonl (the name, kind and summary as "metadata"), queries.jsonl, qrels/{train,dev,test}.tsv and collection.json.
    /// </summary>
    public static void Write(SdkCollection collection, string directory)
    {
        Directory.CreateDirectory(Path.Combine(directory, "qrels"));
        RecordLines.WriteJson(Path.Combine(directory, "corpus.jsonl"), collection.Members, (json, member) =>
        {
            json.WriteString("_id", member.Id);
            json.WriteString("title", "");
            json.WriteString("text", member.Text);
            json.WriteStartObject("metadata");
            json.WriteString("name", member.FullName);
            json.WriteString("kind", member.Kind);
            json.WriteString("summary", member.Summary);
            json.WriteEndObject();
        });
        QueryWriter.Write(Path.Combine(directory, "queries.jsonl"),
            collection.Train.Concat(collection.Dev).Concat(collection.Test).Select(q => new Query(q.Id, q.Text)));
        WriteJudgements(Path.Combine(directory, "qrels", "train.tsv"), collection.Train);
        WriteJudgements(Path.Combine(directory, "qrels", "dev.tsv"), collection.Dev);
        WriteJudgements(Path.Combine(directory, "qrels", "test.tsv"), collection.Test);
        RecordFile.Write(Path.Combine(directory, "collection.json"), stream =>
        {
            using var json = new Utf8JsonWriter(stream);
            json.WriteStartObject();
            json.WriteString("fingerprint", collection.Fingerprint);
            json.WriteNumber("documents", collection.Members.Count);
            json.WriteNumber("train_queries", collection.Train.Count);
            json.WriteNumber("dev_queries", collection.Dev.Count);
            json.WriteNumber("test_queries", collection.Test.Count);
            json.WriteEndObject();
        });
    }

    private static List<List<MemberDoc>> ReadFiles(SdkPacks packs)
    {
        try
        {
            return [.. packs.DocumentationFiles().AsParallel().AsOrdered().Select(MemberDoc.ReadAll)];
        }
        catch (AggregateException e) when (e.InnerException is InvalidDataException malformed)
        {
            throw new InvalidDataException(malformed.Message, e);
        }
    }

    private static string Fingerprint(SdkPacks packs) => $"{Rules}: {string.Join(", ", packs.Packs.Select(p => $"{p.Name} {p.Version}"))}";

    private static void WriteJudgements(string path, IReadOnlyList<SdkQuery> queries) => RecordFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), 1 << 16, leaveOpen: true) { NewLine = "\n" };
        writer.WriteLine("query-id\tcorpus-id\tscore");
        foreach (SdkQuery query in queries)
        {
            foreach (string id in query.RelevantIds)
            {
                writer.WriteLine($"{query.Id}\t{id}\t1");
            }
        }
    });

    /// <summary>A member while its overloads are being collected.</summary>
    private sealed class MemberDraft(string id, MemberName name)
    {
        private readonly List<string> _details = [];

        public string Id => id;

        public string TypeName => name.TypeName;

        public List<string> Summaries { get; } = [];

        public void Add(MemberDoc doc)
        {
            AddOnce(Summaries, doc.Summary);
            foreach (string detail in doc.Details)
            {
                AddOnce(_details, detail);
            }
        }

        public SdkMember ToMember()
        {
            string type = name.TypeName[(name.TypeName.LastIndexOf('.') + 1)..];
            string head = $"{name.Kind} {MemberName.InWords(name.ShortName)} {MemberName.InWords(type)} {name.FullName}";
            return new SdkMember(id, name.Kind, name.FullName, Summaries[0], string.Join(' ', _details.Prepend(head)));
        }

        private static void AddOnce(List<string> texts, string text)
        {
            if (!texts.Contains(text))
            {
                texts.Add(text);
            }
        }
    }

    // Every summary that says enough and not everywhere the same; dropped where its members are of types of different sets.
    private static List<SdkQuery>[] DivideQueries(List<MemberDraft> members)
    {
        var relevant = new Dictionary<string, List<MemberDraft>>(StringComparer.Ordinal);
        var order = new List<string>();
        foreach (MemberDraft member in members)
        {
            foreach (string summary in member.Summaries)
            {
                if (!relevant.TryGetValue(summary, out List<MemberDraft>? list))
                {
                    relevant.Add(summary, list = []);
                    order.Add(summary);
                }
                list.Add(member);
            }
        }
        List<SdkQuery>[] sets = [[], [], []];
        foreach (string summary in order)
        {
            List<MemberDraft> list = relevant[summary];
            int set = SetOf(list[0].TypeName);
            if (list.Count <= MostRelevant && summary.Split(' ').Length >= FewestQueryWords && list.TrueForAll(m => SetOf(m.TypeName) == set))
            {
                sets[set].Add(new SdkQuery($"{"qdt"[set]}{sets[set].Count + 1}", summary, [.. list.Select(m => m.Id)]));
            }
        }
        return sets;
    }

    /// <summary>0 train, 1 dev (3 %), 2 test (4 %): by a hash of the declaring type's full name.</summary>
    private static int SetOf(string typeName) =>
        (XxHash64.HashToUInt64(Encoding.UTF8.GetBytes(typeName), SplitSeed) % 1000) switch { < 30 => 1, < 70 => 2, _ => 0 };
}
