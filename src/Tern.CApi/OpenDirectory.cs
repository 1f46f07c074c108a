using Tern.Model;

namespace Tern.CApi;

/// <summary>What a <c>tern_retriever</c> stands for: an index with its model (BM25 has none), or a model alone.</summary>
internal sealed class OpenDirectory : IDisposable
{
    private readonly Retriever? _retriever;
    private readonly RetrieverModel? _model;
    private readonly string _path;

    private OpenDirectory(string path, Retriever? retriever, RetrieverModel? model)
    {
        _path = path;
        _retriever = retriever;
        _model = model;
    }

    public Retriever Retriever => _retriever
        ?? throw new InvalidOperationException($"{_path} is a model: it encodes; to search or explain, open an index directory");

    public RetrieverModel Model => _model
        ?? throw new InvalidOperationException($"{_path} is a BM25 index: it has no vectors; to encode, open a sparse or dense index or a model directory");

    public static OpenDirectory Open(string path, RetrieverOptions options)
    {
        if (!Directory.Exists(path))
        {
            throw new DirectoryNotFoundException($"{path}: no such directory; an index or a model directory is needed");
        }

        if (!File.Exists(Path.Combine(path, IndexDescription.FileName)) && File.Exists(Path.Combine(path, RetrieverContract.FileName)))
        {
            return options.ModelDirectory is null
                ? new OpenDirectory(path, null, RetrieverModel.Load(path, options.Model))
                : throw new ArgumentException($"model_directory is for an index; {path} is a model itself");
        }

        var retriever = Retriever.Open(path, options);
        return new OpenDirectory(path, retriever, retriever.Model);
    }

    public void Dispose()
    {
        if (_retriever is not null)
        {
            _retriever.Dispose();
        }
        else
        {
            _model!.Dispose();
        }
    }
}
