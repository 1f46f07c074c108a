using System.Globalization;
using System.Runtime.InteropServices;
using Tern.Compute;
using Tern.Model;
using Tern.Text;
using Tern.Training;

namespace Tern.Benchmarks.Peers;

/// <summary>One optimiser step of the demo's sparse model through the trainer itself.</summary>
internal sealed class SparseStep : IPeerTask
{
    private readonly IBackend _backend;
    private readonly RetrieverNetwork _network;
    private readonly RetrieverTrainer _trainer;

    public SparseStep(string directory, SparseStepWork work, PeerRequest request)
    {
        _backend = PeerWorker.CreateBackend(request);
        _network = RetrieverNetwork.Load(_backend, Path.Combine(directory, PeerWorkFactory.SparseDirectory), trainable: true);

        // Texts stand for their numbers; the functions give the tokens.
        string Name(int i) => i.ToString(CultureInfo.InvariantCulture);
        TrainingSet set = TrainingSet.Create(
            work.Queries.Select((_, i) => new TrainingExample(Name(i), Name(i), [])),
            work.Documents.Select((_, i) => new Document(Name(i), "", "")),
            (query, tokens) => tokens.AddRange(work.Queries[int.Parse(query, CultureInfo.InvariantCulture)]),
            (document, tokens) => tokens.AddRange(work.Documents[int.Parse(document.Id, CultureInfo.InvariantCulture)]));
        _trainer = new RetrieverTrainer(_backend, _network, set, new TrainingOptions
        {
            StepCount = work.StepCount,
            BatchSize = work.Queries.Length,
            LearningRate = work.LearningRate,
            WarmupRatio = 0f,
            GradientClip = work.ClipNorm,
            QueryFlopsWeight = work.QueryFlopsWeight,
            DocumentFlopsWeight = work.DocumentFlopsWeight,
            FlopsRampSteps = 1,
            CollapseCheckInterval = 0,
        });
    }

    public void Run()
    {
        using CancellationTokenSource stop = new();
        _trainer.Run(new AfterOneStep(stop), stop.Token);
    }

    public PeerReply Describe(PeerReply reply) => reply with
    {
        Losses = [.. _trainer.History.Select(h => h.Loss)],
        NonZeros = _trainer.History[^1].DocumentNonZeros / _network.Dimension,
    };

    public void WriteOutput(string path) => File.WriteAllBytes(path, []);

    public void Dispose()
    {
        _trainer.Dispose();
        _network.Dispose();
        _backend.Dispose();
    }

    private sealed class AfterOneStep(CancellationTokenSource stop) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => stop.Cancel();
    }
}

/// <summary>The sparse head alone, forward and backward, through the backend's operations as the network calls them.</summary>
internal sealed class SparseHeadPass : IPeerTask
{
    private readonly IBackend _backend;
    private readonly SparseHeadWork _work;
    private readonly List<TensorMemory> _owned = [];
    private readonly Tensor _hidden, _weight, _bias, _starts, _dHidden, _dWeight, _dBias, _dRepresentations;
    private readonly TensorMemory _maximaMemory, _argMaxMemory, _representationMemory;
    private Tensor _maxima;
    private Tensor _representations;

    public SparseHeadPass(string directory, SparseHeadWork work, PeerRequest request)
    {
        _backend = PeerWorker.CreateBackend(request);
        _work = work;
        int tokens = work.Sequences * work.Length;
        _hidden = Matrix(tokens, work.HiddenSize, Read(directory, SparseHeadWork.HiddenFileName));
        _weight = Matrix(work.Vocabulary, work.HiddenSize, Read(directory, SparseHeadWork.WeightFileName));
        _bias = Matrix(1, work.Vocabulary, null, work.Bias);
        _dHidden = Matrix(tokens, work.HiddenSize, null);
        _dWeight = Matrix(work.Vocabulary, work.HiddenSize, null);
        _dBias = Matrix(1, work.Vocabulary, null);
        _dRepresentations = Matrix(work.Sequences, work.Vocabulary, [.. from row in Enumerable.Range(0, work.Sequences) from column in Enumerable.Range(0, work.Vocabulary) select PeerWork.GradientAt(row, column)]);
        TensorMemory starts = Own(DType.Int32);
        _starts = starts.Shape(1, work.Sequences + 1);
        _backend.Upload<int>([.. Enumerable.Range(0, work.Sequences + 1).Select(i => i * work.Length)], _starts);
        _maximaMemory = Own(DType.Float32);
        _argMaxMemory = Own(DType.Int32);
        _representationMemory = Own(DType.Float32);
    }

    public void Run()
    {
        _maxima = _maximaMemory.Shape(_work.Sequences, _work.Vocabulary);
        Tensor argMax = _argMaxMemory.Shape(_work.Sequences, _work.Vocabulary);
        _representations = _representationMemory.Shape(_work.Sequences, _work.Vocabulary);
        foreach (Tensor gradient in (ReadOnlySpan<Tensor>)[_dHidden, _dWeight, _dBias])
        {
            _backend.Fill(0f, gradient);
        }

        _backend.MaxPoolProductForward(_hidden, _weight, _bias, _starts, 1f, _maxima, argMax);
        _backend.Log1pReluForward(_maxima, _representations);
        _backend.Log1pReluBackward(_dRepresentations, _maxima, _representations); // As the model's head: their memory takes the gradient.
        _backend.MaxPoolProductBackward(_representations, argMax, _hidden, _weight, 1f, _dHidden, _dWeight, _dBias);
    }

    public PeerReply Describe(PeerReply reply)
    {
        _backend.Log1pReluForward(_maxima, _representations); // Again: the backward took their memory.
        float[] values = Values(_representations);
        return reply with { NonZeros = values.Count(v => v != 0) / (double)values.Length };
    }

    public void WriteOutput(string path)
    {
        _backend.Log1pReluForward(_maxima, _representations);
        using FileStream file = File.Create(path);
        foreach (Tensor tensor in (ReadOnlySpan<Tensor>)[_representations, _dHidden, _dWeight])
        {
            file.Write(MemoryMarshal.AsBytes(Values(tensor).AsSpan()));
        }
    }

    public void Dispose()
    {
        _owned.ForEach(m => m.Dispose());
        _backend.Dispose();
    }

    private static float[] Read(string directory, string name) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Path.Combine(directory, name))).ToArray();

    private float[] Values(Tensor tensor)
    {
        float[] values = new float[tensor.ElementCount];
        _backend.Download<float>(tensor, values);
        return values;
    }

    private Tensor Matrix(int rows, int columns, float[]? values, float fill = 0f)
    {
        Tensor tensor = Own(DType.Float32).Shape(rows, columns);
        if (values is null)
        {
            _backend.Fill(fill, tensor);
        }
        else
        {
            _backend.Upload<float>(values, tensor);
        }

        return tensor;
    }

    private TensorMemory Own(DType type)
    {
        TensorMemory memory = _backend.Allocate(type);
        _owned.Add(memory);
        return memory;
    }
}
