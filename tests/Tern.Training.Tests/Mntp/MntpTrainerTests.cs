using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Compute.Cpu;
using Tern.Model;
using Tern.TestKit;
using Tern.TestKit.DoublePrecision;
using Xunit;

namespace Tern.Training.Tests.Mntp;

public sealed class MntpTrainerTests : IDisposable
{
    private static readonly TrainingOptions Options = new() { StepCount = 12, BatchSize = 4, AccumulationCount = 2, LearningRate = 0.01f, Seed = 3, WarmupRatio = 0f };

    private static readonly TokenMasking Masking = new() { MaskTokenId = 1, VocabularySize = TinyModels.VocabularySize, SpecialIds = new HashSet<int> { 0 } };

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>The loss of one batch, computed from all logits as the formula reads: shift by one, masked positions only.</summary>
    [Fact]
    public void TheLossIsTheMeanCrossEntropyOfHiddenTokensFromTheStateBefore()
    {
        TokenBlocks blocks = Text(40);
        using CpuBackend backend = TinyModels.Backend();
        using MaskedLanguageNetwork network = Network(backend, adapter: false);
        using MntpTrainer trainer = new(backend, network, blocks, Masking, Options with { AccumulationCount = 1 });
        network.Weights.ZeroGradients();
        TrainingStep step = trainer.Accumulate(1);

        double sum = 0;
        int count = 0, correct = 0;
        int[] masked = new int[16], rows = new int[16], labels = new int[16];
        ReadOnlySpan<int> batch = new EpochOrder(Options.Seed, blocks.Count).Batch(0, 4, out _);
        using LlamaModel model = new(backend, network.Weights);
        foreach (int block in batch)
        {
            int predictions = Masking.Apply(blocks[block], Options.Seed, 0, block, masked, rows, labels);
            float[] logits = model.Logits(masked, [0, 16], causal: false).Span<float>().ToArray();
            for (int m = 0; m < predictions; m++)
            {
                Assert.Equal(blocks[block][rows[m] + 1], labels[m]);
                double[] row = [.. logits.Skip(rows[m] * TinyModels.VocabularySize).Take(TinyModels.VocabularySize).Select(l => (double)l)];
                sum += Math.Log(row.Sum(Math.Exp)) - row[labels[m]];
                correct += Array.IndexOf(row, row.Max()) == labels[m] ? 1 : 0;
                count++;
            }
        }

        Assert.Equal(sum / count, step.Loss, 4);
        Assert.Equal((double)correct / count, step.Accuracy, 9);
        Assert.Equal(4 * 16, step.TokenCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void GradientsAreThoseOfTheLoss(bool adapter)
    {
        DoubleBackend backend = new();
        using MaskedLanguageNetwork network = Network(backend, adapter);
        using MntpTrainer trainer = new(backend, network, Text(40), Masking, Options with { BatchSize = 2 });
        network.Weights.ZeroGradients();
        trainer.Accumulate(1);
        List<(Parameter Parameter, Tensor Direction, double Norm)> gradients = [.. network.Weights.TrainableParameters.Select(p =>
        {
            Tensor direction = backend.Allocate(DType.Float32).Shape(p.Value.Rows, p.Value.Columns);
            backend.Copy(p.Gradient, direction);
            return (p, direction, Math.Sqrt(backend.Doubles(direction).Sum(g => g * g)));
        })];
        foreach ((Parameter parameter, Tensor direction, double norm) in gradients)
        {
            double epsilon = 4e-4 / norm;
            double measured = (Loss(epsilon) - Loss(-epsilon)) / (2 * epsilon * norm);
            Assert.True(norm > 1e-4, $"{parameter.Name}: the gradient is too small to be checked");
            Assert.True(Math.Abs(measured - norm) <= (0.004 * norm) + 1.5e-3, $"{parameter.Name}: backward gives {norm}, differences {measured}");

            double Loss(double step)
            {
                backend.AddScaled(direction, (float)step, parameter.Value);
                double loss = trainer.Accumulate(1).Loss;
                backend.AddScaled(direction, -(float)step, parameter.Value);
                return loss;
            }
        }
    }

    /// <summary>Every other token follows from the one behind it and from nothing before it: only a model that reads both ways can learn that.</summary>
    [Fact]
    public void LearnsWhatOnlyTheTokensBehindTell()
    {
        TokenBlocks blocks = Text(400);
        (TokenBlocks heldOut, TokenBlocks others) = (Text(30, seed: 77), blocks);
        using CpuBackend backend = TinyModels.Backend(2);
        using MaskedLanguageNetwork network = Network(backend, adapter: false), causal = Network(backend, adapter: false, causal: true);
        TrainingOptions options = Options with { StepCount = 300, BatchSize = 16, AccumulationCount = 1, LearningRate = 0.02f };
        using MntpTrainer trainer = new(backend, network, others, Masking, options, heldOut, heldOutInterval: 200), blind = new(backend, causal, others, Masking, options, heldOut);
        TrainingResult result = trainer.Run();

        Assert.Equal([200, 300], result.History.Where(s => s.HeldOutLoss is not null).Select(s => s.Step));
        TrainingStep seeing = result.History[^1], before = blind.Run().History[^1];
        Assert.True(seeing.HeldOutAccuracy > 0.55, $"accuracy {seeing.HeldOutAccuracy}");
        Assert.True(before.HeldOutAccuracy < 0.48, $"causal accuracy {before.HeldOutAccuracy}");
        Assert.True(seeing.HeldOutLoss < before.HeldOutLoss - 0.15, $"losses {seeing.HeldOutLoss} and {before.HeldOutLoss}");
    }

    [Fact]
    public void AResumedRunEqualsOneThatWasNeverStoppedAndAnAdapterComesOut()
    {
        TokenBlocks blocks = Text(40);
        TrainingOptions options = Options with { CheckpointDirectory = _directory.Path };
        using CpuBackend backend = TinyModels.Backend(), other = TinyModels.Backend(2);
        using MaskedLanguageNetwork whole = Network(backend, adapter: true), stopped = Network(backend, adapter: true), resumed = Network(other, adapter: true);
        using MntpTrainer wholeTrainer = new(backend, whole, blocks, Masking, options with { CheckpointDirectory = null }, blocks, 5);
        TrainingResult expected = wholeTrainer.Run();
        using MntpTrainer stoppedTrainer = new(backend, stopped, blocks, Masking, options, blocks, 5);
        using CancellationTokenSource cancel = new();
        stoppedTrainer.Run(new Observer(p => (p.Current.Step == 7 ? cancel : null)?.Cancel()), cancel.Token);

        using MntpTrainer trainer = new(other, resumed, blocks, Masking, options, blocks, 5);
        trainer.Resume(_directory.Path);
        Assert.Equal(expected.History, trainer.Run().History);

        using MntpTrainer otherMasks = new(other, resumed, blocks, Masking with { Probability = 0.3 }, options, blocks, 5);
        Assert.Contains("the training set was", Assert.Throws<InvalidDataException>(() => otherMasks.Resume(_directory.Path)).Message, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_directory.Path, "checkpoint-7", "adapter_model.safetensors")));
        Assert.False(File.Exists(Path.Combine(_directory.Path, "checkpoint-7", "retriever.json")));
    }

