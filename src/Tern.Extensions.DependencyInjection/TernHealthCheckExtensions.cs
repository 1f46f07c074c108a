using Microsoft.Extensions.Diagnostics.HealthChecks;
using Tern;

namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Tern among a host's health checks.</summary>
public static class TernHealthCheckExtensions
{
    /// <summary>Adds the self-test of the model that <c>AddTern</c> registered under <paramref name="name"/>.</summary>
    public static IHealthChecksBuilder AddTern(this IHealthChecksBuilder builder, string name = "", HealthStatus? failureStatus = null, IEnumerable<string>? tags = null) =>
        builder.Add(new HealthCheckRegistration(name.Length == 0 ? "tern" : $"tern-{name}", provider => new ModelHealthCheck(provider, name), failureStatus, tags));
}
