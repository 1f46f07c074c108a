using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;

namespace Tern.Benchmarks.Peers;

/// <summary>What the tasks on the blocks' model share: a backend, the network and a packed batch.</summary>
internal abstract class BlocksTask : IPeerTask
{
    protected BlocksTask(string directory, PeerRequest request, bool trainable)
    {
        Backend = PeerWorker.CreateBackend(request);
        Network = RetrieverNetwork.Load(Backend, Path.Combine(directory, PeerWorkFactory.BlocksDirectory), trainable);
    }

    protected IBackend Backend { get; }

    protected RetrieverNetwork Network { get; }

    public abstract void Run();

    public abstract void WriteOutput(string path);

    public virtual void Dispose()
    {
        Network.Dispose();
        Backend.Dispose();
    }

    protected static (int[] Tokens, int[] Starts) Pack(IReadOnlyList<int[]> documents)
    {
        int[] starts = new int[documents.Count + 1];
        for (int i = 0; i < documents.Count; i++)
        {
            starts[i + 1] = starts[i] + documents[i].Length;
        }

        return ([.. documents.SelectMany(d => d)], starts);
    }
}

/// <summary>Zeroed gradients, forward, backward, and AdamW where it is asked for.</summary>
internal sealed class BlocksTraining : BlocksTask
{
    private const float LearningRate = 1e-4f;
    private readonly int[] _tokens, _starts;
    private readonly TensorMemory _gradientMemory;
    private readonly Tensor _dRepresentations;
    private readonly List<(Parameter Parameter, TensorMemory First, TensorMemory Second)> _moments = [];
    private int _step;
    private float[] _representations = [];

    public BlocksTraining(string directory, PeerWork work, PeerRequest request)
        : base(directory, request, trainable: true)
    {
        (_tokens, _starts) = Pack(work.Documents[request.Set].Take(work.TrainingDocuments).ToArray());
        float[] gradient = [.. from row in Enumerable.Range(0, _starts.Length - 1) from column in Enumerable.Range(0, Network.Dimension) select PeerWork.GradientAt(row, column)];
        _gradientMemory = Backend.Allocate(DType.Float32);
        _dRepresentations = _gradientMemory.Shape(_starts.Length - 1, Network.Dimension);
        Backend.Upload<float>(gradient, _dRepresentations);
        if (request.Optimizer)
        {
            foreach (Parameter parameter in Network.Weights.Parameters)
            {
                _moments.Add((parameter, Zeros(parameter.Value), Zeros(parameter.Value)));
            }
        }
    }

    public override void Run()
    {
        Network.Weights.ZeroGradients();
        Tensor representations = Network.Forward(_tokens, _starts, keepForBackward: true);
        if (_representations.Length == 0)
        {
            _representations = new float[representations.ElementCount];
        }

        Backend.Download<float>(representations, _representations);
        Network.Backward(_dRepresentations);
        _step++;
        foreach ((Parameter parameter, TensorMemory first, TensorMemory second) in _moments)
        {
            Tensor value = parameter.Value;
            Backend.AdamW(parameter.Gradient, 1f, new AdamWSettings(), LearningRate, _step, first.Shape(value.Rows, value.Columns), second.Shape(value.Rows, value.Columns), value);
        }
    }

    public override void WriteOutput(string path)
    {
        using FileStream file = File.Create(path);
        file.Write(MemoryMarshal.AsBytes(_representations.AsSpan()));
        foreach (Parameter parameter in Network.Weights.Parameters)
        {
            float[] gradient = new float[parameter.Gradient.ElementCount];
            Backend.Download<float>(parameter.Gradient, gradient);
            file.Write(MemoryMarshal.AsBytes(gradient.AsSpan()));
        }
    }

    public override void Dispose()
    {
        foreach ((_, TensorMemory first, TensorMemory second) in _moments)
        {
            first.Dispose();
            second.Dispose();
        }

        _gradientMemory.Dispose();
        base.Dispose();
    }

    private TensorMemory Zeros(Tensor like)
    {
        TensorMemory memory = Backend.Allocate(DType.Float32, like.ElementCount);
        Backend.Fill(0f, memory.Shape(like.Rows, like.Columns));
        return memory;
    }
}

/// <summary>All documents of a set to vectors, in batches of similar lengths as the library makes them.</summary>
internal sealed class BlocksEncoding : BlocksTask
{
    private const int MaxBatchTokens = 4096, MaxBatchTexts = 64;
    private readonly List<(int[] Members, int[] Tokens, int[] Starts)> _batches = [];
    private readonly float[] _vectors;
    private readonly float[] _batchVectors;

    public BlocksEncoding(string directory, PeerWork work, PeerRequest request)
        : base(directory, request, trainable: false)
    {
        int[][] documents = work.Documents[request.Set];
        int[] order = [.. Enumerable.Range(0, documents.Length).OrderByDescending(i => documents[i].Length)];
        for (int start = 0, end; start < order.Length; start = end)
        {
            int tokens = 0;
            for (end = start; end < order.Length && end - start < MaxBatchTexts && (end == start || tokens + documents[order[end]].Length <= MaxBatchTokens); end++)
            {
                tokens += documents[order[end]].Length;
            }

            int[] members = order[start..end];
            (int[] packed, int[] starts) = Pack(Array.ConvertAll(members, m => documents[m]));
            _batches.Add((members, packed, starts));
        }

        _vectors = new float[documents.Length * Network.Dimension];
        _batchVectors = new float[MaxBatchTexts * Network.Dimension];
    }

    public override void Run()
    {
        int dimension = Network.Dimension;
        foreach ((int[] members, int[] tokens, int[] starts) in _batches)
        {
            Span<float> rows = _batchVectors.AsSpan(0, members.Length * dimension);
            Backend.Download(Network.Forward(tokens, starts), rows);
            for (int i = 0; i < members.Length; i++)
            {
                rows.Slice(i * dimension, dimension).CopyTo(_vectors.AsSpan(members[i] * dimension));
            }
        }
    }

    public override void WriteOutput(string path) => File.WriteAllBytes(path, MemoryMarshal.AsBytes(_vectors.AsSpan()));
}
