using System.CommandLine;

namespace Tern.Cli;

/// <summary>The options of every verb that trains on several ranks.</summary>
internal sealed class RankFlags
{
    public Option<int> Count { get; } = Flags.Count("--ranks", "Ranks in this process, which share each batch. Under torchrun, mpirun or srun every process is a rank, and this is left out.", 1);

    public Option<string> Transport { get; } = Flags.Choice("--collective", "How processes exchange gradients: mpi (Open MPI), tcp (MASTER_ADDR and MASTER_PORT), or auto: what the launcher offers.", "auto", "auto", "mpi", "tcp");

    public Option<bool> ShardOptimizer { get; } = new("--shard-optimizer") { Description = "Each rank keeps AdamW's moments for its part of the weights only (ZeRO-1)." };

    public IReadOnlyList<Option> All => [Count, Transport, ShardOptimizer];
}
