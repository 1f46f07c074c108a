using Microsoft.ML.OnnxRuntime;

namespace Peers.OnnxRuntime;

/// <summary>Token ids of texts, as <c>documents-SET.i32</c> has them: how many, the length of each, then all ids.</summary>
internal static class Documents
{
    public static int[][] Read(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        int At(int index) => BitConverter.ToInt32(bytes, index * sizeof(int));
        int[][] documents = [.. Enumerable.Range(0, At(0)).Select(i => new int[At(1 + i)])];
        int next = 1 + documents.Length;
        foreach (int[] document in documents)
        {
            for (int i = 0; i < document.Length; i++)
            {
                document[i] = At(next++);
            }
        }

        return documents;
    }
}

/// <summary>Batches of texts through one model: the graph without a mask where a batch has no padding.</summary>
internal sealed class Encoding : IDisposable
{
    private readonly InferenceSession? _full, _padded;
    private readonly List<Batch> _batches = [];
    private readonly RunOptions _options = new();

    /// <summary>Batches in the given order, or the longest texts first.</summary>
    public Encoding(string work, int[][] documents, string model, int batch, bool inOrder, int threads)
    {
        int[] order = [.. Enumerable.Range(0, documents.Length)];
        if (!inOrder)
        {
            order = [.. order.OrderByDescending(i => documents[i].Length)];
        }

        _batches = [.. order.Chunk(batch).Select(members => new Batch(members, documents))];
        string directory = Path.Combine(work, "onnx");
        _full = _batches.Any(b => !b.IsPadded) ? Open(Path.Combine(directory, $"{model}-full.onnx"), threads) : null;
        _padded = _batches.Any(b => b.IsPadded) ? Open(Path.Combine(directory, $"{model}-padded.onnx"), threads) : null;
        Dimension = (_full ?? _padded)!.OutputMetadata.Values.Single().Dimensions[1];
        Vectors = new float[documents.Length * Dimension];
    }

    public int Dimension { get; }

    /// <summary>[documents, dimension], in the documents' order.</summary>
    public float[] Vectors { get; }

    public void Run()
    {
        foreach (Batch batch in _batches)
        {
            InferenceSession session = batch.IsPadded ? _padded! : _full!;
            using IDisposableReadOnlyCollection<OrtValue> outputs = session.Run(_options, batch.Names, batch.Values, session.OutputNames);
            ReadOnlySpan<float> vectors = outputs[0].GetTensorDataAsSpan<float>();
            for (int row = 0; row < batch.Members.Length; row++)
            {
                vectors.Slice(row * Dimension, Dimension).CopyTo(Vectors.AsSpan(batch.Members[row] * Dimension));
            }
        }
    }

    public void Dispose()
    {
        foreach (OrtValue value in _batches.SelectMany(b => b.Values))
        {
            value.Dispose();
        }

        _options.Dispose();
        _full?.Dispose();
        _padded?.Dispose();
    }

    private static InferenceSession Open(string path, int threads)
    {
        using var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        return new InferenceSession(path, options);
    }

    /// <summary>ids [b, longest] int64 and, where there is padding, mask [b, longest] float; Members says whose rows they are.</summary>
    private sealed class Batch
    {
        public Batch(int[] members, int[][] documents)
        {
            Members = members;
            int longest = members.Max(i => documents[i].Length);
            IsPadded = members.Any(i => documents[i].Length < longest);
            long[] ids = new long[members.Length * longest];
            float[] mask = new float[ids.Length];
            for (int row = 0; row < members.Length; row++)
            {
                int[] document = documents[members[row]];
                for (int i = 0; i < document.Length; i++)
                {
                    ids[(row * longest) + i] = document[i];
                    mask[(row * longest) + i] = 1;
                }
            }

            long[] shape = [members.Length, longest];
            Names = IsPadded ? ["ids", "mask"] : ["ids"];
            Values = IsPadded ? [OrtValue.CreateTensorValueFromMemory(ids, shape), OrtValue.CreateTensorValueFromMemory(mask, shape)] : [OrtValue.CreateTensorValueFromMemory(ids, shape)];
        }

        public int[] Members { get; }

        public bool IsPadded { get; }

        public string[] Names { get; }

        public OrtValue[] Values { get; }
    }
}
