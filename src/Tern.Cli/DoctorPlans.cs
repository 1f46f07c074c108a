using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Training;
using Tern.Training.Planning;

namespace Tern.Cli;

/// <summary>What a model takes here, in memory and time, before it is asked to do anything: encoding, and training an adapter or all weights.</summary>
internal static class DoctorPlans
{
    private const int BatchSize = 32;

    /// <param name="stored">How the weights are stored.</param>
    /// <param name="rate">Of this machine's products, operations a second.</param>
    public static void Write(Terminal terminal, AdapterStack stack, RetrieverContract contract, ModelOptions options, DType stored, double rate)
    {
        LlamaConfig config = LlamaConfig.Load(stack.BaseDirectory);
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        int threads = options.Threads > 0 ? options.Threads : Environment.ProcessorCount;
        EncodingPlan encoding = EncodingPlan.Of(b => Weights(b, trainable: false, adapter: false), contract, options.MaxBatchTokens, threads);
        terminal.Out.WriteLine(Invariant($"to encode: {MemoryPlan.Text(encoding.ByteCount)} with {encoding.TokenCount:N0} tokens at once, {encoding.TokenCount * rate / encoding.Flops:0} tokens/s at most{Fits(encoding.ByteCount)}"));
        var training = new TrainingOptions { StepCount = 1, BatchSize = BatchSize, QueryFlopsWeight = 0, DocumentFlopsWeight = 0 };
        TrainingSet texts = LongestTexts.Of(BatchSize, 0, contract.MaxQueryTokens, contract.MaxDocumentTokens, "the longest texts");
        foreach ((string what, bool adapter) in new[] { (Invariant($"an adapter of rank {new LoraSettings().Rank}"), true), ("all weights", false) })
        {
            Func<IBackend, LlamaWeights> weights = b => Weights(b, !adapter, adapter);
            string head = Invariant($"to train {what}, {BatchSize} pairs a step");
            try
            {
                // As it is if that fits; else with what makes it fit.
                (TrainingOptions fitting, MemoryPlan plan) = MemoryPlan.Within(memory, weights, contract, texts, training, threadCount: threads);
                double flops = FlopPlan.Count(weights, contract, texts, fitting, 1, 1);
                terminal.Out.WriteLine($"{head}: {plan}; {TimePlan.Text(flops / rate)} a step at least");
            }
            catch (ArgumentException e)
            {
                terminal.Out.WriteLine($"{head}: too large for this machine: {e.Message}");
            }
        }

        string Fits(long bytes) => bytes <= memory ? "" : Invariant($"; this machine has {MemoryPlan.Text(memory)}: give --batch-tokens");

        LlamaWeights Weights(IBackend backend, bool trainable, bool adapter)
        {
            LlamaWeights weights = BlankWeights.Of(backend, config, contract.HasTermBias, trainable, stored);
            if (adapter)
            {
                weights.AddAdapter(new LoraSettings(), "");
            }

            return weights;
        }
    }
}
