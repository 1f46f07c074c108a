using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>
/// A retriever read from a directory: texts in, sparse or dense vectors out, as its contract says. A text's vector has
/// the same bits whatever else is encoded with it. Safe for concurrent use: tokenization runs in parallel, the network
/// serves one batch at a time. Dispose it when no call is running.
/// </summary>
public sealed class RetrieverModel : IDisposable
{
    private const int DocumentsPerChunk = 4096;

    private readonly RetrieverNetwork _network;
    private readonly IBackend? _ownBackend;
    private readonly ModelOptions _options;
    private readonly Lock _networkLock = new();
    private readonly float[] _row;
    private string? _fingerprint;

    /// <summary>Takes the network over (it is disposed with the model) but not its backend.</summary>
    public RetrieverModel(RetrieverNetwork network, Tokenizer tokenizer, ModelOptions? options = null)
        : this(network, tokenizer, options ?? new ModelOptions(), null)
    {
    }

    private RetrieverModel(RetrieverNetwork network, Tokenizer tokenizer, ModelOptions options, IBackend? ownBackend)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxBatchTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxBatchTexts, 1);
        int vocabularySize = network.Weights.Config.VocabularySize;
        if (tokenizer.VocabularySize > vocabularySize)
        {
            throw new InvalidDataException($"the tokenizer has {tokenizer.VocabularySize} entries, the model's embedding {vocabularySize}: they do not belong together");
        }

        if (network.Contract.AddBos && tokenizer.BosId is null)
        {
            throw new InvalidDataException($"{RetrieverContract.FileName} says add_bos, but the tokenizer has no beginning-of-text token: set add_bos to false if the model was trained so");
        }

        if (network.Contract.AddEos && tokenizer.EosId is null)
        {
            throw new InvalidDataException($"{RetrieverContract.FileName} says add_eos, but the tokenizer has no end-of-text token: set add_eos to false if the model was trained so");
        }

        _network = network;
        _ownBackend = ownBackend;
        _options = options;
        _row = new float[network.Dimension];
        Tokenizer = tokenizer;
    }

    public Tokenizer Tokenizer { get; }

    public RetrieverContract Contract => _network.Contract;

    /// <summary>How its products are calculated.</summary>
    public ProductPrecision Precision => _network.Backend.Precision;

    public LlamaConfig Config => _network.Weights.Config;

    /// <summary>Number of weights, a tied embedding counted once.</summary>
    public long ParameterCount => _network.Weights.ElementCount;

    /// <summary>Length of a vector: the vocabulary (sparse) or the hidden size (dense).</summary>
    public int Dimension => _network.Dimension;

    /// <summary>
    /// Stands for everything that a document's vector depends on: weights, tokenizer, contract. Indexes carry it and
    /// refuse queries of a model that has another one.
    /// </summary>
    public string Fingerprint => _fingerprint ??= ModelFingerprint.Compute(_network, Tokenizer);

    /// <summary>Reads a model directory: config.json, safetensors, tokenizer.json, retriever.json.</summary>
    /// <exception cref="InvalidDataException">A file is damaged or contradicts another; the message names it.</exception>
    public static RetrieverModel Load(string directory, ModelOptions? options = null)
    {
        options ??= new ModelOptions();
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{directory}: no such model directory");
        }

        Tokenizer tokenizer = Tokenizer.Load(directory);
        IBackend backend = Backends.Create(options.Backend, options.Threads, options.Precision ?? AllowedPrecision(directory));
        RetrieverNetwork? network = null;
        try
        {
            network = RetrieverNetwork.Load(backend, directory);
            return new RetrieverModel(network, tokenizer, options, backend);
        }
        catch
        {
            network?.Dispose();
            backend.Dispose();
            throw;
        }
    }

    private static ProductPrecision AllowedPrecision(string directory)
    {
        ProductPrecision precision = ProductPrecisions.Parse(RetrieverContract.Load(directory).Precision);
        return ProductPrecisions.WhyNot(precision) is null ? precision : ProductPrecision.Float32;
    }

    /// <summary>One sparse vector per text, in the order of the texts. Documents are composed by the caller: <see cref="ContractTokenization.Compose"/>.</summary>
    /// <exception cref="InvalidOperationException">The model is dense.</exception>
    public IReadOnlyList<SparseVector> EncodeSparse(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Sparse);
        var vectors = new SparseVector[texts.Count];
        int top = Contract.TopTermsFor(side);
        Encode(texts, side, (i, row) => vectors[i] = SparseVector.FromDense(row, top), cancellationToken);
        return vectors;
    }

    /// <summary>One dense vector per text, in the order of the texts.</summary>
    /// <exception cref="InvalidOperationException">The model is sparse.</exception>
    public float[][] EncodeDense(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Dense);
        var vectors = new float[texts.Count][];
        Encode(texts, side, (i, row) => vectors[i] = row.ToArray(), cancellationToken);
        return vectors;
    }

    /// <summary>Encodes a stream of documents of any length; <paramref name="sink"/> gets them in their order, on this thread.</summary>
    public void EncodeSparseDocuments(IEnumerable<Document> documents, Action<Document, SparseVector> sink, CancellationToken cancellationToken = default) =>
        InChunks(documents, texts => EncodeSparse(texts, RetrievalSide.Document, cancellationToken), sink);

    /// <summary>Encodes a stream of documents of any length; <paramref name="sink"/> gets them in their order, on this thread.</summary>
    public void EncodeDenseDocuments(IEnumerable<Document> documents, Action<Document, float[]> sink, CancellationToken cancellationToken = default) =>
        InChunks(documents, texts => EncodeDense(texts, RetrievalSide.Document, cancellationToken), sink);

    /// <summary>A sparse vector with, for each of its terms, the token and the characters of the text at which it had its maximum.</summary>
    public TracedVector EncodeSparseTraced(string text, RetrievalSide side)
    {
        Require(RepresentationKind.Sparse);
        List<int> tokens = [];
        List<(int Start, int Length)> offsets = [];
        Tokenizer.EncodeWithOffsets(text, Contract.TokenizationFor(side), tokens, offsets);
        lock (_networkLock)
        {
            Tensor representation = _network.Forward(CollectionsMarshal.AsSpan(tokens), [0, tokens.Count]);
            _network.Backend.Download<float>(representation, _row);
            var vector = SparseVector.FromDense(_row, Contract.TopTermsFor(side));
            int[] rows = new int[Dimension];
            _network.Backend.Download<int>(_network.ArgMax, rows);
            TermOrigin[] origins = [.. vector.Terms.ToArray().Select(term => new TermOrigin(tokens[rows[term]], offsets[rows[term]].Start, offsets[rows[term]].Length))];
            return new TracedVector(vector, tokens, origins);
        }
    }

    /// <summary>Tokenizes and encodes the contract's golden texts again and compares with what the model's maker got.</summary>
    /// <exception cref="InvalidDataException">Token ids differ, or a vector deviates beyond rounding.</exception>
    public SelfTestResult SelfTest()
    {
        List<int> tokens = [];
        foreach (GoldenVector golden in Contract.Golden)
        {
            tokens.Clear();
            Tokenizer.Encode(golden.Text, Contract.TokenizationFor(golden.IsQuery ? RetrievalSide.Query : RetrievalSide.Document), tokens);
            if (!tokens.SequenceEqual(golden.TokenIds))
            {
                throw new InvalidDataException($"{RetrieverContract.FileName}: \"{golden.Text}\" becomes the tokens [{string.Join(", ", tokens)}], for the model's maker [{string.Join(", ", golden.TokenIds)}]: tokenizer.json or the contract's prefix, BOS or length was changed");
            }
        }

        lock (_networkLock)
        {
            return _network.SelfTest();
        }
    }

    public void Dispose()
    {
        _network.Dispose();
        _ownBackend?.Dispose();
    }

    private void Encode(IReadOnlyList<string> texts, RetrievalSide side, RowSink sink, CancellationToken cancellationToken)
    {
        TokenizationOptions tokenization = Contract.TokenizationFor(side);
        var tokens = new List<int>[texts.Count];
        Parallel.For(0, texts.Count, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = _options.Threads > 0 ? _options.Threads : -1 }, i =>
        {
            tokens[i] = [];
            Tokenizer.Encode(texts[i], tokenization, tokens[i]);
        });
        var batch = new TokenBatch();
        foreach (int[] members in BatchPlan.ByLength(Array.ConvertAll(tokens, t => t.Count), _options.MaxBatchTokens, _options.MaxBatchTexts))
        {
            cancellationToken.ThrowIfCancellationRequested();
            batch.Clear();
            foreach (int member in members)
            {
                batch.Add(CollectionsMarshal.AsSpan(tokens[member]));
            }

            lock (_networkLock)
            {
                Tensor representations = _network.Forward(batch.Tokens, batch.SequenceStarts); // [B, Dimension]
                for (int b = 0; b < members.Length; b++)
                {
                    _network.Backend.Download<float>(representations.SliceRows(b, 1), _row);
                    sink(members[b], _row);
                }
            }
        }
    }

    private void InChunks<T>(IEnumerable<Document> documents, Func<string[], IReadOnlyList<T>> encode, Action<Document, T> sink)
    {
        foreach (Document[] chunk in documents.Chunk(DocumentsPerChunk))
        {
            IReadOnlyList<T> vectors = encode(Array.ConvertAll(chunk, Contract.Compose));
            for (int i = 0; i < chunk.Length; i++)
            {
                sink(chunk[i], vectors[i]);
            }
        }
    }

    private void Require(RepresentationKind kind)
    {
        if (Contract.Kind != kind)
        {
            throw new InvalidOperationException($"the model is {Contract.Kind.ToString().ToLowerInvariant()}, not {kind.ToString().ToLowerInvariant()}");
        }
    }

    private delegate void RowSink(int text, ReadOnlySpan<float> row);
}
