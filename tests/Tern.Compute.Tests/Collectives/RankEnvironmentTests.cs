using Tern.Compute.Collectives;
using Xunit;

namespace Tern.Compute.Tests.Collectives;

public sealed class RankEnvironmentTests
{
    [Fact]
    public void EveryLaunchersVariablesAreRead()
    {
        Assert.Null(Detect());
        Assert.Null(Detect("RANK=0", "WORLD_SIZE=1"));
        Assert.Equal(
            new RankEnvironment("torchrun", 3, 4, 1, 2, "node0", 29500),
            Detect("RANK=3", "WORLD_SIZE=4", "LOCAL_RANK=1", "LOCAL_WORLD_SIZE=2", "MASTER_ADDR=node0", "MASTER_PORT=29500", "SLURM_PROCID=0", "SLURM_NTASKS=9"));
        Assert.Equal(new RankEnvironment("Open MPI", 1, 2, 1, 2, "", 0), Detect("OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=2", "OMPI_COMM_WORLD_LOCAL_RANK=1", "OMPI_COMM_WORLD_LOCAL_SIZE=2"));
        Assert.Equal(new RankEnvironment("Slurm", 5, 8, 1, 4, "n1", 1234), Detect("SLURM_PROCID=5", "SLURM_NTASKS=8", "SLURM_LOCALID=1", "SLURM_NTASKS_PER_NODE=4", "MASTER_ADDR=n1", "MASTER_PORT=1234"));
    }

    [Theory]
    [InlineData("RANK=4", "RANK is '4'")]
    [InlineData("RANK=x", "RANK is 'x'")]
    [InlineData("RANK=-1", "RANK is '-1'")]
    public void WhatIsNoRankIsRefusedByName(string rank, string message) =>
        Assert.StartsWith(message, Assert.Throws<InvalidDataException>(() => Detect(rank, "WORLD_SIZE=4")).Message, StringComparison.Ordinal);

    [Fact]
    public void ShardsComeFromArraysIndexedJobsOrRanks()
    {
        Assert.Null(Shard());
        Assert.Equal((2, 4), Shard("SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_MIN=1", "SLURM_ARRAY_TASK_COUNT=4"));
        Assert.Equal((0, 3), Shard("JOB_COMPLETION_INDEX=0", "JOB_COMPLETIONS=3"));
        Assert.Equal((1, 2), Shard("OMPI_COMM_WORLD_RANK=1", "OMPI_COMM_WORLD_SIZE=2"));
        Assert.Contains("JOB_COMPLETIONS", Assert.Throws<InvalidDataException>(() => Shard("JOB_COMPLETION_INDEX=0")).Message);
        Assert.Contains("SLURM_ARRAY_TASK_ID gives part 4 of 4", Assert.Throws<InvalidDataException>(() => Shard("SLURM_ARRAY_TASK_ID=4", "SLURM_ARRAY_TASK_COUNT=4")).Message);
    }

    private static RankEnvironment? Detect(params string[] variables) => RankEnvironment.Detect(Lookup(variables));

    private static (int, int)? Shard(params string[] variables) => RankEnvironment.DetectShard(Lookup(variables));

    private static Func<string, string?> Lookup(string[] variables)
    {
        Dictionary<string, string> values = variables.Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1], StringComparer.Ordinal);
        return name => values.GetValueOrDefault(name);
    }
}
