namespace Tern.Compute.Collectives;

/// <summary>How processes that a launcher started become ranks.</summary>
public static class ProcessRanks
{
    /// <summary>How long a rank waits for the others to start.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    /// <summary>Null where Open MPI can be used; else why not.</summary>
    public static string? WhyNoMpi => MpiLibrary.WhyNot();

    /// <summary>
    /// Meets the other ranks over <paramref name="transport"/>: <c>mpi</c>, <c>tcp</c>, or <c>auto</c>, which is MPI under mpirun and
    /// TCP where the launcher says where rank 0 is.
    /// </summary>
    /// <exception cref="ArgumentException">The launcher does not say what the transport needs.</exception>
    /// <exception cref="NotSupportedException">There is no Open MPI; says how to get it.</exception>
    public static ICollective Join(IBackend backend, RankEnvironment environment, string transport = "auto", TimeSpan? patience = null)
    {
        bool hasPlace = environment.Host.Length > 0 && environment.Port > 0;
        switch (transport)
        {
            case "mpi":
            case "auto" when environment.Launcher == "Open MPI" || !hasPlace:
                MpiCollective mpi = MpiCollective.Join(backend);
                if (mpi.RankCount == environment.RankCount)
                {
                    return mpi;
                }

                mpi.Dispose();
                throw new ArgumentException($"{environment.Launcher} started {environment.RankCount} processes, of which MPI sees {mpi.RankCount}; start them with mpirun, or set MASTER_ADDR and MASTER_PORT to where rank 0 listens");
            case "tcp" or "auto":
                return hasPlace
                    ? TcpCollective.Join(backend, environment.Rank, environment.RankCount, environment.Host, environment.Port, patience ?? Patience)
                    : throw new ArgumentException($"{environment.Launcher} does not say where rank 0 is; set MASTER_ADDR and MASTER_PORT, on every rank alike");
            default:
                throw new ArgumentException($"no transport '{transport}'; one of auto, mpi, tcp");
        }
    }
}
