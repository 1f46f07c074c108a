using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

namespace Tern.Extensions.Tests;

/// <summary>The README's C#, compiled: what stands between the marks is what stands there, and <see cref="ReadmeTests"/> compares.</summary>
internal static class ReadmeSamples
{
    public static void Search()
    {
        // README
        using Retriever retriever = Retriever.Open("artifacts/demo/index/sparse");
        foreach (SearchResult found in retriever.Search("make a copy of part of an array", k: 10))
        {
            Console.WriteLine($"{found.Score:F2}  {found.Document?.Name}");
        }

        // end
    }

    public static async Task<SparseEmbedding> EmbedAsync(IServiceCollection services)
    {
        // README
        services.AddTern(o => o.ModelDirectory = "artifacts/demo/models/sparse").AddIndex("dotnet", "artifacts/demo/index/sparse");
        services.AddHealthChecks().AddTern();
        await using ServiceProvider provider = services.BuildServiceProvider();
        var generator = provider.GetRequiredService<IEmbeddingGenerator<string, SparseEmbedding>>();
        var asQuery = new RetrievalEmbeddingOptions { Side = RetrievalSide.Query };
        SparseEmbedding query = (await generator.GenerateAsync(["copy part of an array"], asQuery))[0];

        // end
        return query;
    }
}
