using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;
using Tern.Retrieval;
using Tern.Text;

namespace Tern;

/// <summary>
/// A retriever read from a directory: texts in, sparse or dense vectors out, as its contract says. A text's vector has
/// the same bits whatever else is encoded with it. Safe for concurrent use: tokenization runs in parallel, the network
/// serves one batch at a time, in which the texts of concurrent callers are put together (<see cref="ModelOptions.MaxQueueDelay"/>).
/// </summary>
public sealed class RetrieverModel : IDisposable
{
    private const int DocumentsPerChunk = 4096;

    private readonly RetrieverNetwork _network;
    private readonly IBackend? _ownBackend;
    private readonly ModelOptions _options;
    private readonly EncodeQueue _queue;
    private readonly ScratchPool<EncodeRequest> _requests = new(static () => new EncodeRequest());
    private string? _fingerprint;

    /// <summary>Takes the network over (it is disposed with the model) but not its backend.</summary>
    public RetrieverModel(RetrieverNetwork network, Tokenizer tokenizer, ModelOptions? options = null)
        : this(network, tokenizer, options ?? new ModelOptions(), null, "")
    {
    }

    private RetrieverModel(RetrieverNetwork network, Tokenizer tokenizer, ModelOptions options, IBackend? ownBackend, string name)
    {
        options.Validate();
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
        _queue = new EncodeQueue(network, options);
        Tokenizer = tokenizer;
        Name = name;
    }

    /// <summary>The name of its directory; empty for a model that was not loaded.</summary>
    public string Name { get; }

    internal EncodeQueue Queue => _queue;

    public Tokenizer Tokenizer { get; }

    public RetrieverContract Contract => _network.Contract;

    /// <summary>True when it runs on a device that can also search.</summary>
    internal bool HasSearchDevice => _ownBackend is ICandidateBackend;

    /// <summary>How its products are calculated.</summary>
    public ProductPrecision Precision => _network.Backend.Precision;

    public LlamaConfig Config => _network.Weights.Config;

    /// <summary>Number of weights, a tied embedding counted once.</summary>
    public long ParameterCount => _network.Weights.ElementCount;

    /// <summary>Adapters that are added to the weights while they run, lowest first.</summary>
    public IReadOnlyList<LiveAdapter> Adapters => _network.Weights.Adapters;

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
        options.Validate();
        if (!Directory.Exists(directory))
        {
            throw new DirectoryNotFoundException($"{directory}: no such model directory");
        }

        Tokenizer tokenizer = Tokenizer.Load(TokenizerOf(directory));
        if (!Devices.TryFind(options.Backend, out BackendFactory? device, out string? whyNot))
        {
            throw new ArgumentException(whyNot, nameof(options));
        }

