using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;
using Tern.Model;

namespace Tern;

/// <summary>
/// Healthy while the model turns its golden texts into the tokens and vectors that its maker got: weights, tokenizer, contract and
/// arithmetic all as they should be. Each check encodes those texts, some milliseconds of work.
/// </summary>
internal sealed class ModelHealthCheck(IServiceProvider provider, string name) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            var model = provider.GetRequiredKeyedService<RetrieverModel>(name);
            SelfTestResult result = model.SelfTest();
            return Task.FromResult(result.VectorCount == 0
                ? HealthCheckResult.Degraded($"{model.Name} has no golden vectors to check against")
                : HealthCheckResult.Healthy($"{model.Name} reproduces its {result.VectorCount} golden vectors"));
        }
        catch (Exception e) when (e is InvalidDataException or IOException or InvalidOperationException or OptionsValidationException)
        {
            return Task.FromResult(new HealthCheckResult(context.Registration.FailureStatus, e.Message, e));
        }
    }
}
