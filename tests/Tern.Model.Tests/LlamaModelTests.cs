using System.Text.Json;
using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests;

/// <summary>The body against double precision: a checkpoint of our own, always, and two archives where they are.</summary>
public sealed class LlamaModelTests
{
    private const double Limit = 1e-5;

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void HiddenStatesAndLogitsOfTheGoldenCheckpoint(string backendName)
    {
        using IBackend backend = Backends.Create(backendName);
        using LlamaWeights weights = LlamaWeights.Load(backend, GoldenLlama.Directory);
        using var model = new LlamaModel(backend, weights);
        foreach ((string mode, bool causal) in new[] { ("bidirectional", false), ("causal", true) })
        {
            foreach (bool keep in new[] { false, true })
            {
                float[] hidden = backend.Download(model.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, causal, keep));
                Compare.Close(GoldenLlama.Values($"{mode}.hidden"), hidden, Limit, $"{mode} hidden states, keepForBackward {keep}");
            }

            float[] logits = backend.Download(model.Logits(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, causal));
            Compare.Close(GoldenLlama.Values($"{mode}.logits"), logits, Limit, $"{mode} logits");
        }
    }

    [SharedArchiveFact("stories260K.tgz")]
    public void Stories260KAgreesBothWays()
    {
        using var directory = new TemporaryDirectory();
        JsonElement expected = Archive.Extract("stories260K.tgz", directory.Path);
        using IBackend backend = Backends.Create();
        using LlamaWeights weights = LlamaWeights.Load(backend, Path.Combine(directory.Path, "stories260K", "hf"));
        using var model = new LlamaModel(backend, weights);
        int[] ids = Archive.Ints(expected, "ids");

        CompareRows(backend, model, ids, causal: true, expected.GetProperty("logits_rows"));
        CompareRows(backend, model, ids, causal: false, expected.GetProperty("bidir_logits_rows"));
        float[] causal = backend.Download(model.Forward(ids, [0, ids.Length], causal: true, keepForBackward: false));
        Compare.Close(Archive.Floats(expected.GetProperty("hidden_last")), causal.AsSpan(^64..), Limit, "last hidden state");
        CompareMean(backend, model, ids, expected);
    }

    [SharedArchiveFact("llama3-random-tiny.tgz")]
    public void Llama3RandomTinyAgreesBothWays()
    {
        using var directory = new TemporaryDirectory();
        JsonElement expected = Archive.Extract("llama3-random-tiny.tgz", directory.Path);
        using IBackend backend = Backends.Create();
        string checkpoint = Path.Combine(directory.Path, "llama3-random-tiny");
        int[] ids = Archive.Ints(expected, "ids");

        // Frozen: two shards, BFloat16 in mapped memory. Trainable: widened. The numbers are the same.
        foreach (bool trainable in new[] { false, true })
        {
            using LlamaWeights weights = LlamaWeights.Load(backend, checkpoint, trainable);
            using var model = new LlamaModel(backend, weights);
            Assert.Equal(trainable ? DType.Float32 : DType.BFloat16, weights.Layers[0].Query.Value.DType);
            CompareRows(backend, model, ids, causal: true, expected.GetProperty("logits_rows"));
            CompareRows(backend, model, ids, causal: false, expected.GetProperty("bidir_logits_rows"));
            CompareMean(backend, model, ids, expected);
        }

        new RetrieverContract { Kind = RepresentationKind.Sparse }.Save(checkpoint);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, checkpoint);
        Compare.Close(Archive.Floats(expected.GetProperty("splade_bidir")), backend.Download(network.Forward(ids, [0, ids.Length])), Limit, "sparse vector");
    }

    [Fact]
    public void ALaterTokenMovesEarlierStatesOnlyWhenNotCausal()
    {
        using IBackend backend = Backends.Create();
        using LlamaWeights weights = LlamaWeights.Load(backend, GoldenLlama.Directory);
        using var model = new LlamaModel(backend, weights);
        foreach (bool causal in new[] { false, true })
        {
            float[] one = backend.Download(model.Forward([1, 5, 9, 7], [0, 4], causal, false))[..32];
            float[] other = backend.Download(model.Forward([1, 5, 9, 8], [0, 4], causal, false))[..32];

            Assert.Equal(causal, one.AsSpan().SequenceEqual(other));
        }
    }

    [Fact]
    public void WrongBatchesAreRefused()
    {
        using IBackend backend = Backends.Create();
        using LlamaWeights weights = LlamaWeights.Load(backend, GoldenLlama.Directory, trainable: true);
        using var model = new LlamaModel(backend, weights);

        Assert.Contains("96", Assert.Throws<ArgumentException>(() => model.Forward([1, 96], [0, 2], false, false)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.Forward([1, -1], [0, 2], false, false));
        Assert.Throws<ArgumentException>(() => model.Forward([1, 2], [0, 3], false, false));
        Assert.Throws<ArgumentException>(() => model.Forward([1, 2], [1, 2], false, false));
        Assert.ThrowsAny<ArgumentException>(() => model.Forward([1, 2], [0, 2, 1, 2], false, false));
        Tensor hidden = model.Forward([1, 2], [0, 2], false, keepForBackward: false);
        Assert.Throws<InvalidOperationException>(() => model.Backward(hidden));
    }

    [Fact]
    public void AForwardPassHasOneBackwardPass()
    {
        using IBackend backend = Backends.Create();
        using LlamaWeights weights = LlamaWeights.Load(backend, GoldenLlama.Directory, trainable: true);
        using var model = new LlamaModel(backend, weights);
        Tensor hidden = model.Forward([1, 2], [0, 2], false, keepForBackward: true);

        model.Backward(hidden);

        Assert.Throws<InvalidOperationException>(() => model.Backward(hidden));
    }

    private static void CompareRows(IBackend backend, LlamaModel model, int[] ids, bool causal, JsonElement rows)
    {
        Tensor logits = model.Logits(ids, [0, ids.Length], causal);
        foreach (JsonProperty row in rows.EnumerateObject())
        {
            int index = int.Parse(row.Name, System.Globalization.CultureInfo.InvariantCulture);
            Compare.Close(Archive.Floats(row.Value), backend.Download(logits.SliceRows(index, 1)), Limit, $"{(causal ? "causal" : "bidirectional")} logits of row {index}");
        }
    }

    private static void CompareMean(IBackend backend, LlamaModel model, int[] ids, JsonElement expected)
    {
        Tensor hidden = model.Forward(ids, [0, ids.Length], causal: false, keepForBackward: false);
        float[] values = backend.Download(hidden);
        float[] mean = [.. Enumerable.Range(0, hidden.Columns).Select(c => (float)Enumerable.Range(0, hidden.Rows).Average(r => (double)values[(r * hidden.Columns) + c]))];
        Compare.Close(Archive.Floats(expected.GetProperty("bidir_hidden_mean")), mean, Limit, "bidirectional mean hidden state");
    }
}
