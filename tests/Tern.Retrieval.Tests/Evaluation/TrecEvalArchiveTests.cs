using System.Formats.Tar;
using System.IO.Compression;
using Tern.TestKit;
using Xunit;

namespace Tern.Retrieval.Tests.Evaluation;

/// <summary>NIST's own test files: every line of the expected outputs must come out the same.</summary>
public class TrecEvalArchiveTests
{
    private static readonly EvaluationOptions Version10 = new() { Semantics = EvaluationSemantics.Trec10 };

    [SharedArchiveFact("trec_eval-tests.tgz")]
    public void DefaultReport() => Check("out.test", "results.test", perTopic: false, Version10);

    [SharedArchiveFact("trec_eval-tests.tgz")]
    public void AllMeasures() => Check("out.test.a", "results.test", perTopic: false, Version10);

    [SharedArchiveFact("trec_eval-tests.tgz")]
    public void AllMeasuresPerTopic() => Check("out.test.aq", "results.test", perTopic: true, Version10);

    [SharedArchiveFact("trec_eval-tests.tgz")]
    public void AllMeasuresPerTopicWithAMissingTopicCountedAsZero() => Check("out.test.aqc", "results.trunc", perTopic: true, Version10 with { CompleteTopics = true });

    [SharedArchiveFact("trec_eval-tests.tgz")]
    public void TheDefaultReportWritesTheFileByteForByte()
    {
        using TemporaryDirectory directory = Extract();
        Run run = Run.Read(directory.File("test/results.test"));
        var writer = new StringWriter();
        TrecEval.Evaluate(Qrels.Read(directory.File("test/qrels.test")), run, Measure.TrecDefault, Version10).Write(writer);
        Assert.Equal(File.ReadAllText(directory.File("test/out.test")), writer.ToString());
    }

    private static void Check(string expectedName, string runName, bool perTopic, EvaluationOptions options)
    {
        using TemporaryDirectory directory = Extract();
        string[] lines = File.ReadAllLines(directory.File("test/" + expectedName));
        string[] names = [.. lines.Select(line => line.Split('\t')[0].TrimEnd()).Distinct()];
        Run run = Run.Read(directory.File("test/" + runName));
        var writer = new StringWriter();
        TrecEval.Evaluate(Qrels.Read(directory.File("test/qrels.test")), run, names.Select(Measure.Parse), options).Write(writer, perTopic);
        var actual = writer.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal);
        Assert.Equal(lines.Order(StringComparer.Ordinal), actual);
    }

    private static TemporaryDirectory Extract()
    {
        var directory = new TemporaryDirectory();
        using FileStream file = File.OpenRead(Path.Combine(Repository.SharedArchives!, "trec_eval-tests.tgz"));
        using var gzip = new GZipStream(file, CompressionMode.Decompress);
        TarFile.ExtractToDirectory(gzip, directory.Path, overwriteFiles: true);
        return directory;
    }
}
