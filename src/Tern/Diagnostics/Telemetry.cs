using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Tern;

/// <summary>
/// What Tern tells an OpenTelemetry host: activities and metrics of the source and meter <see cref="Name"/>, under the names
/// of the generative AI conventions where these have one. While nobody listens it costs a check of a field.
/// </summary>
public static class Telemetry
{
    /// <summary>Of the <see cref="ActivitySource"/> and of the <see cref="Meter"/>.</summary>
    public const string Name = "Tern";

    private static readonly ActivitySource Source = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Histogram<double> OperationDuration = Meter.CreateHistogram<double>(
        "gen_ai.client.operation.duration", "s", "Time from text to vectors, waiting included", advice: new() { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 25] });

    private static readonly Histogram<int> TokenUsage = Meter.CreateHistogram<int>(
        "gen_ai.client.token.usage", "{token}", "Tokens of one call", advice: new() { HistogramBucketBoundaries = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576] });

    private static readonly Histogram<double> QueueDuration = Meter.CreateHistogram<double>(
        "tern.encode.queue.duration", "s", "Time that a text waited for its batch", advice: new() { HistogramBucketBoundaries = [0.00001, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1] });

    private static readonly Histogram<int> BatchTexts = Meter.CreateHistogram<int>(
        "tern.encode.batch.texts", "{text}", "Texts that went through the network together", advice: new() { HistogramBucketBoundaries = [1, 2, 4, 8, 16, 32, 64, 128, 256] });

    private static readonly Histogram<int> BatchTokens = Meter.CreateHistogram<int>(
        "tern.encode.batch.tokens", "{token}", "Tokens that went through the network together", advice: new() { HistogramBucketBoundaries = [4, 16, 64, 256, 1024, 4096, 16384] });

    private static readonly Histogram<double> SearchDuration = Meter.CreateHistogram<double>(
        "tern.search.duration", "s", "Time to find the best documents of one query, encoding not counted", advice: new() { HistogramBucketBoundaries = [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5] });

    /// <summary>Begins an encoding of <paramref name="model"/>; <see cref="EncodeScope.End"/> it with its tokens.</summary>
    internal static EncodeScope BeginEncode(string model)
    {
        Activity? activity = Source.HasListeners() ? Source.StartActivity($"embeddings {model}", ActivityKind.Internal) : null;
        activity?.SetTag("gen_ai.operation.name", "embeddings").SetTag("gen_ai.provider.name", "tern").SetTag("gen_ai.request.model", model);
        return new EncodeScope(activity, OperationDuration.Enabled || TokenUsage.Enabled ? Stopwatch.GetTimestamp() : 0, model);
    }

    internal static void RecordQueueTime(long queued, long taken)
    {
        if (QueueDuration.Enabled)
        {
            QueueDuration.Record(Stopwatch.GetElapsedTime(queued, taken).TotalSeconds);
        }
    }

    internal static void RecordBatch(int texts, int tokens)
    {
        if (BatchTexts.Enabled || BatchTokens.Enabled)
        {
            BatchTexts.Record(texts);
            BatchTokens.Record(tokens);
        }
    }

    /// <summary>0 when nobody listens.</summary>
    internal static long BeginSearch() => SearchDuration.Enabled ? Stopwatch.GetTimestamp() : 0;

    internal static void EndSearch(long begun, IndexKind kind)
    {
        if (begun != 0)
        {
            SearchDuration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, new KeyValuePair<string, object?>("tern.index.kind", kind switch
            {
                IndexKind.Sparse => "sparse",
                IndexKind.Dense => "dense",
                _ => "bm25",
            }));
        }
    }

    /// <summary>One encoding that is being watched, or not.</summary>
    internal readonly struct EncodeScope(Activity? activity, long begun, string model)
    {
        public void End(long tokenCount)
        {
            activity?.SetTag("gen_ai.usage.input_tokens", tokenCount);
            activity?.Dispose();
            if (begun != 0)
            {
                Record(tokenCount, null);
            }
        }

        public void Fail(Exception exception)
        {
            activity?.SetStatus(ActivityStatusCode.Error, exception.Message);
            activity?.SetTag("error.type", exception.GetType().FullName);
            activity?.Dispose();
            if (begun != 0)
            {
                Record(0, exception);
            }
        }

        private void Record(long tokenCount, Exception? exception)
        {
            var tags = new TagList
            {
                { "gen_ai.operation.name", "embeddings" },
                { "gen_ai.provider.name", "tern" },
                { "gen_ai.request.model", model },
            };
            if (exception == null)
            {
                TagList ofTokens = tags;
                ofTokens.Add("gen_ai.token.type", "input");
                TokenUsage.Record((int)Math.Min(tokenCount, int.MaxValue), ofTokens);
            }
            else
            {
                tags.Add("error.type", exception.GetType().FullName);
            }

            OperationDuration.Record(Stopwatch.GetElapsedTime(begun).TotalSeconds, tags);
        }
    }
}
