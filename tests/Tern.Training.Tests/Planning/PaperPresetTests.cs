using Tern.Compute;
using Tern.Compute.Memory;
using Tern.Model;
using Tern.Training.Planning;
using Xunit;

namespace Tern.Training.Tests.Planning;

public sealed class PaperPresetTests
{
    /// <summary>The reference's table: effective batch, negatives, sparse steps, ramp in steps, seed.</summary>
    [Theory]
    [InlineData("1b", "cl", 112, 16, 33250, 11083, 45)]
    [InlineData("3b", "cl", 128, 16, 12600, 2100, 45)]
    [InlineData("8b", "cl+kd", 128, 16, 4200, 350, 45)]
    [InlineData("1b", "kd", 1024, 1, 29400, 9800, 2)]
    [InlineData("3b", "kd", 512, 1, 25200, 8400, 2)]
    [InlineData("8b", "kd", 512, 1, 8400, 1400, 2)]
    public void ValuesAreThoseOfTheReference(string size, string objective, int effectiveBatch, int negatives, int steps, int ramp, int seed)
    {
        foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
        {
            PaperPreset preset = PaperPreset.All[$"{size}-{kind.ToString().ToLowerInvariant()}-{objective}"];
            TrainingOptions options = preset.Options;
            options.Validate();
            Assert.Equal(effectiveBatch, options.BatchSize * options.AccumulationCount);
            Assert.Equal(negatives, options.NegativeCount);
            Assert.Equal((ulong)seed, options.Seed);
            Assert.Equal(1e-4f, options.LearningRate);
            if (kind == RepresentationKind.Sparse)
            {
                Assert.Equal((steps, ramp, 0.05f, 0.04f, 1f), (options.StepCount, options.FlopsRampSteps, options.QueryFlopsWeight, options.DocumentFlopsWeight, options.Temperature));
            }
            else
            {
                Assert.InRange(options.StepCount, 0.985 * steps, 1.01 * steps);
                Assert.Equal(0.01f, options.Temperature);
            }
        }
    }

    [Fact]
    public void ThereAre18AndTheirBackbonesHaveThePublishedSizes()
    {
        Assert.Equal(18, PaperPreset.All.Count);
        (string Size, long Adapter, long Weights)[] sizes = [("1b", 11_272_192, 1_235_814_400), ("3b", 24_313_856, 3_212_749_824), ("8b", 41_943_040, 8_030_261_248)];
        foreach ((string size, long adapter, long weights) in sizes)
        {
            PaperPreset preset = PaperPreset.All[$"{size}-dense-cl"];
            using PlanningBackend backend = new();
            using LlamaWeights blank = BlankWeights.Of(backend, preset.Config, hasTermBias: false, trainable: false, DType.BFloat16);
            Assert.Equal(weights, blank.ElementCount);
            if (size == "1b")
            {
                blank.AddAdapter(PaperPreset.Lora, "");
                Assert.Equal(adapter, blank.TrainableParameters.Sum(p => (long)p.Value.ElementCount));
            }
        }
    }

    /// <summary>By hand for the 1B: 2 · 973,078,528 weights of products a token, and 6 of them by convention.</summary>
    [Fact]
    public void OperationsAreCountedFromTheShapes()
    {
        PaperPreset preset = PaperPreset.All["1b-dense-cl"];
        const double weights = 16.0 * 2048 * ((2 * 2048) + (2 * 512) + (3 * 8192));
        Assert.Equal((2 * weights * 100) + (4.0 * 16 * 2048 * 100 * 100), FlopCount.Sequence(preset.Config, RepresentationKind.Dense, 100));
        FlopCount count = FlopCount.Of(preset.Config, RepresentationKind.Dense, preset.Options, adaptersOnly: true, 8, 80);
        Assert.Equal(6 * weights * ((112 * 8) + (112 * 17 * 80)), count.Convention, count.Convention * 1e-12);
        Assert.Equal(3 * count.Forward, count.Step);
    }
}
