using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Tern.Compute.Collectives;
using Tern.Tests;
using Xunit;

namespace Tern.Cli.Tests;

/// <summary><c>tern train</c> over ranks: threads, processes that find each other by TCP, and processes of mpirun.</summary>
public sealed class TrainRanksTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void ThreadsAndProcessesGiveTheLossesOfOneRank()
    {
        string data = SmallCollection.Write(_directory["data"]);
        double[] alone = Losses(Cli.Run(Arguments(data, "alone")).Output);
        Assert.Equal(8, alone.Length);
        double[] threads = Losses(Cli.Run([.. Arguments(data, "threads"), "--ranks", "2", "--shard-optimizer"]).Output);
        Assert.All(alone.Zip(threads), l => Assert.Equal(l.First, l.Second, 1e-5 * l.First));

        Process[] ranks = StartRanks(Arguments(data, "processes"), 2);
        double[] processes = Losses(Finish(ranks)[0].Output);
        Assert.Equal(threads, processes);
        Assert.Contains("golden texts agree", Cli.Run("model", "selftest", _directory["processes"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void MaskedPredictionOnRanksGivesTheLossesOfOne()
    {
        string corpus = Path.Combine(SmallCollection.Write(_directory["data"]), "corpus.jsonl");
        Assert.Equal(ExitCode.Ok, Cli.Run("model", "random", "--like", "tiny", _directory["base"]).ExitCode);
        string[] Mntp(string output, params string[] more) =>
            ["mntp", "--model", _directory["base"], "--data", corpus, "--block-length", "16", "--batch", "4", "--steps", "4", "--evaluate-steps", "2", "--lora-rank", "2", "--json", "--threads", "1", "--output", _directory[output], .. more];

        double[] alone = Losses(Cli.Run(Mntp("alone")).Output), threads = Losses(Cli.Run(Mntp("threads", "--ranks", "2", "--shard-optimizer")).Output);
        Assert.Equal(4, alone.Length);
        Assert.All(alone.Zip(threads), l => Assert.Equal(l.First, l.Second, 1e-5 * l.First));
        Assert.Equal(threads, Losses(Finish(StartRanks(Mntp("processes"), 2))[0].Output));
        Assert.True(File.Exists(_directory["processes/adapter_model.safetensors"]));
        Assert.Contains("a multiple of the 3 ranks", Cli.Run(Mntp("three", "--ranks", "3")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void AKilledRankEndsTheOtherWithItsNameAndTheRunResumes()
    {
        string data = SmallCollection.Write(_directory["data"]);
        string[] arguments = [.. Arguments(data, "run"), "--steps", "150", "--save-steps", "5"];
        Process[] ranks = StartRanks(arguments, 2);
        WaitFor(() => Directory.Exists(Path.Combine(_directory["run"], "checkpoint-10")), ranks);
        ranks[1].Kill();
        (int Code, string Output, string Error)[] results = Finish(ranks);
        Assert.Equal(1, results[0].Code);
        Assert.Contains($"rank 1 of 2 ({Environment.MachineName}, process {ranks[1].Id}) is gone", results[0].Error, StringComparison.Ordinal);

        CliResult resumed = Cli.Run("train", "--output", _directory["run"], "--resume", "--json");
        Assert.Equal(0, resumed.ExitCode);
        double[] whole = Losses(Cli.Run([.. Arguments(data, "whole"), "--steps", "150"]).Output);
        double[] rest = Losses(resumed.Output);
        Assert.True(rest.Length <= 150, $"{rest.Length} steps");
        Assert.All(whole[^rest.Length..].Take(20).Zip(rest), l => Assert.Equal(l.First, l.Second, 1e-4 * l.First));
    }

    [MpiFact]
    public void RanksOfMpirunGiveTheSameLosses()
    {
        string data = SmallCollection.Write(_directory["data"]);
        double[] alone = Losses(Cli.Run(Arguments(data, "alone")).Output);
        var start = new ProcessStartInfo("mpirun") { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (string argument in (string[])["-np", "2", "--oversubscribe", "--allow-run-as-root", Program, .. Arguments(data, "mpi")])
        {
            start.ArgumentList.Add(argument);
        }

        (int code, string output, string error) = Finish([Process.Start(start)!])[0];
        Assert.True(code == 0, error);
        Assert.All(alone.Zip(Losses(output), (x, y) => (x, y)), l => Assert.Equal(l.x, l.y, 1e-5 * l.x));
        Assert.Equal(8, Losses(output).Length);
    }

    public void Dispose() => _directory.Dispose();

    private static string Program => Path.Combine(AppContext.BaseDirectory, "Tern.Cli");

    private string[] Arguments(string data, string output) =>
    [
        "train", "--data", data, "--new", "--type", "sparse", "--batch", "8", "--hidden-size", "16", "--heads", "2", "--layers", "1", "--vocabulary-size", "340",
        "--json", "--threads", "1", "--output", _directory[output], .. output is "run" or "whole" ? Array.Empty<string>() : ["--steps", "8"],
    ];

    private static Process[] StartRanks(string[] arguments, int count)
    {
        using Socket probe = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        int port = ((IPEndPoint)probe.LocalEndPoint!).Port;
        probe.Dispose();
        return [.. Enumerable.Range(0, count).Select(rank =>
        {
            var start = new ProcessStartInfo(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
            start.Environment["RANK"] = FormattableString.Invariant($"{rank}");
            start.Environment["WORLD_SIZE"] = FormattableString.Invariant($"{count}");
            start.Environment["MASTER_ADDR"] = "127.0.0.1";
            start.Environment["MASTER_PORT"] = FormattableString.Invariant($"{port}");
            return Process.Start(start)!;
        })];
    }

    private static (int Code, string Output, string Error)[] Finish(Process[] processes)
    {
        Task<(string Output, string Error)>[] reading = [.. processes.Select(p => Task.Run(async () =>
        {
            Task<string> error = p.StandardError.ReadToEndAsync();
            return (await p.StandardOutput.ReadToEndAsync(), await error);
        }))];
        return [.. processes.Select((p, i) =>
        {
            if (!p.WaitForExit(TimeSpan.FromMinutes(3)))
            {
                Array.ForEach(processes, q => q.Kill());
                Assert.Fail($"process {i} did not end");
            }

            return (p.ExitCode, reading[i].Result.Output, reading[i].Result.Error);
        })];
    }

    private static void WaitFor(Func<bool> condition, Process[] processes)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > TimeSpan.FromMinutes(3) || processes.Any(p => p.HasExited))
            {
                Array.ForEach(processes, p => p.Kill());
                Assert.Fail($"the ranks ended too early or too late: {string.Join(" | ", Finish(processes).Select(r => r.Error))}");
            }

            Thread.Sleep(5);
        }
    }

    private static double[] Losses(string output) =>
        [.. output.Split('\n').Select(l => l.IndexOf('{', StringComparison.Ordinal) is var at && at >= 0 ? l[at..] : "").Where(l => l.Length > 0).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("loss").GetDouble())]; // mpirun's terminal may begin with an escape
}

/// <summary>A test under mpirun; skipped, with the reason, where Open MPI is not there.</summary>
public sealed class MpiFactAttribute : FactAttribute
{
    public MpiFactAttribute() => Skip = ProcessRanks.WhyNoMpi
        ?? (Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator).Any(d => File.Exists(Path.Combine(d, "mpirun"))) ? null : "mpirun is not on the PATH");
}
