using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Tern;

/// <summary>Adds indexes to the model that <c>AddTern</c> registered.</summary>
public sealed class TernBuilder
{
    private readonly string _name;

    internal TernBuilder(IServiceCollection services, string name)
    {
        Services = services;
        _name = name;
    }

    public IServiceCollection Services { get; }

    /// <summary>
    /// Registers the index directory as a singleton <see cref="Retriever"/> with the key <paramref name="name"/>, opened when first
    /// asked for. A learned index shares this builder's model, or opens its own where the options name none; an index of another
    /// model is refused. The first index is also the <see cref="Retriever"/> that is asked for without a key.
    /// </summary>
    public TernBuilder AddIndex(string name, string directory)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ArgumentException.ThrowIfNullOrEmpty(directory);
        bool isFirst = !Services.Any(s => !s.IsKeyedService && s.ServiceType == typeof(Retriever));
        Services.AddKeyedSingleton(name, (provider, _) => Open(provider, directory));
        if (isFirst)
        {
            Services.AddSingleton(provider => provider.GetRequiredKeyedService<Retriever>(name));
        }

        return this;
    }

    private Retriever Open(IServiceProvider provider, string directory)
    {
        TernOptions options = provider.GetRequiredService<IOptionsMonitor<TernOptions>>().Get(_name);
        return options.ModelDirectory.Length > 0 && IndexDescription.Load(directory).Kind != IndexKind.Bm25
            ? Retriever.Open(directory, provider.GetRequiredKeyedService<RetrieverModel>(_name))
            : Retriever.Open(directory, new RetrieverOptions { Model = options.ToModelOptions(), Verify = options.VerifyIndexes });
    }
}
