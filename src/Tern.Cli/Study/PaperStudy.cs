using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary>The paper's own grid as a plan that is built in: what its 18 cells would take on given GPUs.</summary>
internal static class PaperStudy
{
    public const string Name = "paper";

    /// <summary>True for the built-in plan; a file of that name goes before it.</summary>
    public static bool IsNamed(string plan) => plan is Name or Name + ".json" && !File.Exists(plan);

    public static void Show(Terminal terminal, Accelerator accelerator, int gpuCount, double utilization)
    {
        var table = new ResultTable("cell", "steps", "batch", "negatives", "tokens", "FLOPs", "6ND", "a rank's memory", "texts at once", "hours");
        double hours = 0;
        foreach (PaperPreset preset in PaperPreset.All.Values)
        {
            PaperPlan plan = PaperPlan.Of(preset, gpuCount, accelerator.MemoryByteCount);
            double own = plan.Seconds(accelerator, utilization) / 3600;
            hours += own;
            table.Add(preset.Name, Invariant($"{preset.StepCount:#,0}"), Invariant($"{plan.EffectiveBatch:#,0}"), Invariant($"{preset.NegativeCount}"), Invariant($"{plan.TokenCount:0.00e+0}"), Invariant($"{plan.Flops:0.00e+0}"), Invariant($"{plan.Convention:0.00e+0}"), MemoryPlan.Text(plan.Memory.Total), plan.Memory.GradCacheChunk > 0 ? Invariant($"{plan.Memory.GradCacheChunk}") : "all", Invariant($"{own:0.0}"));
        }

        table.Write(terminal, "table");
        terminal.Out.WriteLine(Invariant($"{PaperPreset.All.Count} cells, {hours:0} hours on {gpuCount} {accelerator.Name} at {100 * utilization:0} % of {accelerator.PeakFlops / 1e12:0} TFLOP/s"));
        terminal.Out.WriteLine(Invariant($"tokens, FLOPs and hours at MS MARCO's mean lengths, {PaperPlan.MeanQueryLength} and {PaperPlan.MeanDocumentLength}; memory at {PaperPreset.QueryLength} and {PaperPreset.DocumentLength}, blocks computed again"));
        terminal.Out.WriteLine("FLOPs: what is executed, adapters trained and blocks computed again; 6ND: 6 · all parameters · tokens, by which the reference's cells come to an equal budget");
        terminal.Out.WriteLine("train a cell: tern train --preset NAME --model DIR --train FILE --corpus PATH --output DIR");
    }
}
