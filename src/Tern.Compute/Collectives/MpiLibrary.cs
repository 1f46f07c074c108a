using System.Runtime.InteropServices;

namespace Tern.Compute.Collectives;

/// <summary>
/// Open MPI's library, found at run time, with its handles, which are addresses of its exported objects. Other implementations have
/// other handles and are not taken.
/// </summary>
internal static unsafe partial class MpiLibrary
{
    private const string Name = "mpi";
    private const string Override = "TERN_MPI";
    private static readonly string[] FileNames = ["libmpi.so.40", "libmpi.so.80", "libmpi.so", "libmpi.40.dylib", "libmpi.dylib"];
    private static readonly Lazy<nint> Handle = new(Find);

    static MpiLibrary() => NativeLibrary.SetDllImportResolver(typeof(MpiLibrary).Assembly, static (name, _, _) => name == Name ? Handle.Value : 0);

    public static nint World => NativeLibrary.GetExport(Handle.Value, "ompi_mpi_comm_world");

    public static nint Float => NativeLibrary.GetExport(Handle.Value, "ompi_mpi_float");

    public static nint Byte => NativeLibrary.GetExport(Handle.Value, "ompi_mpi_byte");

    public static nint SumOperation => NativeLibrary.GetExport(Handle.Value, "ompi_mpi_op_sum");

    public static nint InPlace => 1;

    /// <summary>Null where Open MPI is there; else why it is not.</summary>
    public static string? WhyNot()
    {
        try
        {
            return NativeLibrary.TryGetExport(Handle.Value, "ompi_mpi_comm_world", out _) ? null : "the MPI library that was found is not Open MPI";
        }
        catch (DllNotFoundException e)
        {
            return e.Message;
        }
    }

    public static void Check(int code, string call)
    {
        if (code != 0)
        {
            throw new IOException($"{call} failed with MPI error {code}");
        }
    }

    [LibraryImport(Name, EntryPoint = "MPI_Init_thread")]
    public static partial int Initialize(nint argumentCount, nint arguments, int required, out int provided);

    [LibraryImport(Name, EntryPoint = "MPI_Comm_rank")]
    public static partial int Rank(nint communicator, out int rank);

    [LibraryImport(Name, EntryPoint = "MPI_Comm_size")]
    public static partial int Size(nint communicator, out int size);

    [LibraryImport(Name, EntryPoint = "MPI_Reduce_scatter")]
    public static partial int ReduceScatter(nint send, float* receive, int* counts, nint type, nint operation, nint communicator);

    [LibraryImport(Name, EntryPoint = "MPI_Allgatherv")]
    public static partial int AllGather(nint send, int sendCount, nint sendType, void* receive, int* counts, int* starts, nint type, nint communicator);

    [LibraryImport(Name, EntryPoint = "MPI_Allgather")]
    public static partial int AllGather(void* send, int sendCount, nint sendType, void* receive, int receiveCount, nint type, nint communicator);

    [LibraryImport(Name, EntryPoint = "MPI_Bcast")]
    public static partial int Broadcast(void* values, int count, nint type, int root, nint communicator);

    [LibraryImport(Name, EntryPoint = "MPI_Abort")]
    public static partial int Abort(nint communicator, int code);

    [LibraryImport(Name, EntryPoint = "MPI_Finalize")]
    public static partial int Complete();

    private static nint Find()
    {
        string[] names = Environment.GetEnvironmentVariable(Override) is { Length: > 0 } own ? [own] : FileNames;
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint handle))
            {
                return handle;
            }
        }

        throw new DllNotFoundException($"Open MPI's library was not found ({string.Join(", ", names)}); install it (Debian: apt-get install openmpi-bin libopenmpi-dev) or set {Override} to its path");
    }
}
