using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>
/// An adapter that is added to a model's projections while they run; the weights below stay as they are. Adapters lie one
/// above the other in the order in which they were added, and their addends add up. Belongs to its <see cref="LlamaWeights"/>.
/// </summary>
public sealed class LiveAdapter
{
    internal LiveAdapter(AdapterConfig config, string directory, IReadOnlyList<AdaptedProjection> projections, bool isTrainable)
    {
        Config = config;
        Directory = directory;
        Projections = projections;
        IsTrainable = isTrainable;
    }

    public AdapterConfig Config { get; }

    /// <summary>Where it was read from; empty for a new one.</summary>
    public string Directory { get; }

    public bool IsTrainable { get; }

    public IReadOnlyList<AdaptedProjection> Projections { get; }

    /// <summary>Elements of all A and B.</summary>
    public long ElementCount => Projections.Sum(p => (long)p.A.Value.ElementCount + p.B.Value.ElementCount);

    /// <summary>Every A and B, in the order in which they are saved.</summary>
    public IEnumerable<Parameter> Parameters => Projections.SelectMany(p => new[] { p.A, p.B });
}

/// <summary>One projection's addend Scale · drop(x) · Aᵀ · Bᵀ; A is [rank, in], B [out, rank], Float32.</summary>
public sealed class AdaptedProjection
{
    internal AdaptedProjection(Parameter weight, Parameter a, Parameter b, float scale, float dropoutRate, uint key)
    {
        Weight = weight;
        A = a;
        B = b;
        Scale = scale;
        DropoutRate = dropoutRate;
        Key = key;
    }

    /// <summary>The projection that it is added to.</summary>
    public Parameter Weight { get; }

    public Parameter A { get; }

    public Parameter B { get; }

    public float Scale { get; }

    /// <summary>In training; 0 for a frozen adapter.</summary>
    public float DropoutRate { get; }

    /// <summary>Sets its dropout mask apart from those of the other projections.</summary>
    internal uint Key { get; }

    public int Rank => A.Value.Rows;
}
