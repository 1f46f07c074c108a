using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Model.Tests;

public sealed class RetrieverNetworkTests
{
    private const double Limit = 1e-5;

    public static TheoryData<string, RepresentationKind, bool> BackendsHeadsAndMasks
    {
        get
        {
            var data = new TheoryData<string, RepresentationKind, bool>();
            foreach (BackendFactory backend in Backends.Available)
            {
                foreach (RepresentationKind kind in Enum.GetValues<RepresentationKind>())
                {
                    data.Add(backend.Name, kind, false);
                    data.Add(backend.Name, kind, true);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(BackendsHeadsAndMasks))]
    public void RepresentationsOfTheGoldenCheckpoint(string backendName, RepresentationKind kind, bool causal)
    {
        using IBackend backend = Backends.Create(backendName);
        using RetrieverNetwork network = Golden(backend, kind, causal);
        foreach (bool keep in new[] { false, true })
        {
            Tensor representations = network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, keep);

            Assert.Equal((4, network.Dimension), (representations.Rows, representations.Columns));
            string name = kind == RepresentationKind.Sparse ? "sparse" : "dense";
            Compare.Close(GoldenLlama.Values($"{(causal ? "causal" : "bidirectional")}.{name}"), backend.Download(representations), Limit, $"{name}, causal {causal}, keepForBackward {keep}");
        }
    }

    /// <summary>Gradients of all weights, of the sparse head over bidirectional and of the dense head over causal attention.</summary>
    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void SparseGradientsOfTheGoldenCheckpoint(string backendName) => CheckGradients(backendName, RepresentationKind.Sparse, causal: false);

    [Theory]
    [MemberData(nameof(TestBackends.All), MemberType = typeof(TestBackends))]
    public void DenseGradientsOfTheGoldenCheckpoint(string backendName) => CheckGradients(backendName, RepresentationKind.Dense, causal: true);

    /// <summary>The same weights with the output projection apart: its gradient and the embedding's are the two shares of the tied one.</summary>
    [Fact]
    public void AnUntiedOutputProjectionTakesItsShareOfTheGradient()
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        using RetrieverNetwork tied = Golden(backend, RepresentationKind.Sparse, causal: false);
        using LlamaWeights weights = LlamaWeights.Random(backend, tied.Weights.Config with { TieWordEmbeddings = false }, new LlamaInitialization { TermBias = 0 }, trainable: true);
        foreach (Parameter parameter in weights.Parameters)
        {
            string source = parameter.Name == "lm_head.weight" ? "model.embed_tokens.weight" : parameter.Name;
            backend.Copy(tied.Weights.Parameters.Single(p => p.Name == source).Value, parameter.Value);
        }

        using var network = new RetrieverNetwork(backend, weights, tied.Contract);
        Backward(network, GoldenLlama.Values("sparse_coefficients"));

        float[] head = GoldenLlama.Values("sparse_gradient.head_share");
        float[] sum = GoldenLlama.Values("sparse_gradient.model.embed_tokens.weight");
        Compare.Close(head, backend.Download(weights.OutputProjection.Gradient), Limit, "output projection");
        Compare.Close([.. sum.Zip(head, (s, h) => s - h)], backend.Download(weights.Embedding.Gradient), Limit, "embedding");
    }

    /// <summary>
    /// A second look that needs no other implementation: the derivative along a random direction against the central
    /// difference of the forward pass. Float32 leaves about three digits. Entries of the sparse head whose maximum moves to
    /// another token or across zero between the two points have no difference quotient and are left out on both sides.
    /// </summary>
    [Theory]
    [InlineData(RepresentationKind.Sparse, true)]
    [InlineData(RepresentationKind.Sparse, false)]
    [InlineData(RepresentationKind.Dense, true)]
    [InlineData(RepresentationKind.Dense, false)]
    public void DirectionalDerivativesAgreeWithCentralDifferences(RepresentationKind kind, bool causal)
    {
        const double Step = 1e-3;
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, kind, causal, trainable: true);
        float[] coefficients = GoldenLlama.Values(kind == RepresentationKind.Sparse ? "sparse_coefficients" : "dense_coefficients");