        IBackend backend = device.Create(options.Threads, options.Precision ?? AllowedPrecision(directory, device));
        RetrieverNetwork? network = null;
        try
        {
            network = RetrieverNetwork.Load(backend, directory);
            return new RetrieverModel(network, tokenizer, options, backend, Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory))));
        }
        catch
        {
            network?.Dispose();
            backend.Dispose();
            throw;
        }
    }

    /// <summary>The device that it runs on once more, for somebody else's calls; the caller disposes it.</summary>
    internal IBackend CreateSearchDevice() => Backends.Create(_options.Backend);

    /// <summary>An adapter may have been saved without a tokenizer: it is that of what it lies on.</summary>
    private static string TokenizerOf(string directory) =>
        AdapterStack.IsStack(directory) ? AdapterStack.Open(directory).Find("tokenizer.json") ?? directory : directory;

    private static ProductPrecision AllowedPrecision(string directory, BackendFactory device)
    {
        ProductPrecision precision = ProductPrecisions.Parse(RetrieverContract.Load(directory).Precision);
        return device.WhyNot(precision) is null ? precision : ProductPrecision.Float32;
    }

    /// <summary>One sparse vector per text, in the order of the texts. Documents are composed by the caller: <see cref="ContractTokenization.Compose"/>.</summary>
    /// <exception cref="InvalidOperationException">The model is dense.</exception>
    public IReadOnlyList<SparseVector> EncodeSparse(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Sparse);
        int top = Contract.TopTermsFor(side);
        return EncodeAll(texts, side, row => SparseVector.FromDense(row, top), cancellationToken);
    }

    /// <summary>One dense vector per text, in the order of the texts.</summary>
    /// <exception cref="InvalidOperationException">The model is sparse.</exception>
    public float[][] EncodeDense(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Dense);
        return EncodeAll(texts, side, static row => row.ToArray(), cancellationToken);
    }

    /// <summary>As <see cref="EncodeSparse(IReadOnlyList{string}, RetrievalSide, CancellationToken)"/>, without blocking the caller's thread.</summary>
    public Task<EncodedTexts<SparseVector>> EncodeSparseAsync(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Sparse);
        int top = Contract.TopTermsFor(side);
        return EncodeAllAsync(texts, side, row => SparseVector.FromDense(row, top), cancellationToken);
    }

    /// <summary>As <see cref="EncodeDense(IReadOnlyList{string}, RetrievalSide, CancellationToken)"/>, without blocking the caller's thread.</summary>
    public Task<EncodedTexts<float[]>> EncodeDenseAsync(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Dense);
        return EncodeAllAsync(texts, side, static row => row.ToArray(), cancellationToken);
    }

    /// <summary>
    /// The sparse vector of one text: terms ascending, at most as many as the contract says and as fit, the heaviest. Returns
    /// how many there are. Once warm it allocates nothing.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model is dense.</exception>
    public int EncodeSparse(ReadOnlySpan<char> text, RetrievalSide side, Span<int> terms, Span<float> weights, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Sparse);
        EncodeRequest request = EncodeOne(text, side, cancellationToken);
        try
        {
            return SparseRow.Select(request.Row(0, Dimension), Contract.TopTermsFor(side), request.Heaviest, terms, weights);
        }
        finally
        {
            _requests.Return(request);
        }
    }

    /// <summary>The dense vector of one text into the first <see cref="Dimension"/> elements of a span. Once warm it allocates nothing.</summary>
    /// <exception cref="InvalidOperationException">The model is sparse.</exception>
    public void EncodeDense(ReadOnlySpan<char> text, RetrievalSide side, Span<float> destination, CancellationToken cancellationToken = default)
    {
        Require(RepresentationKind.Dense);
        if (destination.Length < Dimension)
        {
            throw new ArgumentException($"a vector has {Dimension} elements, the destination {destination.Length}", nameof(destination));
        }

        EncodeRequest request = EncodeOne(text, side, cancellationToken);
        request.Row(0, Dimension).CopyTo(destination);
        _requests.Return(request);
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
        lock (_queue.NetworkLock)
        {
            Tensor representation = _network.Forward(CollectionsMarshal.AsSpan(tokens), [0, tokens.Count]);
            float[] row = new float[Dimension];
            _network.Backend.Download<float>(representation, row);
            var vector = SparseVector.FromDense(row, Contract.TopTermsFor(side));
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

        lock (_queue.NetworkLock)
        {
            return _network.SelfTest();
        }
    }

    /// <summary>Refuses new calls, waits for those that run or wait for the network, then frees the weights.</summary>
    public void Dispose()
    {
        if (!_queue.Close())
        {
            return;
        }

        _network.Dispose();
        _ownBackend?.Dispose();
    }

    /// <summary>Tokenizes and encodes one text; the request with its row is the caller's, who gives it back.</summary>
    private EncodeRequest EncodeOne(ReadOnlySpan<char> text, RetrievalSide side, CancellationToken cancellationToken)
    {
        Telemetry.EncodeScope scope = Telemetry.BeginEncode(Name);
        EncodeRequest request = _requests.Rent();
        try
        {
            request.Reset();
            request.Tokens.Clear();
            Tokenizer.Encode(text, Contract.TokenizationFor(side), request.Tokens);
            request.Texts.Add(CollectionsMarshal.AsSpan(request.Tokens));
            _queue.Run(request, cancellationToken);
        }
        catch (Exception e)
        {
            _requests.Return(request);
            scope.Fail(e);
            throw;
        }

        scope.End(request.Texts.TokenCount);
        return request;
    }

    private T[] EncodeAll<T>(IReadOnlyList<string> texts, RetrievalSide side, RowReader<T> read, CancellationToken cancellationToken)
    {
        Telemetry.EncodeScope scope = Telemetry.BeginEncode(Name);
        EncodeRequest request = _requests.Rent();
        try
        {
            var vectors = new T[texts.Count];
            List<int>[] tokens = Tokenize(texts, side, cancellationToken);
            foreach (int[] members in Batches(tokens))
            {
                cancellationToken.ThrowIfCancellationRequested();
                Fill(request, tokens, members);
                _queue.Run(request, cancellationToken);
                Read(request, members, read, vectors);
            }

            scope.End(tokens.Sum(t => (long)t.Count));
            return vectors;
        }
        catch (Exception e)
        {
            scope.Fail(e);
            throw;
        }
        finally
        {
            _requests.Return(request);
        }
    }

    private async Task<EncodedTexts<T>> EncodeAllAsync<T>(IReadOnlyList<string> texts, RetrievalSide side, RowReader<T> read, CancellationToken cancellationToken)
    {
        Telemetry.EncodeScope scope = Telemetry.BeginEncode(Name);
        EncodeRequest request = _requests.Rent();
        try
        {
            var vectors = new T[texts.Count];
            List<int>[] tokens = texts.Count == 1
                ? Tokenize(texts, side, cancellationToken)
                : await Task.Run(() => Tokenize(texts, side, cancellationToken), cancellationToken).ConfigureAwait(false);
            foreach (int[] members in Batches(tokens))
            {
                Fill(request, tokens, members);
                await _queue.RunAsync(request, cancellationToken).ConfigureAwait(false);
                Read(request, members, read, vectors);
            }

            long tokenCount = tokens.Sum(t => (long)t.Count);
            scope.End(tokenCount);
            return new EncodedTexts<T>(vectors, tokenCount);
        }
        catch (Exception e)
        {
            scope.Fail(e);
            throw;
        }
        finally
        {
            _requests.Return(request);
        }
    }

    private List<int>[] Tokenize(IReadOnlyList<string> texts, RetrievalSide side, CancellationToken cancellationToken)
    {
        TokenizationOptions tokenization = Contract.TokenizationFor(side);
        var tokens = new List<int>[texts.Count];
        if (texts.Count == 1)
        {
            Tokenizer.Encode(texts[0], tokenization, tokens[0] = []);
            return tokens;
        }

        Parallel.For(0, texts.Count, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = _options.Threads > 0 ? _options.Threads : -1 }, i =>
            Tokenizer.Encode(texts[i], tokenization, tokens[i] = []));
        return tokens;
    }

    private IEnumerable<int[]> Batches(List<int>[] tokens) =>
        BatchPlan.ByLength(Array.ConvertAll(tokens, t => t.Count), _options.MaxBatchTokens, _options.MaxBatchTexts);

    private static void Fill(EncodeRequest request, List<int>[] tokens, int[] members)
    {
        request.Reset();
        foreach (int member in members)
        {
            request.Texts.Add(CollectionsMarshal.AsSpan(tokens[member]));
        }
    }

    private void Read<T>(EncodeRequest request, int[] members, RowReader<T> read, T[] vectors)
    {
        for (int b = 0; b < members.Length; b++)
        {
            vectors[members[b]] = read(request.Row(b, Dimension));
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

    private delegate T RowReader<T>(ReadOnlySpan<float> row);
}
