using Tern.Model;
using Tern.Training.Planning;
using Xunit;

namespace Tern.Training.Tests.Planning;

public sealed class PaperPlanTests
{
    /// <summary>The budgets that follow from the reference's scripts: 6 · parameters · tokens at 8 and 80 tokens a text.</summary>
    [Theory]
    [InlineData("1b", "cl", 5.10e9, 3.78e19)]
    [InlineData("3b", "cl", 2.19e9, 4.21e19)]
    [InlineData("8b", "cl", 7.29e8, 3.51e19)]
    [InlineData("1b", "kd", 5.01e9, 3.72e19)]
    [InlineData("3b", "kd", 2.15e9, 4.14e19)]
    [InlineData("8b", "kd", 7.16e8, 3.45e19)]
    public void BudgetsAreThoseOfTheReferencesScripts(string size, string objective, double tokens, double budget)
    {
        PaperPreset preset = PaperPreset.All[$"{size}-sparse-{objective}"];
        PaperPlan plan = new(preset, 1, Memory, 4);

        // The scripts' steps are epochs rounded to a few.
        Assert.InRange(plan.TokenCount / tokens, 0.985, 1.015);
        Assert.InRange(plan.Convention / budget, 0.985, 1.015);
        Assert.InRange(new PaperPlan(PaperPreset.All[$"{size}-dense-{objective}"], 1, Memory, 4).Convention / budget, 0.985, 1.015);
    }

    /// <summary>
    /// Only adapters are trained and blocks are computed again: 2ND forward, 2 backward, and 2 again but for the last product of each
    /// block, whose output nobody needs, by the blocks' parameters; attention and adapters on top, which are small at these lengths.
    /// </summary>
    [Theory]
    [InlineData("1b-dense-cl", 4)]
    [InlineData("8b-dense-kd", 4)]
    public void WhatIsExecutedIsAlmostSixOperationsAWeightAndToken(string name, int ranks)
    {
        PaperPreset preset = PaperPreset.All[name];
        PaperPlan plan = PaperPlan.Of(preset, ranks, Accelerator.Find("a100").MemoryByteCount);
        LlamaConfig c = preset.Config;
        double blocks = (double)c.LayerCount * c.HiddenSize * ((2.0 * c.HeadCount * c.HeadSize) + (2.0 * c.KeyValueHeadCount * c.HeadSize) + (3.0 * c.IntermediateSize));
        double down = (double)c.LayerCount * c.HiddenSize * c.IntermediateSize;
        Assert.InRange(plan.Flops / (((6 * blocks) - (2 * down)) * plan.TokenCount), 1.0, 1.03);
        Assert.InRange(plan.Memory.Total, plan.Memory.Weights, Accelerator.Find("a100").MemoryByteCount);
        Assert.Equal(plan.Flops / (4 * 312e12 * 0.5), plan.Seconds(Accelerator.Find("a100"), 0.5), 1e-6 * plan.Flops / 1e15);
    }

    [Fact]
    public void AnUnknownGpuIsNamed() => Assert.Contains("there are a100, h100", Assert.Throws<ArgumentException>(() => Accelerator.Find("h10")).Message, StringComparison.Ordinal);

    private static MemoryPlan Memory => new(0, 0, 0, 0, 0, 0, 0, true);
}
