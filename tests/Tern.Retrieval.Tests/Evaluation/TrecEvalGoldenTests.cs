using System.IO.Compression;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

/// <summary>What trec_eval 9.0.8 (both releases of that number) and 10.0 print for generated pairs: byte for byte.</summary>
public class TrecEvalGoldenTests
{
    private static readonly string Folder = Repository.PathOf("tests", "golden", "trec_eval");

    public static TheoryData<string> Names() => [.. Directory.GetFiles(Folder, "*.qrels").Select(path => Path.GetFileNameWithoutExtension(path)!).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void EveryMeasureAgreesWithEveryVersion(string name)
    {
        if (name.StartsWith("refused-", StringComparison.Ordinal))
        {
            // What trec_eval stops at stops us, also where -M 10 hides the second mention from trec_eval.
            Assert.All(Sections(name).Where(section => section.ExitCode != 0), section => Assert.ThrowsAny<Exception>(() => Output(name, section)));
            return;
        }

        Assert.All(Sections(name), section =>
        {
            if (section.ExitCode == 0)
            {
                Assert.Equal(section.Output, Output(name, section));
            }
            else
            {
                Assert.Contains("not in the run", Assert.Throws<InvalidDataException>(() => Output(name, section)).Message, StringComparison.Ordinal);
            }
        });
    }

    [Fact]
    public void ThePairsTellTheVersionsApart()
    {
        string[] versions = ["9.0.8", "9.0.8-2023", "10.0"];
        Assert.True(Names().Count >= 24, "at least 20 pairs that are evaluated and some that are refused");
        Section[] floats = [.. Sections("below-float32").Take(versions.Length)];
        Assert.Equal(versions, floats.Select(section => section.Version));
        Assert.Equal(versions.Length, floats.Select(section => section.Output).Distinct().Count());
    }

    private static string Output(string name, Section section)
    {
        string[] arguments = section.Options.Split(' ');
        string Value(string flag) => arguments[Array.IndexOf(arguments, flag) + 1];
        bool Has(string flag) => arguments.Contains(flag);
        var semantics = section.Version == "10.0" ? EvaluationSemantics.Trec10 : EvaluationSemantics.Trec9;
        string[] measures = [.. arguments.Zip(arguments.Skip(1)).Where(pair => pair.First == "-m").Select(pair => pair.Second)];
        var options = new EvaluationOptions
        {
            Semantics = semantics,
            Ties = section.Version == "9.0.8" ? TieOrder.Trec9 : TieOrder.Trec10,
            CompleteTopics = Has("-c"),
            RelevanceLevel = Has("-l") ? int.Parse(Value("-l"), System.Globalization.CultureInfo.InvariantCulture) : 1,
            MaxDocuments = Has("-M") ? int.Parse(Value("-M"), System.Globalization.CultureInfo.InvariantCulture) : null,
            JudgedDocumentsOnly = Has("-J"),
        };
        Qrels qrels = Qrels.Read(Path.Combine(Folder, name + ".qrels"));
        Run run = Run.Read(Path.Combine(Folder, name + ".run"));
        IReadOnlyList<Measure> list = Measure.InTrecOrder(Measure.ParseList(measures.Length == 0 ? "official" : string.Join(' ', measures), semantics));
        EvaluationReport report = TrecEval.Evaluate(qrels, run, list, options);
        if (report.MissingTopicCount == report.Topics.Count)
        {
            throw new InvalidDataException("no common topic");
        }

        var writer = new StringWriter();
        report.Write(writer, Has("-q"), summary: !Has("-n"));
        return writer.ToString();
    }

    /// <summary>See tests/golden/make_trec_eval.py.</summary>
    private static List<Section> Sections(string name)
    {
        using var reader = new StreamReader(new GZipStream(File.OpenRead(Path.Combine(Folder, name + ".expected.gz")), CompressionMode.Decompress));
        var sections = new List<Section>();
        foreach (string part in reader.ReadToEnd()["## ".Length..].Split("\n## "))
        {
            int end = part.IndexOf('\n', StringComparison.Ordinal);
            string[] head = (end < 0 ? part : part[..end]).Split(" | ");
            string body = end < 0 ? "" : part[(end + 1)..].TrimEnd('\n') + "\n";
            if (body.StartsWith("= ", StringComparison.Ordinal))
            {
                body = sections.Last(section => section.Version == body[2..].TrimEnd() && section.Options == head[2]).Output;
            }

            sections.Add(new Section(head[0], int.Parse(head[1], System.Globalization.CultureInfo.InvariantCulture), head[2], body.Trim().Length == 0 ? "" : body));
        }

        return sections;
    }

    private sealed record Section(string Version, int ExitCode, string Options, string Output);
}
