using System.Globalization;
using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Compute.Memory;
using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>
/// The memory that one rank's training will take, in bytes. Counted by walking the trainer itself over a backend that only counts,
/// through the run's first batches; the workspace of the operations is an estimate. The texts' tokens are not in it.
/// </summary>
/// <param name="Weights">Values of all weights, and of frozen ones the form in which they are multiplied with.</param>
/// <param name="Gradients">Of the weights that are trained.</param>
/// <param name="Optimizer">AdamW's moments, this rank's.</param>
/// <param name="Activations">Of the network, heads included: what a pass keeps, and its gradients.</param>
/// <param name="Batch">Of the loss: all representations of a batch and their gradients, scores.</param>
/// <param name="Workspace">Of operations; an estimate.</param>
/// <param name="GradCacheChunk">Sequences at a time; 0 for all.</param>
/// <param name="RecomputeActivations">Whether blocks are computed again.</param>
public sealed record MemoryPlan(long Weights, long Gradients, long Optimizer, long Activations, long Batch, long Workspace, int GradCacheChunk, bool RecomputeActivations)
{
    private const int WalkedSteps = 24;

    /// <summary>All of it.</summary>
    public long Total => Weights + Gradients + Optimizer + Activations + Batch + Workspace;

    /// <summary>The plan for a run as its options are.</summary>
    /// <param name="weights">Makes weights like the run's on a backend; they are the plan's to dispose.</param>
    public static MemoryPlan Of(Func<IBackend, LlamaWeights> weights, RetrieverContract contract, TrainingSet set, TrainingOptions options, int rankCount = 1, int threadCount = 1, DType activationType = DType.Float32)
    {
        using PlanningBackend forNetwork = new(threadCount, activationType: activationType);
        using PlanningBackend forTraining = new(threadCount, activationType: activationType);
        using RetrieverNetwork network = new(forNetwork, weights(forNetwork), contract);
        long weightBytes = network.Weights.Parameters.Concat(network.Weights.Adapters.SelectMany(a => a.Parameters)).Sum(p => Bytes(p.Value));
        long gradientBytes = network.Weights.TrainableParameters.Sum(p => Bytes(p.Gradient));
        using LoneRank rank = new(rankCount);
        using RetrieverTrainer trainer = new(forTraining, network, set, options with { CheckpointDirectory = null }, rank) { LooksAtVectors = false };
        for (int step = 1; step <= Math.Min(WalkedSteps, options.StepCount); step++)
        {
            trainer.Rehearse(step);
        }

        return new MemoryPlan(
            weightBytes + forNetwork.LaidOutWeights.PeakByteCount,
            gradientBytes,
            trainer.OptimizerByteCount,
            forNetwork.TensorMemory.PeakByteCount - weightBytes - gradientBytes,
            forTraining.TensorMemory.PeakByteCount - trainer.OptimizerByteCount,
            Math.Max(forNetwork.Workspace.PeakByteCount, forTraining.Workspace.PeakByteCount),
            options.GradCacheChunk,
            options.RecomputeActivations);
    }

    /// <summary>
    /// The options, with what it takes to stay within a limit: as they are if they fit; else with blocks computed again; else also in
    /// the largest chunks that fit.
    /// </summary>
    /// <exception cref="ArgumentException">Even one sequence at a time does not fit; says what it takes.</exception>
    public static (TrainingOptions Options, MemoryPlan Plan) Within(long limit, Func<IBackend, LlamaWeights> weights, RetrieverContract contract, TrainingSet set, TrainingOptions options, int rankCount = 1, int threadCount = 1, DType activationType = DType.Float32)
    {
        MemoryPlan plan = Plan(options);
        if (plan.Total > limit && !options.RecomputeActivations)
        {
            options = options with { RecomputeActivations = true };
            plan = Plan(options);
        }

        if (plan.Total <= limit)
        {
            return (options, plan);
        }

        MemoryPlan least = Plan(options with { GradCacheChunk = 1 });
        if (least.Total > limit)
        {
            throw new ArgumentException($"the run takes at least {Text(least.Total)} (weights {Text(least.Weights)}, gradients {Text(least.Gradients)}, optimiser {Text(least.Optimizer)}, one text's activations {Text(least.Activations)}, the batch's vectors {Text(least.Batch)}), more than the {Text(limit)} allowed; take a smaller model or batch, or more ranks with a sharded optimiser");
        }

        int low = 1;
        int high = options.BatchSize * (2 + options.NegativeCount) / rankCount;
        plan = least;
        while (low + 1 < high)
        {
            int middle = (low + high) / 2;
            MemoryPlan tried = Plan(options with { GradCacheChunk = middle });
            (low, high) = tried.Total <= limit ? (middle, high) : (low, middle);
            plan = tried.Total <= limit ? tried : plan;
        }

        return (options with { GradCacheChunk = low }, plan);

        MemoryPlan Plan(TrainingOptions tried) => Of(weights, contract, set, tried, rankCount, threadCount, activationType);
    }

    /// <summary>One line: the sum, the parts, and how the batch is divided.</summary>
    public override string ToString() =>
        $"memory plan: {Text(Total)}: weights {Text(Weights)}, gradients {Text(Gradients)}, optimiser {Text(Optimizer)}, activations {Text(Activations)}, batch {Text(Batch)}, workspace about {Text(Workspace)}; "
        + $"{(GradCacheChunk > 0 ? $"{GradCacheChunk} texts at a time" : "all texts of a batch at once")}{(RecomputeActivations ? ", blocks computed again" : "")}";

    /// <summary>Bytes in the largest binary unit of which there is one.</summary>
    public static string Text(long byteCount) => byteCount switch
    {
        >= 1L << 30 => ((double)byteCount / (1L << 30)).ToString("0.00", CultureInfo.InvariantCulture) + " GiB",
        >= 1L << 20 => ((double)byteCount / (1L << 20)).ToString("0.0", CultureInfo.InvariantCulture) + " MiB",
        _ => ((double)byteCount / (1L << 10)).ToString("0.0", CultureInfo.InvariantCulture) + " KiB",
    };

    private static long Bytes(Tensor tensor) => (long)tensor.ElementCount * tensor.DType.ByteSize();

    /// <summary>Rank 0 of several, alone: for what depends on how many there are.</summary>
    private sealed class LoneRank(int rankCount) : ICollective
    {
        public int Rank => 0;

        public int RankCount => rankCount;

        public string Transport => "none";

        public void AllReduce(Tensor values)
        {
        }

        public void ReduceScatter(Tensor values)
        {
        }

        public void AllGather(Tensor values)
        {
        }

        public void Broadcast(Tensor values, int root)
        {
        }

        public void Exchange(ReadOnlySpan<byte> own, Span<byte> all)
        {
            for (int rank = 0; rank < rankCount; rank++)
            {
                own.CopyTo(all[(rank * own.Length)..]);
            }
        }

        public void Abort(string reason)
        {
        }

        public void Dispose()
        {
        }
    }
}
