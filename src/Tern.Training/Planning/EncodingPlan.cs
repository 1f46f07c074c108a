using Tern.Compute;
using Tern.Compute.Counting;
using Tern.Compute.Memory;
using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>What one batch of an encoder takes: bytes at most, and floating-point operations. Counted by walking the network over a backend that only counts.</summary>
public sealed record EncodingPlan(long ByteCount, double Flops, int TokenCount)
{
    /// <summary>A batch of documents as long as the contract allows, of at most so many tokens together.</summary>
    /// <param name="weights">Makes weights like the model's on a backend; they are the plan's to dispose.</param>
    public static EncodingPlan Of(Func<IBackend, LlamaWeights> weights, RetrieverContract contract, int maxBatchTokens, int threadCount = 1)
    {
        ArgumentNullException.ThrowIfNull(weights);
        int length = Math.Min(contract.MaxDocumentTokens, maxBatchTokens), count = Math.Max(1, maxBatchTokens / length);
        using PlanningBackend planning = new(threadCount);
        FlopCountingBackend counting = new(planning);
        using RetrieverNetwork network = new(counting, weights(counting), contract);
        network.Forward(new int[count * length], [.. Enumerable.Range(0, count + 1).Select(i => i * length)]);
        return new EncodingPlan(planning.TensorMemory.PeakByteCount + planning.LaidOutWeights.PeakByteCount + planning.Workspace.PeakByteCount, counting.Counts.Total, count * length);
    }
}
