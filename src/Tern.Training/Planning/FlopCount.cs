using Tern.Model;

namespace Tern.Training.Planning;

/// <summary>
/// Floating-point operations of a run, a multiply-add as two. Matrix products and attention are counted, nothing else. A backward pass
/// costs two forward passes where all weights are trained and one where only adapters are; blocks computed again cost one more, and so
/// does each text's first pass in chunks.
/// </summary>
/// <param name="Forward">One step's forward passes.</param>
/// <param name="Step">One step in all.</param>
/// <param name="Convention">6 · parameters without the embedding · tokens, as the field counts a step.</param>
public sealed record FlopCount(double Forward, double Step, double Convention)
{
    /// <summary>A step of so many queries and documents of these lengths; of all ranks and accumulated batches together.</summary>
    public static FlopCount Of(LlamaConfig config, RepresentationKind kind, TrainingOptions options, bool adaptersOnly, double queryLength, double documentLength)
    {
        double queries = (double)options.BatchSize * options.AccumulationCount;
        double documents = queries * (1 + options.NegativeCount);
        double forward = (queries * Sequence(config, kind, queryLength)) + (documents * Sequence(config, kind, documentLength));
        double passes = 1 + (adaptersOnly ? 1 : 2) + (options.RecomputeActivations ? 1 : 0) + (options.GradCacheChunk > 0 ? 1 : 0);
        return new FlopCount(forward, passes * forward, 6 * BlockParameters(config) * ((queries * queryLength) + (documents * documentLength)));
    }

    /// <summary>One text's forward pass.</summary>
    public static double Sequence(LlamaConfig config, RepresentationKind kind, double length)
    {
        double products = 2 * BlockParameters(config) * length;
        double attention = 4.0 * config.LayerCount * config.HeadCount * config.HeadSize * length * length;
        double head = kind == RepresentationKind.Sparse ? 2.0 * config.VocabularySize * config.HiddenSize * length : 0;
        return products + attention + head;
    }

    private static double BlockParameters(LlamaConfig config)
    {
        double queries = (double)config.HeadCount * config.HeadSize;
        double keys = (double)config.KeyValueHeadCount * config.HeadSize;
        return config.LayerCount * config.HiddenSize * ((2 * queries) + (2 * keys) + (3.0 * config.IntermediateSize));
    }
}
