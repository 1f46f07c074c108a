using Tern.Compute;
using Tern.Model.Checkpoints;
using Xunit;

namespace Tern.Model.Tests.Checkpoints;

public sealed class RandomCheckpointTests : IDisposable
{
    private static readonly LlamaInitialization Initialization = new() { Seed = 5 };

    // The embedding is more than one block of 2^20 elements, and its last block is short.
    private static readonly LlamaConfig Config = new()
    {
        HiddenSize = 96,
        IntermediateSize = 40,
        LayerCount = 2,
        HeadCount = 4,
        KeyValueHeadCount = 2,
        HeadSize = 10,
        VocabularySize = 24_001,
        TieWordEmbeddings = true,
        RopeScaling = new RopeScaling(32f, 1f, 4f, 8192),
    };

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(DType.Float32, true)]
    [InlineData(DType.BFloat16, true)]
    [InlineData(DType.BFloat16, false)]
    public void WeightsAreTheDrawnOnesRounded(DType dtype, bool tied)
    {
        LlamaConfig config = Config with { TieWordEmbeddings = tied };
        string path = Write(config, dtype, threads: 3);
        using IBackend backend = Backends.Create("cpu", 1);
        using LlamaWeights expected = LlamaWeights.Random(backend, config, Initialization, trainable: false), actual = LlamaWeights.Load(backend, path);
        Assert.Equal(config, actual.Config);
        Assert.Equal(expected.Parameters.Select(p => p.Name), actual.Parameters.Select(p => p.Name));
        foreach ((Parameter e, Parameter a) in expected.Parameters.Zip(actual.Parameters))
        {
            Assert.Equal(e.IsVector ? DType.Float32 : dtype, a.Value.DType);
            for (int row = 0; row < e.Value.Rows; row++)
            {
                Assert.True(SameRow(e.Value.Row<float>(row), a.Value, row), $"{e.Name}, row {row}");
            }
        }
    }

    [Fact]
    public void BitsDependOnTheSeedAndNotOnThreads()
    {
        byte[] one = File.ReadAllBytes(Path.Combine(Write(Config, DType.BFloat16, threads: 1), Checkpoint.FileName));
        byte[] four = File.ReadAllBytes(Path.Combine(Write(Config, DType.BFloat16, threads: 4), Checkpoint.FileName));
        byte[] other = File.ReadAllBytes(Path.Combine(Write(Config, DType.BFloat16, threads: 1, Initialization with { Seed = 6 }), Checkpoint.FileName));
        Assert.True(one.AsSpan().SequenceEqual(four));
        Assert.False(one.AsSpan().SequenceEqual(other));
    }

    [Theory]
    [InlineData(DType.Float32)]
    [InlineData(DType.BFloat16)]
    public void StoredFingerprintIsThatOfTheWeights(DType dtype)
    {
        string path = Write(Config, dtype, threads: 2);
        using IBackend backend = Backends.Create("cpu", 1);
        using LlamaWeights weights = LlamaWeights.Load(backend, path);
        Assert.Equal(weights.Fingerprint(), RetrieverContract.Load(path).Fingerprint);
    }

    [Fact]
    public void ByteCountIsTheFilesButForItsHeader()
    {
        long length = new FileInfo(Path.Combine(Write(Config, DType.BFloat16, threads: 2), Checkpoint.FileName)).Length;
        Assert.InRange(length - RandomCheckpoint.ByteCount(Config, DType.BFloat16), 1, 8192);
        Assert.Equal(2_471_763_968, RandomCheckpoint.ByteCount(LlamaShapes.All["llama-3.2-1b"], DType.BFloat16));
    }

    [Fact]
    public void ProgressEndsAtTheByteCount()
    {
        var reported = new List<long>();
        RandomCheckpoint.Write(_directory.Path, Config, Contract, Initialization, DType.Float32, 2, reported.Add);
        Assert.Equal(reported.Order(), reported);
        Assert.Equal(RandomCheckpoint.ByteCount(Config, DType.Float32), reported[^1]);
    }

    [Fact]
    public void WhatTheDiskCannotHoldIsRefusedBeforeAnythingIsWritten()
    {
        LlamaConfig huge = Config with { VocabularySize = 1 << 24, HiddenSize = 1 << 24 };
        string path = Path.Combine(_directory.Path, "new", "model");
        Assert.Contains("GB free", Assert.Throws<IOException>(() => RandomCheckpoint.Write(path, huge, Contract, Initialization, DType.BFloat16)).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_directory.Path, "new")));
    }

    [Fact]
    public void CancelledLeavesNoCheckpoint()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => RandomCheckpoint.Write(_directory.Path, Config, Contract, Initialization, DType.Float32, 1, _ => cancellation.Cancel(), cancellation.Token));
        Assert.Equal([LlamaConfig.FileName], Directory.GetFiles(_directory.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void EveryNamedShapeIsValid() => Assert.All(LlamaShapes.All, shape => shape.Value.Validate(shape.Key));

    private static RetrieverContract Contract => RetrieverContract.Lion(RepresentationKind.Sparse, Config);

    private string Write(LlamaConfig config, DType dtype, int threads, LlamaInitialization? initialization = null)
    {
        string path = Path.Combine(_directory.Path, Guid.NewGuid().ToString("n"));
        RandomCheckpoint.Write(path, config, Contract, initialization ?? Initialization, dtype, threads);
        return path;
    }

    private static bool SameRow(ReadOnlySpan<float> expected, Tensor actual, int row)
    {
        for (int i = 0; i < expected.Length; i++)
        {
            float value = actual.DType == DType.Float32 ? actual.Row<float>(row)[i] : BitConverter.UInt32BitsToSingle((uint)actual.Row<ushort>(row)[i] << 16);
            bool same = actual.DType == DType.Float32 ? value == expected[i] : value == Nearest(expected[i]);
            if (!same)
            {
                return false;
            }
        }

        return true;
    }

    // The BFloat16 of the least distance; of two the even one.
    private static float Nearest(float value)
    {
        uint lower = BitConverter.SingleToUInt32Bits(value) & 0xFFFF0000;
        float below = BitConverter.UInt32BitsToSingle(lower), above = BitConverter.UInt32BitsToSingle(lower + 0x10000);
        double toBelow = Math.Abs((double)value - below), toAbove = Math.Abs((double)above - value);
        return toBelow < toAbove || (toBelow == toAbove && (lower & 0x10000) == 0) ? below : above;
    }
}
