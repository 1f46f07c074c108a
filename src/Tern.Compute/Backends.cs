using System.Diagnostics.CodeAnalysis;
using Tern.Compute.Cpu;

namespace Tern.Compute;

/// <summary>
/// The backends that can run on this machine, best last; product, tests and benches enumerate this list. Devices are looked
/// for when the list, or a name that is not there yet, is first asked for: programs that stay on the CPU never load a driver.
/// </summary>
public static class Backends
{
    private static readonly Lock Gate = new();
    private static readonly List<BackendFactory> Registered = [new("cpu", static (threads, precision) => new CpuBackend(threads, precision), ProductPrecisions.WhyNot)];
    private static readonly Queue<BackendSource> NotAsked = [];
    private static readonly Dictionary<string, string> Absent = new(StringComparer.Ordinal);

    /// <summary>All factories, in order of registration.</summary>
    public static IReadOnlyList<BackendFactory> Available
    {
        get
        {
            lock (Gate)
            {
                while (NotAsked.TryDequeue(out BackendSource? source))
                {
                    (IReadOnlyList<BackendFactory> found, string? whyNone) = source.Find();
                    Registered.AddRange(found);
                    if (whyNone is not null)
                    {
                        Absent[source.Name] = whyNone;
                    }
                }

                return [.. Registered];
            }
        }
    }

    /// <summary>Adds a kind of device, whose assembly calls this once; it is asked for its devices when they are first wanted.</summary>
    public static void Add(BackendSource source)
    {
        lock (Gate)
        {
            NotAsked.Enqueue(source);
        }
    }

    /// <summary>
    /// The factory of that name. A kind alone, such as <c>cuda</c>, is its first device; <c>auto</c> is the first device of the
    /// best kind. False when there is none; <paramref name="whyNot"/> then says why, or lists those that are available.
    /// </summary>
    public static bool TryFind(string name, [NotNullWhen(true)] out BackendFactory? factory, [NotNullWhen(false)] out string? whyNot)
    {
        whyNot = null;
        factory = Registered[0];
        if (name == factory.Name)
        {
            return true;
        }

        IReadOnlyList<BackendFactory> available = Available;
        string kind = name == "auto" ? available[^1].Kind : name;
        factory = available.FirstOrDefault(f => f.Name == name) ?? available.FirstOrDefault(f => f.Kind == kind);
        if (factory is null && !Absent.TryGetValue(name.Split(':')[0], out whyNot))
        {
            whyNot = $"no backend named '{name}'; available: {string.Join(", ", available.Select(f => f.Name))}";
        }

        return factory is not null;
    }

    /// <summary>Creates the backend of that name (see <see cref="TryFind"/>) with that many threads (0: all processors).</summary>
    /// <exception cref="ArgumentException">No such backend is available; the message says why, or lists those that are.</exception>
    /// <exception cref="NotSupportedException">The machine has no products of that precision; the message says why.</exception>
    public static IBackend Create(string name = "cpu", int threads = 0, ProductPrecision precision = ProductPrecision.Float32) =>
        TryFind(name, out BackendFactory? factory, out string? whyNot) ? factory.Create(threads, precision) : throw new ArgumentException(whyNot, nameof(name));
}

/// <summary>
/// How to make one backend. <paramref name="Create"/> takes a thread count, 0 for all processors; devices without threads
/// do not read it. <paramref name="WhyNot"/> says in words why it lacks a precision, or null.
/// </summary>
public sealed record BackendFactory(string Name, Func<int, ProductPrecision, IBackend> Create, Func<ProductPrecision, string?> WhyNot)
{
    /// <summary>Its name without the device's number.</summary>
    public string Kind => Name.Split(':')[0];
}

/// <summary>A kind of device that may or may not be there. <paramref name="Find"/> gives its backends, or says in one line why there are none.</summary>
public sealed record BackendSource(string Name, Func<(IReadOnlyList<BackendFactory> Found, string? WhyNone)> Find);