    [Fact]
    public void RanksShareABatchsBlocks()
    {
        TokenBlocks blocks = Text(40);
        IReadOnlyList<TrainingStep> one = Train(null);
        List<TrainingStep>[] histories = [[], []];
        ThreadRanks.Run(2, (ranks, rank) =>
        {
            using CpuBackend backend = TinyModels.Backend();
            using ICollective collective = ranks.Join(rank, backend);
            histories[rank] = [.. Train(collective, backend)];
        });
        Assert.Equal(histories[0], histories[1]);
        Assert.All(one.Zip(histories[0]), pair => Assert.Equal(pair.First.Loss, pair.Second.Loss, 1e-4 * pair.First.Loss));

        IReadOnlyList<TrainingStep> Train(ICollective? ranks, CpuBackend? given = null)
        {
            using CpuBackend own = TinyModels.Backend();
            CpuBackend backend = given ?? own;
            using MaskedLanguageNetwork network = Network(backend, adapter: true);
            using MntpTrainer trainer = new(backend, network, blocks, Masking, Options, ranks: ranks);
            return trainer.Run().History;
        }
    }

    [Fact]
    public void ASteadyStepAllocatesNothing()
    {
        using CpuBackend backend = TinyModels.Backend();
        using MaskedLanguageNetwork network = Network(backend, adapter: true);
        using MntpTrainer trainer = new(backend, network, Text(40), Masking, Options);
        int step = 1;
        for (; step <= 12; step++)
        {
            trainer.Rehearse(step);
        }

        Assert.Equal(0, Allocations.Fewest(() => trainer.Rehearse(++step)));
    }

    private static MaskedLanguageNetwork Network(IBackend backend, bool adapter, bool causal = false)
    {
        LlamaInitialization initialization = new() { EmbeddingStandardDeviation = 0.3f, ProjectionStandardDeviation = 0.2f };
        LlamaWeights weights = LlamaWeights.Random(backend, TinyModels.Config, initialization, trainable: !adapter);
        int seed = 1;
        foreach (Parameter half in adapter ? weights.AddAdapter(new LoraSettings { Rank = 2, Dropout = 0.1f }, "base").Parameters : [])
        {
            backend.Upload<float>(TestValues.Normal(half.Value.Rows * half.Value.Columns, seed++, 0.1), half.Value);
        }

        return new MaskedLanguageNetwork(backend, weights, causal);
    }

    /// <summary>Blocks of 8 pairs: a free token of eight, and before it one of four that follows from it.</summary>
    private static TokenBlocks Text(int count, ulong seed = 1)
    {
        SeededRandom random = new(seed, 8, 8);
        IEnumerable<string> texts = Enumerable.Range(0, count).Select(_ =>
        {
            int[] free = [.. Enumerable.Range(0, 8).Select(_ => random.Below(8))];
            return string.Join(' ', free.SelectMany(f => new[] { 2 + (f % 4), 6 + f }));
        });
        return TokenBlocks.Pack(texts.ToList(), (text, ids) => ids.AddRange(text.Split(' ').Select(n => int.Parse(n, System.Globalization.CultureInfo.InvariantCulture))), 16, "made-up text");
    }
}
