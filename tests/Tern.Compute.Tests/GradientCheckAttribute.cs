namespace Tern.Compute.Tests;

/// <summary>Marks a static method (TestTensors, Action&lt;string&gt; report) as the check of a backward operation against central differences of its forward oracle.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class GradientCheckAttribute(string operation) : Attribute
{
    public string Operation { get; } = operation;
}
