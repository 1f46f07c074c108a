using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Tern.Model;
using Xunit;

namespace Tern.Tests.Diagnostics;

public sealed class TelemetryTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    [Fact]
    public void EncodingIsReportedUnderTheStandardNames()
    {
        // The name of this test's model tells its measurements from those of tests beside it.
        using var model = RetrieverModel.Load(TinyModel.Write(_directory["telemetry-model"], RepresentationKind.Sparse));
        var measured = new ConcurrentBag<(string Name, double Value, string? TokenType)>();
        var activities = new ConcurrentBag<Activity>();
        using var meters = new MeterListener { InstrumentPublished = (instrument, listener) => { if (instrument.Meter.Name == Telemetry.Name) { listener.EnableMeasurementEvents(instrument); } } };
        meters.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        meters.SetMeasurementEventCallback<int>((instrument, value, tags, _) => Add(instrument, value, tags));
        meters.Start();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == Telemetry.Name,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activities.Add,
        };
        ActivitySource.AddActivityListener(listener);

        model.EncodeSparse(["golden horse", "fox"], RetrievalSide.Query);

        List<int> tokens = [];
        model.Tokenizer.Encode("golden horse", model.Contract.TokenizationFor(RetrievalSide.Query), tokens);
        model.Tokenizer.Encode("fox", model.Contract.TokenizationFor(RetrievalSide.Query), tokens);
        Assert.Equal((tokens.Count, "input"), measured.Where(m => m.Name == "gen_ai.client.token.usage").Select(m => ((int)m.Value, m.TokenType)).Single());
        Assert.True(measured.Single(m => m.Name == "gen_ai.client.operation.duration").Value > 0);
        Activity activity = activities.Single(a => (string?)a.GetTagItem("gen_ai.request.model") == "telemetry-model");
        Assert.Equal("embeddings telemetry-model", activity.OperationName);
        Assert.Equal((long)tokens.Count, activity.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal("tern", activity.GetTagItem("gen_ai.provider.name"));

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            string? type = null;
            bool isOurs = false;
            foreach ((string key, object? tag) in tags)
            {
                isOurs |= key == "gen_ai.request.model" && (string?)tag == "telemetry-model";
                type = key == "gen_ai.token.type" ? (string?)tag : type;
            }

            if (isOurs)
            {
                measured.Add((instrument.Name, value, type));
            }
        }
    }

    public void Dispose() => _directory.Dispose();
}
