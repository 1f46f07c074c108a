using System.Globalization;

namespace Tern.Compute.Collectives;

/// <summary>
/// What a launcher says of this process: its rank, how many there are, its place on this machine, and where rank 0 can be met.
/// </summary>
/// <param name="Launcher">Whose variables they are.</param>
/// <param name="LocalRank">Its place among the ranks on this machine.</param>
/// <param name="LocalRankCount">How many ranks this machine has; 1 where the launcher does not say.</param>
/// <param name="Host">Where rank 0 listens; empty where the launcher does not say.</param>
/// <param name="Port">Rank 0's port; 0 where the launcher does not say.</param>
public sealed record RankEnvironment(string Launcher, int Rank, int RankCount, int LocalRank, int LocalRankCount, string Host, int Port)
{
    /// <summary>
    /// Reads the variables of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), Open MPI (OMPI_COMM_WORLD_…) or Slurm
    /// (SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID), the first that is there; null when none is, or there is one process only.
    /// </summary>
    /// <exception cref="InvalidDataException">A variable is no number or out of its range; it is named.</exception>
    public static RankEnvironment? Detect(Func<string, string?> variable)
    {
        foreach ((string launcher, string rank, string count, string local, string localCount) in new[]
        {
            ("torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
            ("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
            ("Slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"),
        })
        {
            if (variable(rank) is null || variable(count) is null)
            {
                continue;
            }

            int rankCount = Number(count, 1, int.MaxValue);
            return rankCount == 1
                ? null
                : new RankEnvironment(
                    launcher,
                    Number(rank, 0, rankCount - 1),
                    rankCount,
                    variable(local) is null ? 0 : Number(local, 0, rankCount - 1),
                    variable(localCount) is null ? 1 : Number(localCount, 1, rankCount),
                    variable("MASTER_ADDR") ?? "",
                    variable("MASTER_PORT") is null ? 0 : Number("MASTER_PORT", 1, 65535));
        }

        return null;

        int Number(string name, int least, int most) =>
            int.TryParse(variable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most
                ? value
                : throw new InvalidDataException($"{name} is '{variable(name)}', which is not a whole number from {least} to {most}");
    }

    /// <summary>
    /// Which of how many parts of a job without a coordinator this process has: Slurm's job array (SLURM_ARRAY_TASK_ID, _MIN, _COUNT),
    /// Kubernetes' indexed job (JOB_COMPLETION_INDEX with JOB_COMPLETIONS), or else the ranks; 0-based. Null when none is there.
    /// </summary>
    /// <exception cref="InvalidDataException">A variable is no number or out of its range; it is named.</exception>
    public static (int Index, int Count)? DetectShard(Func<string, string?> variable)
    {
        if (variable("SLURM_ARRAY_TASK_ID") is not null && variable("SLURM_ARRAY_TASK_COUNT") is not null)
        {
            return Checked(Number("SLURM_ARRAY_TASK_ID") - (variable("SLURM_ARRAY_TASK_MIN") is null ? 0 : Number("SLURM_ARRAY_TASK_MIN")), Number("SLURM_ARRAY_TASK_COUNT"), "SLURM_ARRAY_TASK_ID");
        }

        if (variable("JOB_COMPLETION_INDEX") is not null)
        {
            return variable("JOB_COMPLETIONS") is null
                ? throw new InvalidDataException("JOB_COMPLETION_INDEX is set without JOB_COMPLETIONS: Kubernetes does not say how many there are; set it to the job's spec.completions, or give --shard i/n")
                : Checked(Number("JOB_COMPLETION_INDEX"), Number("JOB_COMPLETIONS"), "JOB_COMPLETION_INDEX");
        }

        return Detect(variable) is { } ranks ? (ranks.Rank, ranks.RankCount) : null;

        int Number(string name) => int.TryParse(variable(name), NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            ? value
            : throw new InvalidDataException($"{name} is '{variable(name)}', which is not a whole number");

        static (int, int) Checked(int index, int count, string name) => index >= 0 && index < count
            ? (index, count)
            : throw new InvalidDataException($"{name} gives part {index} of {count}, counted from 0; it must be below the count");
    }
}
