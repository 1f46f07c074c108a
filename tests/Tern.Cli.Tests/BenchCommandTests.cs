using System.Text.Json;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

public sealed class BenchCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("impacts")]
    [InlineData("float32")]
    public void TimesEveryAlgorithmLayoutAndK(string scoring)
    {
        Write("v.docs.csr", 3000, 1);
        Write("v.queries.csr", 5, 2);
        byte[] order = new byte[4 * 3000];
        for (int i = 0; i < 3000; i++)
        {
            BitConverter.TryWriteBytes(order.AsSpan(4 * i), 2999 - i);
        }

        File.WriteAllBytes(_directory["v.bp.u32"], order);
        CliResult result = Cli.Run("bench", "search", "--data", _directory["v"], "--k", "10,100", "--threads", "2", "--passes", "3", "--scoring", scoring, "--json");
        Assert.Equal("", result.Error);
        JsonElement output = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal(5, output.GetProperty("queries").GetInt32());
        JsonElement[] rows = [.. output.GetProperty("results").EnumerateArray()];
        Assert.Equal(
            from layout in (string[])["packed", "raw"] from k in (int[])[10, 100] from algorithm in (string[])["auto", "block-max", "exhaustive"] select (algorithm, layout, k),
            rows.Select(row => (row.GetProperty("algorithm").GetString()!, row.GetProperty("layout").GetString()!, row.GetProperty("k").GetInt32())));
        Assert.All(rows, row =>
        {
            Assert.True(row.GetProperty("mean_ms").GetDouble() > 0);
            Assert.True(row.GetProperty("p50_ms").GetDouble() <= row.GetProperty("p99_ms").GetDouble());
            Assert.InRange(row.GetProperty("bytes_per_posting").GetDouble(), 1, 20);
            Assert.True(row.TryGetProperty("p95_ms", out _) && row.TryGetProperty("allocated_bytes_per_query", out _));
        });
    }

    [Fact]
    public void BuildsOnceAndTimesOften()
    {
        Write("v.docs.csr", 400, 1);
        Write("v.queries.csr", 3, 2);
        string[] common = ["bench", "search", "--data", _directory["v"], "--work", _directory["work"], "--layout", "packed", "--k", "5", "--passes", "3", "--json"];
        CliResult nothing = Cli.Run([.. common, "--only", "time"]);
        Assert.Equal((ExitCode.BadInput, 1), (nothing.ExitCode, nothing.ErrorLines.Count));
        JsonElement built = JsonDocument.Parse(Cli.Run([.. common, "--only", "build"]).Output).RootElement;
        Assert.Equal((1, 0), (built.GetProperty("indexes").GetArrayLength(), built.GetProperty("results").GetArrayLength()));
        DateTime written = File.GetLastWriteTimeUtc(Path.Combine(_directory["work"], "packed", "segment.tern"));
        for (int round = 0; round < 2; round++)
        {
            CliResult timed = Cli.Run([.. common, "--only", "time"]);
            Assert.Equal("", timed.Error);
            Assert.Equal(3, JsonDocument.Parse(timed.Output).RootElement.GetProperty("results").GetArrayLength());
        }

        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(_directory["work"], "packed", "segment.tern")));
        Write("v.docs.csr", 401, 1);
        CliResult other = Cli.Run([.. common, "--only", "time"]);
        Assert.Equal((ExitCode.BadInput, 1), (other.ExitCode, other.ErrorLines.Count));
        Assert.Contains("not the 401 documents", other.Error, StringComparison.Ordinal);
        CliResult nowhere = Cli.Run("bench", "search", "--data", _directory["v"], "--only", "build");
        Assert.Equal((ExitCode.Usage, 1), (nowhere.ExitCode, nowhere.ErrorLines.Count));
    }

    [Fact]
    public void SaysWhatIsWrong()
    {
        Write("v.docs.csr", 10, 1);
        Write("v.queries.csr", 2, 2);
        CliResult missing = Cli.Run("bench", "search", "--data", _directory["none"]);
        Assert.Equal((ExitCode.BadInput, 1), (missing.ExitCode, missing.ErrorLines.Count));
        Assert.Contains("none.queries.csr", missing.Error, StringComparison.Ordinal);
        CliResult count = Cli.Run("bench", "search", "--data", _directory["v"], "--k", "10,many");
        Assert.Equal((ExitCode.Usage, 1), (count.ExitCode, count.ErrorLines.Count));
        Assert.Contains("'many'", count.Error, StringComparison.Ordinal);
        File.WriteAllBytes(_directory["v.bp.u32"], new byte[7]);
        CliResult order = Cli.Run("bench", "search", "--data", _directory["v"]);
        Assert.Equal((ExitCode.BadInput, 1), (order.ExitCode, order.ErrorLines.Count));
        Assert.Contains("v.bp.u32: 7 bytes where 10 documents need 40", order.Error, StringComparison.Ordinal);
    }

    private void Write(string name, int rows, int seed)
    {
        var random = new Random(seed);
        using FileStream stream = File.Create(_directory[name]);
        using var ids = new StringWriter();
        SparseCsr.Write(stream, ids, Enumerable.Range(0, rows).Select(row => new SparseDocument($"{row}", new SparseVector([0, 1 + random.Next(30), 40], [1f, 1f + random.NextSingle(), 2f]))), columnCount: 50);
    }
}