        foreach (Parameter parameter in network.Weights.Parameters.Where(p => kind == RepresentationKind.Sparse || p.Name != "sparse_head.bias"))
        {
            // Half gradient, half noise: a direction along which the loss moves by more than rounding.
            Backward(network, coefficients);
            float[] gradient = backend.Download(parameter.Gradient);
            float[] noise = new float[gradient.Length];
            new NormalSource(7, parameter.Name).Fill(1f, noise);
            double gradientNorm = Norm(gradient);
            double noiseNorm = Norm(noise);
            double[] direction = [.. gradient.Zip(noise, (g, r) => (g / gradientNorm) + (0.5 * r / noiseNorm))];

            float[] start = backend.Download(parameter.Value);
            (float[] Values, int[] Branches) above = Forward(+Step);
            (float[] Values, int[] Branches) below = Forward(-Step);
            backend.Upload<float>(start, parameter.Value);
            float[] smooth = [.. coefficients.Select((c, i) => above.Branches[i] == below.Branches[i] ? c : 0f)];
            Assert.InRange(smooth.Count(c => c != 0), 0.9 * smooth.Length, smooth.Length);
            double difference = smooth.Select((c, i) => c * ((double)above.Values[i] - below.Values[i])).Sum() / (2 * Step);

            Backward(network, smooth);
            double analytic = backend.Download(parameter.Gradient).Zip(direction, (g, d) => g * d).Sum();
            Assert.True(Math.Abs(difference - analytic) <= 5e-3 * Math.Abs(analytic), FormattableString.Invariant($"{parameter.Name}: {analytic:g6} along the direction, but the difference is {difference:g6}"));

            (float[] Values, int[] Branches) Forward(double step)
            {
                backend.Upload<float>([.. start.Zip(direction, (s, d) => (float)(s + (step * d)))], parameter.Value);
                float[] values = backend.Download(network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts));
                int[] branches = new int[values.Length];
                if (kind == RepresentationKind.Sparse)
                {
                    backend.Download<int>(network.ArgMax, branches);
                    branches = [.. branches.Zip(values, (row, value) => value > 0 ? row : -1)];
                }

                return (values, branches);
            }
        }

        static double Norm(float[] values) => Math.Sqrt(values.Sum(v => (double)v * v));
    }

    public static TheoryData<ProductPrecision, RepresentationKind> PrecisionsAndHeads()
    {
        var data = new TheoryData<ProductPrecision, RepresentationKind>();
        foreach (ProductPrecision precision in ProductPrecisions.Available)
        {
            data.Add(precision, RepresentationKind.Sparse);
            data.Add(precision, RepresentationKind.Dense);
        }

        return data;
    }

    /// <summary>Frozen weights are laid out once, trainable ones are not: no difference, Int8 excepted, whose training is Float32.</summary>
    [Theory]
    [MemberData(nameof(PrecisionsAndHeads))]
    public void InEveryPrecisionATextHasTheSameBitsAloneAndFrozen(ProductPrecision precision, RepresentationKind kind)
    {
        using IBackend backend = Backends.Create("cpu", 2, precision);
        using RetrieverNetwork network = Golden(backend, kind, causal: false);
        float[] batch = backend.Download(network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts));
        for (int b = 0; b + 1 < GoldenLlama.SequenceStarts.Length; b++)
        {
            int[] tokens = GoldenLlama.Tokens[GoldenLlama.SequenceStarts[b]..GoldenLlama.SequenceStarts[b + 1]];
            Assert.Equal(batch[(b * network.Dimension)..((b + 1) * network.Dimension)], backend.Download(network.Forward(tokens, [0, tokens.Length])));
        }

        if (precision != ProductPrecision.Int8)
        {
            using RetrieverNetwork trainable = Golden(backend, kind, causal: false, trainable: true);
            Assert.Equal(batch, backend.Download(trainable.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, keepForBackward: true)));
        }

        float[] expected = GoldenLlama.Values($"bidirectional.{(kind == RepresentationKind.Sparse ? "sparse" : "dense")}");
        double largest = expected.Max(Math.Abs);
        double deviation = expected.Zip(batch, (e, a) => Math.Abs((double)e - a)).Max() / largest;
        Assert.InRange(deviation, precision == ProductPrecision.Float32 ? 0 : 1e-6, GoldenVectors.ToleranceOf(precision));
    }

    [Fact]
    public void GradientsAccumulateUntilTheyAreZeroed()
    {
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, RepresentationKind.Sparse, causal: false, trainable: true);
        float[] coefficients = GoldenLlama.Values("sparse_coefficients");
        Backward(network, coefficients);
        Dictionary<string, float[]> once = network.Weights.Parameters.ToDictionary(p => p.Name, p => backend.Download(p.Gradient));

        Backward(network, coefficients, accumulate: true);
        Assert.All(network.Weights.Parameters, p => Compare.Close([.. once[p.Name].Select(g => 2 * g)], backend.Download(p.Gradient), 1e-5, p.Name));

        Backward(network, coefficients);
        Assert.All(network.Weights.Parameters, p => Assert.Equal(once[p.Name], backend.Download(p.Gradient)));
    }

    [Fact]
    public void AFrozenNetworkGoesBackwardWithoutGradients()
    {
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, RepresentationKind.Sparse, causal: false);

        Backward(network, GoldenLlama.Values("sparse_coefficients"));

        Assert.All(network.Weights.Parameters, p => Assert.True(p.Gradient.IsEmpty));
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void TheSteadyStateAllocatesNothing(RepresentationKind kind)
    {
        using IBackend backend = Backends.Create("cpu", 2);
        using RetrieverNetwork network = Golden(backend, kind, causal: false, trainable: true);
        using TensorMemory memory = backend.Allocate(DType.Float32);
        for (int i = 0; i < 3; i++)
        {
            Step();
        }

        Assert.Equal(0, Allocations.Fewest(Step));

        void Step()
        {
            network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, keepForBackward: true);
            Tensor dRepresentations = memory.Shape(4, network.Dimension);
            backend.Fill(1f, dRepresentations);
            network.Backward(dRepresentations);
        }
    }

    /// <summary>A text's vector has the same bits alone, in any batch, in any order, and on one thread or two.</summary>
    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void RepresentationsDoNotDependOnTheBatch(RepresentationKind kind)
    {
        var config = new LlamaConfig { HiddenSize = 48, IntermediateSize = 112, LayerCount = 2, HeadCount = 6, KeyValueHeadCount = 2, HeadSize = 8, VocabularySize = 777, TieWordEmbeddings = true };
        var random = new Random(5);
        int[][] texts = [.. Enumerable.Range(0, 23).Select(i => Enumerable.Range(0, i == 7 ? 150 : 1 + random.Next(40)).Select(_ => random.Next(777)).ToArray())];
        float[][] alone = Encode(1, texts.Select(t => new[] { t }));

        int[] order = [.. Enumerable.Range(0, texts.Length)];
        foreach (int threads in new[] { 1, 2 })
        {
            Equal(order, Encode(threads, texts.Select(t => new[] { t })));
            Equal(order, Encode(threads, [texts]));
            int[] shuffled = [.. order];
            random.Shuffle(shuffled);
            Equal(shuffled, Encode(threads, shuffled.Select(i => texts[i]).Chunk(6)));
        }

        void Equal(int[] indices, float[][] vectors)
        {
            for (int i = 0; i < indices.Length; i++)
            {
                Assert.True(alone[indices[i]].AsSpan().SequenceEqual(vectors[i]), $"text {indices[i]} has other bits in a batch");
            }
        }

        float[][] Encode(int threads, IEnumerable<int[][]> batches)
        {
            using IBackend backend = Backends.Create("cpu", threads);
            LlamaWeights weights = LlamaWeights.Random(backend, config, new LlamaInitialization { EmbeddingStandardDeviation = 0.3f, ProjectionStandardDeviation = 0.3f }, trainable: false);
            using var network = new RetrieverNetwork(backend, weights, RetrieverContract.Lion(kind, config));
            var vectors = new List<float[]>();
            foreach (int[][] batch in batches)
            {
                int[] starts = new int[batch.Length + 1];
                for (int b = 0; b < batch.Length; b++)
                {
                    starts[b + 1] = starts[b] + batch[b].Length;
                }

                vectors.AddRange(backend.Download(network.Forward([.. batch.SelectMany(t => t)], starts)).Chunk(network.Dimension));
            }

            return [.. vectors];
        }
    }

    [Fact]
    public void ArgMaxIsTheTokenOfEachMaximum()
    {
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, RepresentationKind.Sparse, causal: false);
        network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts);
        int[] argMax = new int[network.ArgMax.ElementCount];
        backend.Download<int>(network.ArgMax, argMax);
        float[] logits = GoldenLlama.Values("bidirectional.logits");

        for (int b = 0; b < 4; b++)
        {
            for (int v = 0; v < 96; v++)
            {
                int expected = Enumerable.Range(GoldenLlama.SequenceStarts[b], GoldenLlama.SequenceStarts[b + 1] - GoldenLlama.SequenceStarts[b]).MaxBy(t => logits[(t * 96) + v]);
                Assert.Equal(expected, argMax[(b * 96) + v]);
            }
        }
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void EmptySequencesGiveZeros(RepresentationKind kind)
    {
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, kind, causal: false, trainable: true);

        float[] mixed = backend.Download(network.Forward([1, 5, 6], [0, 0, 3, 3], keepForBackward: true));
        network.Backward(network.Forward([1, 5, 6], [0, 0, 3, 3], keepForBackward: true));
        float[] none = backend.Download(network.Forward([], [0, 0, 0]));

        Assert.All(mixed[..network.Dimension].Concat(mixed[^network.Dimension..]), v => Assert.Equal(0f, v));
        Assert.Contains(mixed, v => v != 0);
        Assert.Equal(2 * network.Dimension, none.Length);
        Assert.All(none, v => Assert.Equal(0f, v));
        Assert.All(network.Weights.Parameters, p => Assert.All(backend.Download(p.Gradient), g => Assert.True(float.IsFinite(g))));
    }

    [Fact]
    public void BypassedBlocksLeaveEmbeddingNormAndHead()
    {
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, RepresentationKind.Sparse, causal: false, trainable: true);
        network.BypassBlocks = true;
        float[] bypassed = backend.Download(network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, keepForBackward: true));
        network.Backward(network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, keepForBackward: true));

        float[] embedding = backend.Download(network.Weights.Embedding.Value);
        float[] norm = backend.Download(network.Weights.FinalNorm.Value);
        float[] bias = backend.Download(network.Weights.TermBias.Value);
        float[] expected = new float[4 * 96];
        for (int b = 0; b < 4; b++)
        {
            for (int v = 0; v < 96; v++)
            {
                double maximum = double.NegativeInfinity;
                foreach (int token in GoldenLlama.Tokens.AsSpan(GoldenLlama.SequenceStarts[b]..GoldenLlama.SequenceStarts[b + 1]))
                {
                    ReadOnlySpan<float> row = embedding.AsSpan(token * 32, 32);
                    double squares = 0;
                    double dot = 0;
                    for (int h = 0; h < 32; h++)
                    {
                        squares += (double)row[h] * row[h];
                        dot += (double)row[h] * norm[h] * embedding[(v * 32) + h];
                    }

                    maximum = Math.Max(maximum, dot / Math.Sqrt((squares / 32) + 1e-5));
                }

                expected[(b * 96) + v] = (float)Math.Log(1 + Math.Max(0, (maximum * Math.Pow(32, -0.25)) + bias[v]));
            }
        }

        Compare.Close(expected, bypassed, Limit, "lexical path");
        Assert.All(backend.Download(network.Weights.Layers[0].Gate.Gradient), g => Assert.Equal(0f, g));
        Assert.Contains(backend.Download(network.Weights.Embedding.Gradient), g => g != 0);
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void ASavedNetworkReadsBackWithTheSameVectors(RepresentationKind kind)
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();
        using RetrieverNetwork network = Golden(backend, kind, causal: true, trainable: true);
        float[] expected = backend.Download(network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts));

        network.Save(directory.Path);

        using RetrieverNetwork read = RetrieverNetwork.Load(backend, directory.Path);
        Assert.Equal(expected, backend.Download(read.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts)));
        Assert.Equal(network.Contract with { Golden = read.Contract.Golden }, read.Contract);
        Assert.Equal(read.Weights.Fingerprint(), read.Contract.Fingerprint);
        Assert.Equal(["config.json", "model.safetensors", "retriever.json"], Directory.GetFiles(directory.Path).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void ContractAndWeightsMustAgreeAboutTheTermBias()
    {
        using var directory = new TemporaryDirectory();
        directory.CopyFrom(GoldenLlama.Directory);
        new RetrieverContract { Kind = RepresentationKind.Sparse }.Save(directory.Path);
        using IBackend backend = Backends.Create();

        InvalidDataException e = Assert.Throws<InvalidDataException>(() => RetrieverNetwork.Load(backend, directory.Path));

        Assert.Contains("retriever.json", e.Message, StringComparison.Ordinal);
        Assert.Contains("sparse_head.bias", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AMissingDirectoryIsNamed()
    {
        using var directory = new TemporaryDirectory();
        using IBackend backend = Backends.Create();

        Assert.Contains(directory.File("absent"), Assert.Throws<DirectoryNotFoundException>(() => RetrieverNetwork.Load(backend, directory.File("absent"))).Message, StringComparison.Ordinal);
    }

    private static RetrieverNetwork Golden(IBackend backend, RepresentationKind kind, bool causal, bool trainable = false)
    {
        RetrieverContract contract = RetrieverContract.Load(GoldenLlama.Directory) with { Kind = kind, Causal = causal };
        return new RetrieverNetwork(backend, LlamaWeights.Load(backend, GoldenLlama.Directory, trainable), contract);
    }

    /// <summary>Forward and backward of the sum of coefficients times representations, from zero gradients.</summary>
    private static void Backward(RetrieverNetwork network, float[] coefficients, bool accumulate = false)
    {
        if (!accumulate)
        {
            network.Weights.ZeroGradients();
        }

        network.Forward(GoldenLlama.Tokens, GoldenLlama.SequenceStarts, keepForBackward: true);
        using TensorMemory memory = network.Backend.Allocate(DType.Float32, coefficients.Length);
        Tensor dRepresentations = memory.Shape(4, network.Dimension);
        network.Backend.Upload<float>(coefficients, dRepresentations);
        network.Backward(dRepresentations);
    }

    private static void CheckGradients(string backendName, RepresentationKind kind, bool causal)
    {
        using IBackend backend = Backends.Create(backendName);
        using RetrieverNetwork network = Golden(backend, kind, causal, trainable: true);
        string name = kind == RepresentationKind.Sparse ? "sparse" : "dense";
        Backward(network, GoldenLlama.Values($"{name}_coefficients"));
        foreach (Parameter parameter in network.Weights.Parameters)
        {
            float[] gradient = backend.Download(parameter.Gradient);
            if (kind == RepresentationKind.Dense && parameter.Name == "sparse_head.bias")
            {
                Assert.All(gradient, g => Assert.Equal(0f, g));
                continue;
            }

            Compare.Close(GoldenLlama.Values($"{name}_gradient.{parameter.Name}"), gradient, Limit, parameter.Name);
        }
    }
}
