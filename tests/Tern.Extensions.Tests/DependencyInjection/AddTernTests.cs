using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Xunit;

namespace Tern.Extensions.Tests.DependencyInjection;

public sealed class AddTernTests(Models models) : IClassFixture<Models>
{
    [Fact]
    public async Task OneModelServesItsIndexAndItsGenerator()
    {
        ServiceProvider provider = Build(s => s.AddTern(o => o.ModelDirectory = models.Sparse).AddIndex("learned", models.SparseIndex).AddIndex("words", models.Words));
        await using (provider)
        {
            var model = provider.GetRequiredService<RetrieverModel>();
            var learned = provider.GetRequiredKeyedService<Retriever>("learned");
            Assert.Same(model, learned.Model);
            Assert.Same(learned, provider.GetRequiredService<Retriever>());
            Assert.Equal("golden-horse", provider.GetRequiredKeyedService<Retriever>("words").Search("golden horse", 1)[0].Id);
            Assert.Same(model, provider.GetRequiredService<IEmbeddingGenerator<string, SparseEmbedding>>().GetService<RetrieverModel>());
            Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>());
        }
    }

    [Fact]
    public async Task SeveralModelsAreToldApartByTheirKeys()
    {
        await using ServiceProvider provider = Build(s =>
        {
            s.AddTern("terms", o => o.ModelDirectory = models.Sparse).AddIndex("by-terms", models.SparseIndex);
            s.AddTern("vectors", o => (o.ModelDirectory, o.Threads) = (models.Dense, 1)).AddIndex("by-vectors", models.DenseIndex);
        });
        Assert.Equal(IndexKind.Sparse, provider.GetRequiredService<Retriever>().Description.Kind);
        Assert.Same(provider.GetRequiredKeyedService<RetrieverModel>("vectors"), provider.GetRequiredKeyedService<Retriever>("by-vectors").Model);
        Assert.Same(provider.GetRequiredKeyedService<RetrieverModel>("terms"), provider.GetRequiredService<RetrieverModel>());
        Assert.Single(await provider.GetRequiredKeyedService<IEmbeddingGenerator<string, Embedding<float>>>("vectors").GenerateAsync(["fox"]));
    }

    [Fact]
    public void AnIndexWithoutAModelOpensItsOwn()
    {
        using ServiceProvider provider = Build(s => s.AddTern().AddIndex("learned", models.SparseIndex));
        Assert.NotEmpty(provider.GetRequiredService<Retriever>().Search("golden horse", 3));
        Assert.Contains("ModelDirectory is not set", Assert.Throws<InvalidOperationException>(() => provider.GetRequiredService<RetrieverModel>()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnIndexOfAnotherModelIsRefused()
    {
        using ServiceProvider provider = Build(s => s.AddTern(o => o.ModelDirectory = models.Dense).AddIndex("learned", models.SparseIndex));
        Assert.Throws<InvalidDataException>(() => provider.GetRequiredService<Retriever>());
    }

    [Fact]
    public void WrongOptionsAreAllNamedWhenTheHostStarts()
    {
        using ServiceProvider provider = Build(s => s.AddTern("m", o =>
        {
            o.ModelDirectory = "no/such/place";
            o.Threads = -1;
            o.MaxBatchTokens = 0;
            o.MaxBatchTexts = 0;
            o.QueueCapacity = 0;
            o.MaxQueueDelay = TimeSpan.FromMilliseconds(-1);
        }));
        var e = Assert.Throws<OptionsValidationException>(() => provider.GetRequiredService<IStartupValidator>().Validate());
        Assert.Equal(6, e.Failures.Count());
        Assert.All(e.Failures, f => Assert.StartsWith("TernOptions 'm': ", f, StringComparison.Ordinal));
        Assert.Throws<OptionsValidationException>(() => provider.GetRequiredKeyedService<RetrieverModel>("m"));
    }

    [Fact]
    public async Task HealthIsThatTheGoldenVectorsComeOutAgain()
    {
        string damaged = Path.Combine(Path.GetDirectoryName(models.Sparse)!, "damaged");
        Directory.CreateDirectory(damaged);
        foreach (string file in Directory.GetFiles(models.Sparse))
        {
            string text = Path.GetFileName(file) == "retriever.json" ? File.ReadAllText(file).Replace("\"find: \"", "\"search: \"", StringComparison.Ordinal) : "";
            string target = Path.Combine(damaged, Path.GetFileName(file));
            if (text.Length > 0)
            {
                File.WriteAllText(target, text);
            }
            else
            {
                File.Copy(file, target, overwrite: true);
            }
        }

        await using ServiceProvider provider = Build(s =>
        {
            s.AddSingleton(typeof(ILogger<>), typeof(NullLogger<>));
            s.AddTern(o => o.ModelDirectory = models.Sparse);
            s.AddTern("damaged", o => o.ModelDirectory = damaged);
            s.AddHealthChecks().AddTern().AddTern("damaged", HealthStatus.Degraded);
        });
        HealthReport report = await provider.GetRequiredService<HealthCheckService>().CheckHealthAsync();
        Assert.Equal((HealthStatus.Healthy, "sparse reproduces its 2 golden vectors"), (report.Entries["tern"].Status, report.Entries["tern"].Description));
        Assert.Equal(HealthStatus.Degraded, report.Entries["tern-damaged"].Status);
        Assert.Contains("becomes the tokens", report.Entries["tern-damaged"].Description, StringComparison.Ordinal);
    }

    private static ServiceProvider Build(Action<IServiceCollection> add)
    {
        var services = new ServiceCollection();
        add(services);
        return services.BuildServiceProvider();
    }
}
