using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Tern;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Tern in a service collection.</summary>
public static class TernServiceCollectionExtensions
{
    /// <summary>
    /// Registers a model as singleton <see cref="RetrieverModel"/> with the generators over it
    /// (<c>IEmbeddingGenerator&lt;string, SparseEmbedding&gt;</c> or <c>&lt;string, Embedding&lt;float&gt;&gt;</c>; the one that does not
    /// suit the model's kind throws when asked for). It is loaded when first asked for; options are checked when the host starts.
    /// </summary>
    public static TernBuilder AddTern(this IServiceCollection services, Action<TernOptions>? configure = null) =>
        services.AddTern(Options.Options.DefaultName, configure);

    /// <summary>As above under a key, for a host of several models; the first model is also the one without a key.</summary>
    public static TernBuilder AddTern(this IServiceCollection services, string name, Action<TernOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(name);
        OptionsBuilder<TernOptions> options = services.AddOptions<TernOptions>(name).ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<TernOptions>, TernOptionsValidation>());
        bool isFirst = !services.Any(s => !s.IsKeyedService && s.ServiceType == typeof(RetrieverModel));
        services.AddKeyedSingleton(name, static (provider, key) => Load(provider, (string)key!));
        services.AddKeyedSingleton(name, static (provider, key) => provider.GetRequiredKeyedService<RetrieverModel>(key).AsSparseGenerator());
        services.AddKeyedSingleton(name, static (provider, key) => provider.GetRequiredKeyedService<RetrieverModel>(key).AsDenseGenerator());
        if (isFirst)
        {
            services.AddSingleton(provider => provider.GetRequiredKeyedService<RetrieverModel>(name));
            services.AddSingleton(provider => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, SparseEmbedding>>(name));
            services.AddSingleton(provider => provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>(name));
        }

        return new TernBuilder(services, name);
    }

    private static RetrieverModel Load(IServiceProvider provider, string name)
    {
        TernOptions options = provider.GetRequiredService<IOptionsMonitor<TernOptions>>().Get(name);
        return options.ModelDirectory.Length > 0
            ? RetrieverModel.Load(options.ModelDirectory, options.ToModelOptions())
            : throw new InvalidOperationException($"{nameof(TernOptions)}{(name.Length > 0 ? $" '{name}'" : "")}: {nameof(options.ModelDirectory)} is not set; name the directory of a model in AddTern");
    }
}
