using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;
using Tern.Text;
using Xunit;

namespace Tern.Tests;

public sealed class RetrieverModelTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    private static string[] Texts => [.. TinyModel.Documents.Select(d => $"{d.Title} {d.Text}").Append("").Append("fox").Append(string.Join(' ', Enumerable.Repeat("a very long text about horses", 20)))];

    [Theory]
    [InlineData(RetrievalSide.Query)]
    [InlineData(RetrievalSide.Document)]
    public void SparseVectorsAreThoseOfTheNetworkTextByText(RetrievalSide side)
    {
        string path = TinyModel.Write(_directory["m"], RepresentationKind.Sparse);
        using var model = RetrieverModel.Load(path);
        IReadOnlyList<SparseVector> vectors = model.EncodeSparse(Texts, side);
        using IBackend backend = Backends.Create("cpu", 1);
        using RetrieverNetwork network = RetrieverNetwork.Load(backend, path);
        for (int i = 0; i < Texts.Length; i++)
        {
            float[] expected = Forward(backend, network, Tokenizer.Load(path), Texts[i], side);
            Assert.Equal(Enumerable.Range(0, expected.Length).Where(v => expected[v] > 0), vectors[i].Terms.ToArray());
            Assert.Equal(expected.Where(w => w > 0), vectors[i].Weights.ToArray());
        }
    }

    [Theory]
    [InlineData(RepresentationKind.Sparse)]
    [InlineData(RepresentationKind.Dense)]
    public void VectorsDoNotDependOnBatchOrderOrThreads(RepresentationKind kind)
    {
        string path = TinyModel.Write(_directory["m"], kind);
        float[][] expected = [.. Texts.SelectMany(text => Encode(path, kind, [text], new ModelOptions { Threads = 1 }))];
        foreach (ModelOptions options in new[]
        {
            new ModelOptions { Threads = 1 },
            new ModelOptions { Threads = 2 },
            new ModelOptions { Threads = 2, MaxBatchTokens = 1 },
            new ModelOptions { Threads = 2, MaxBatchTokens = 50, MaxBatchTexts = 3 },
        })
        {
            Assert.Equal(expected, Encode(path, kind, Texts, options));
            float[][] reversed = Encode(path, kind, [.. Texts.Reverse()], options);
            Assert.Equal(expected.Reverse(), reversed);
        }
    }

    [Fact]
    public void TheContractCutsVectorsToTheirHeaviestTerms()
    {
        using var whole = RetrieverModel.Load(TinyModel.Write(_directory["whole"], RepresentationKind.Sparse));
        RetrieverContract contract = TinyModel.Contract(RepresentationKind.Sparse) with { QueryTopTerms = 2, DocumentTopTerms = 5 };
        using var cut = RetrieverModel.Load(TinyModel.Write(_directory["cut"], contract));
        foreach ((RetrievalSide side, int top) in new[] { (RetrievalSide.Query, 2), (RetrievalSide.Document, 5) })
        {
            SparseVector all = whole.EncodeSparse(["the red horse"], side)[0];
            SparseVector some = cut.EncodeSparse(["the red horse"], side)[0];
            Assert.True(all.Count > top);
            Assert.Equal(all.Weights.ToArray().OrderDescending().Take(top), some.Weights.ToArray().OrderDescending());
        }
    }

    [Fact]
    public void DocumentsStreamInTheirOrder()
    {
        using var model = RetrieverModel.Load(TinyModel.Write(_directory["m"], RepresentationKind.Sparse));
        // More than one chunk of documents.
        Document[] documents = [.. Enumerable.Range(0, 4100).Select(i => TinyModel.Documents[i * 7 % TinyModel.Documents.Count] with { Id = $"{i}" })];
        IReadOnlyList<SparseVector> expected = model.EncodeSparse([.. TinyModel.Documents.Select(model.Contract.Compose)], RetrievalSide.Document);
        int next = 0;
        model.EncodeSparseDocuments(documents, (document, vector) =>
        {
            Assert.Equal($"{next}", document.Id);
            Assert.Equal(expected[next * 7 % TinyModel.Documents.Count].Weights.ToArray(), vector.Weights.ToArray());
            next++;
        });
        Assert.Equal(documents.Length, next);
    }

    [Fact]
    public void ManyThreadsMayEncodeAtOnce()
    {
        using var model = RetrieverModel.Load(TinyModel.Write(_directory["m"], RepresentationKind.Dense), new ModelOptions { Threads = 2 });
        float[][] expected = model.EncodeDense(Texts, RetrievalSide.Query);
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ => Assert.Equal(expected, model.EncodeDense(Texts, RetrievalSide.Query)));
    }

    [Fact]
    public void OneKindOfModelDoesNotGiveTheOtherKindOfVector()
    {
        using var sparse = RetrieverModel.Load(TinyModel.Write(_directory["s"], RepresentationKind.Sparse));
        using var dense = RetrieverModel.Load(TinyModel.Write(_directory["d"], RepresentationKind.Dense));
        Assert.Throws<InvalidOperationException>(() => sparse.EncodeDense(["x"], RetrievalSide.Query));
        Assert.Throws<InvalidOperationException>(() => dense.EncodeSparse(["x"], RetrievalSide.Query));
    }

    [Fact]
    public void TracedTermsPointAtTheTokenWithTheMaximum()
    {
        string path = TinyModel.Write(_directory["m"], RepresentationKind.Sparse);
        using var model = RetrieverModel.Load(path);
        const string Text = "The golden Horse waits near a river";
        TracedVector traced = model.EncodeSparseTraced(Text, RetrievalSide.Document);
        SparseVector vector = model.EncodeSparse([Text], RetrievalSide.Document)[0];
        Assert.Equal(vector.Terms.ToArray(), traced.Vector.Terms.ToArray());
        Assert.Equal(vector.Weights.ToArray(), traced.Vector.Weights.ToArray());
        Assert.Equal(vector.Count, traced.Origins.Count);
        Assert.Contains(traced.Origins, o => o.Length > 0);
        Assert.All(traced.Origins, origin =>
        {
            string source = Text.Substring(origin.Start, origin.Length);
            string token = model.Tokenizer.TokenText(origin.TokenId);
            Assert.Equal(origin.Length == 0 ? "" : token.Trim(), source.Trim().ToLowerInvariant());
        });
    }

    [Fact]
    public void SelfTestFindsAnotherTokenizerAndOtherWeights()
    {
        string path = TinyModel.Write(_directory["m"], RepresentationKind.Sparse);
        using (var model = RetrieverModel.Load(path))
        {
            SelfTestResult result = model.SelfTest();
            Assert.Equal(2, result.VectorCount);
            Assert.Equal(0, result.MaximalDeviation);
        }

        BytePairTrainer.Train(["completely different words were read by this one"], new BytePairTrainerOptions { VocabularySize = 300 }, Path.Combine(_directory["m"], "tokenizer.json"));
        using (var model = RetrieverModel.Load(path))
        {
            Assert.Contains("becomes the tokens", Assert.Throws<InvalidDataException>(() => model.SelfTest()).Message, StringComparison.Ordinal);
        }

        TinyModel.Write(_directory["other"], RepresentationKind.Sparse, seed: 2);
        File.Copy(Path.Combine(_directory["other"], "tokenizer.json"), Path.Combine(path, "tokenizer.json"), overwrite: true);
        File.Copy(Path.Combine(_directory["other"], "model.safetensors"), Path.Combine(path, "model.safetensors"), overwrite: true);
        using (var model = RetrieverModel.Load(path))
        {
            Assert.Contains("another vector", Assert.Throws<InvalidDataException>(() => model.SelfTest()).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void FingerprintCoversAllThatDocumentsDependOn()
    {
        RetrieverContract contract = TinyModel.Contract(RepresentationKind.Sparse);
        string original = Fingerprint(contract, 1);
        Assert.Equal(original, Fingerprint(contract, 1));
        Assert.Equal(original, Fingerprint(contract with { QueryPrefix = "", MaxQueryTokens = 3, QueryTopTerms = 7 }, 1));
        Assert.NotEqual(original, Fingerprint(contract, 2));
        Assert.NotEqual(original, Fingerprint(contract with { DocumentPrefix = "d: " }, 1));
        Assert.NotEqual(original, Fingerprint(contract with { AddBos = false }, 1));
        Assert.NotEqual(original, Fingerprint(contract with { MaxDocumentTokens = 23 }, 1));
        Assert.NotEqual(original, Fingerprint(contract with { DocumentTopTerms = 9 }, 1));
        Assert.NotEqual(original, Fingerprint(contract with { Causal = true }, 1));
        Assert.NotEqual(original, Fingerprint(contract with { LogitScale = 0.25f }, 1));
        Assert.NotEqual(original, Fingerprint(contract with { DocumentTemplate = "{text}" }, 1));
    }

    [Fact]
    public void AMissingDirectoryIsNamed()
    {
        Assert.Contains("nowhere", Assert.Throws<DirectoryNotFoundException>(() => RetrieverModel.Load(_directory["nowhere"])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ATokenizerWithMoreEntriesThanTheModelIsRefused()
    {
        string path = TinyModel.Write(_directory["m"], RepresentationKind.Sparse);
        BytePairTrainer.Train(TinyModel.Documents.Select(d => d.Text + d.Title), new BytePairTrainerOptions { VocabularySize = 420, MinimumPairCount = 1 }, Path.Combine(path, "tokenizer.json"));
        Assert.Contains("do not belong together", Assert.Throws<InvalidDataException>(() => RetrieverModel.Load(path)).Message, StringComparison.Ordinal);
    }

    public void Dispose() => _directory.Dispose();

    private static float[][] Encode(string path, RepresentationKind kind, IReadOnlyList<string> texts, ModelOptions options)
    {
        using var model = RetrieverModel.Load(path, options);
        if (kind == RepresentationKind.Dense)
        {
            return model.EncodeDense(texts, RetrievalSide.Document);
        }

        return [.. model.EncodeSparse(texts, RetrievalSide.Document).Select(v => Enumerable.Range(0, model.Dimension).Select(t => v[t]).ToArray())];
    }

    private static float[] Forward(IBackend backend, RetrieverNetwork network, Tokenizer tokenizer, string text, RetrievalSide side)
    {
        RetrieverContract contract = network.Contract;
        List<int> tokens = [];
        tokenizer.Encode((side == RetrievalSide.Query ? contract.QueryPrefix : contract.DocumentPrefix) + text, tokens);
        tokens.Insert(0, tokenizer.BosId!.Value);
        int longest = side == RetrievalSide.Query ? contract.MaxQueryTokens : contract.MaxDocumentTokens;
        int[] cut = [.. tokens.Take(longest)];
        float[] row = new float[network.Dimension];
        backend.Download<float>(network.Forward(cut, [0, cut.Length]), row);
        return row;
    }

    private static string Fingerprint(RetrieverContract contract, int seed)
    {
        using var directory = new TemporaryDirectory();
        using var model = RetrieverModel.Load(TinyModel.Write(directory["m"], contract, seed));
        return model.Fingerprint;
    }
}
