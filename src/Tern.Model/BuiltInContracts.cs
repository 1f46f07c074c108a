namespace Tern.Model;

/// <summary>Contracts of published families, which their files do not hold, by the name that commands have for them.</summary>
public static class BuiltInContracts
{
    /// <summary>Names in the order of help texts; each makes the contract for a model of that shape.</summary>
    public static IReadOnlyDictionary<string, Func<LlamaConfig, RetrieverContract>> All { get; } = new OrderedDictionary<string, Func<LlamaConfig, RetrieverContract>>(StringComparer.Ordinal)
    {
        ["lion-sparse"] = config => RetrieverContract.Lion(RepresentationKind.Sparse, config),
        ["lion-dense"] = config => RetrieverContract.Lion(RepresentationKind.Dense, config),
        ["laconic"] = _ => RetrieverContract.Laconic(),
    };
}
