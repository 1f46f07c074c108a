namespace Tern.Training.Planning;

/// <summary>A GPU by its data sheet: dense bfloat16 products with Float32 sums, a second; and its memory in bytes.</summary>
public sealed record Accelerator(string Name, double PeakFlops, long MemoryByteCount)
{
    /// <summary>In the order of the help text.</summary>
    public static IReadOnlyList<Accelerator> All { get; } =
    [
        new("a100", 312e12, 80L << 30),
        new("h100", 989e12, 80L << 30),
        new("h200", 989e12, 140L << 30),
        new("b200", 2250e12, 179L << 30),
        new("l40s", 362e12, 45L << 30),
        new("rtx4090", 165e12, 24L << 30),
    ];

    public static Accelerator Find(string name) => All.FirstOrDefault(a => a.Name == name)
        ?? throw new ArgumentException($"no GPU '{name}'; there are {string.Join(", ", All.Select(a => a.Name))}", nameof(name));
}
