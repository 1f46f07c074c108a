using Tern.Compute.Cpu;

namespace Tern.Compute;

/// <summary>The backends that can run on this machine, best last; product, tests and benches enumerate this list.</summary>
public static class Backends
{
    private static readonly List<BackendFactory> Registered = [new("cpu", static (threads, precision) => new CpuBackend(threads, precision))];

    /// <summary>All registered factories, in order of registration.</summary>
    public static IReadOnlyList<BackendFactory> Available => Registered;

    /// <summary>Adds a backend; its assembly calls this once when it finds a device.</summary>
    public static void Register(BackendFactory factory) => Registered.Add(factory);

    /// <summary>Creates the backend of that name with that many threads (0: all processors).</summary>
    /// <exception cref="ArgumentException">No backend of that name is available; the message lists those that are.</exception>
    /// <exception cref="NotSupportedException">The machine has no products of that precision; the message says why.</exception>
    public static IBackend Create(string name = "cpu", int threads = 0, ProductPrecision precision = ProductPrecision.Float32)
    {
        foreach (BackendFactory factory in Registered)
        {
            if (factory.Name == name)
            {
                return factory.Create(threads, precision);
            }
        }

        throw new ArgumentException($"no backend named '{name}'; available: {string.Join(", ", Registered.Select(f => f.Name))}", nameof(name));
    }
}

/// <summary>How to make one backend. <paramref name="Create"/> takes a thread count, 0 for all processors.</summary>
public sealed record BackendFactory(string Name, Func<int, ProductPrecision, IBackend> Create);
