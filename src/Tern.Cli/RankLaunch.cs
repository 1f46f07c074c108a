using System.CommandLine;
using Tern.Compute;
using Tern.Compute.Collectives;

namespace Tern.Cli;

/// <summary>Starts a run's ranks: threads of this process, this process among those of a launcher, or just one.</summary>
internal static class RankLaunch
{
    /// <summary>Runs a body as every rank that this process has; the exit code is the first rank's.</summary>
    public static int Run(ParseResult given, ParseResult parsed, RankFlags flags, Func<Rank, int> body)
    {
        int threads = given.GetResult(flags.Count) is { Implicit: false } ? given.GetValue(flags.Count) : parsed.GetValue(flags.Count);
        RankEnvironment? environment = RankEnvironment.Detect(Environment.GetEnvironmentVariable);
        if (threads > 1)
        {
            return environment is null
                ? RunThreads(threads, body)
                : throw new UsageException($"--ranks {threads}: {environment.Launcher} has started {environment.RankCount} processes, each of which is a rank; leave --ranks out");
        }

        return environment is null ? body(new Rank(0, 1, 1, _ => null)) : RunProcess(environment, given.GetRequiredValue(flags.Transport), body);
    }

    private static int RunProcess(RankEnvironment environment, string transport, Func<Rank, int> body)
    {
        ICollective? joined = null;
        try
        {
            int code = body(new Rank(environment.Rank, environment.RankCount, environment.LocalRankCount, backend => joined = ProcessRanks.Join(backend, environment, transport)));
            joined?.Dispose();
            return code;
        }
        catch (Exception e) when (e is not RankFailedException)
        {
            // The others wait for this rank: they end with its name and reason.
            joined?.Abort(e.Message);
            throw;
        }
    }

    private static int RunThreads(int count, Func<Rank, int> body)
    {
        int[] codes = new int[count];
        try
        {
            ThreadRanks.Run(count, (group, number) =>
            {
                ICollective? joined = null;
                codes[number] = body(new Rank(number, count, count, backend => joined = group.Join(number, backend)));
                joined?.Dispose();
            });
        }
        catch (RankFailedException e) when (e.InnerException is UsageException or ArgumentException or InvalidDataException or FileNotFoundException)
        {
            // What is wrong with the input is wrong for every rank: one line about it, with its own exit code.
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(e.InnerException);
        }

        return codes[0];
    }

    /// <summary>One rank's place and its way to the others.</summary>
    internal sealed record Rank(int Number, int Count, int CountHere, Func<IBackend, ICollective?> Connect)
    {
        /// <summary>True for the rank that writes and speaks.</summary>
        public bool IsFirst => Number == 0;

        /// <summary>The processors are shared by the ranks on this machine, unless the user says how many threads.</summary>
        public int ThreadCount(int asked) => asked > 0 || CountHere == 1 ? asked : Math.Max(1, Environment.ProcessorCount / CountHere);

        public ICollective? Join(IBackend backend) => Connect(backend);
    }
}
