using System.Diagnostics;
using System.Globalization;
using Tern.Compute;
using Tern.Compute.Cpu;

namespace Tern.Benchmarks;

/// <summary>
/// The <c>operations</c> verb: processor time of one thread for each operation between the matrix products, beside the
/// core's multiply-add peak and memory bandwidth measured in the same run. The last column is the rate's share of that
/// limit; above 100 % of the bandwidth the operands lay in a cache.
/// </summary>
internal static class OperationTable
{
    private static readonly StepShape[] Shapes =
    [
        new("4096 tokens, 32 x 128", [.. Enumerable.Repeat(128, 32)], 512, 8, 4, 64, 1536),
        new("4096 tokens, mixed 16 to 512", Mixed(4096), 512, 8, 4, 64, 1536),
        new("the demo's sparse model", [.. Enumerable.Range(0, 128).Select(i => 8 + (i * 37 % 47))], 128, 4, 4, 32, 384),
    ];

    public static void Write(TextWriter output, TimeSpan timePerOperation, string nameContains)
    {
        using CpuBackend backend = new(1);
        Limits limits = new(Peak(), Bandwidth());
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $".NET {Environment.Version}, {SimdPaths.Current}, one thread of {Environment.ProcessorCount}: {limits.Peak:F0} GFLOP/s, {limits.Bandwidth:F1} GB/s\n"));
        foreach (StepShape shape in Shapes)
        {
            Print(output, backend, shape.ToString(), t => BlockOperations(t, shape), limits, timePerOperation, nameContains);
        }

        foreach ((int vocabulary, int hidden, int sequences, int tokens, double density) in new[] { (8000, 128, 384, 12000, 0.02), (32000, 512, 64, 4096, 0.02), (128256, 256, 32, 4096, 0.02), (128256, 2048, 16, 2048, 0.01) })
        {
            Print(output, backend, string.Create(CultureInfo.InvariantCulture, $"sparse head, V {vocabulary}, H {hidden}, {sequences} sequences, {tokens} tokens, {100 * density} % gradients"), t => HeadOperations(t, vocabulary, hidden, sequences, tokens, density), limits, timePerOperation, nameContains);
        }

        Print(output, backend, "losses and optimiser", StepOperations, limits, timePerOperation, nameContains);
    }

    private static List<Operation> BlockOperations(Tensors tensors, StepShape s)
    {
        CpuBackend backend = tensors.Backend;
        int tokens = s.Starts[^1], queryColumns = s.Heads * s.HeadSize, keyColumns = s.KeyValueHeads * s.HeadSize;
        Tensor Matrix(int rows, int columns) => Values(tensors, rows, columns);
        Tensor starts = Integers(tensors, 1, s.Starts.Length, i => s.Starts[i]), rotations = Matrix(512, s.HeadSize);
        Tensor x = Matrix(tokens, s.Hidden), y = Matrix(tokens, s.Hidden), z = Matrix(tokens, s.Hidden), weight = Matrix(1, s.Hidden), dWeight = Matrix(1, s.Hidden), perToken = Matrix(1, tokens), perSequence = Matrix(s.Starts.Length - 1, s.Hidden);
        Tensor query = Matrix(tokens, queryColumns), key = Matrix(tokens, keyColumns), value = Matrix(tokens, keyColumns), attended = Matrix(tokens, queryColumns), logSumExp = Matrix(tokens, s.Heads);
        Tensor dAttended = Matrix(tokens, queryColumns), dQuery = Matrix(tokens, queryColumns), dKey = Matrix(tokens, keyColumns), dValue = Matrix(tokens, keyColumns);
        Tensor gate = Matrix(tokens, s.Intermediate), up = Matrix(tokens, s.Intermediate), gated = Matrix(tokens, s.Intermediate), dGate = Matrix(tokens, s.Intermediate), dUp = Matrix(tokens, s.Intermediate);
        Tensor projectQuery = Matrix(queryColumns, s.Hidden), projectKey = Matrix(keyColumns, s.Hidden), projectOutput = Matrix(s.Hidden, queryColumns), wide = Matrix(s.Intermediate, s.Hidden);
        float scale = 1 / MathF.Sqrt(s.HeadSize);
        void Attention(bool causal) => backend.AttentionForward(query, key, value, starts, s.Heads, s.KeyValueHeads, scale, causal, logSumExp, attended);
        void AttentionGradient(bool causal) => backend.AttentionBackward(dAttended, query, key, value, attended, logSumExp, starts, s.Heads, s.KeyValueHeads, scale, causal, dQuery, dKey, dValue);
        double projections = 2.0 * tokens * s.Hidden * ((2.0 * queryColumns) + (2.0 * keyColumns) + (3.0 * s.Intermediate)) / 1e9;
        return
        [
            new("products of one layer, forward", projections, true, () =>
            {
                backend.MatMul(x, false, projectQuery, true, false, query);
                backend.MatMul(x, false, projectKey, true, false, key);
                backend.MatMul(x, false, projectKey, true, false, value);
                backend.MatMul(attended, false, projectOutput, true, false, y);
                backend.MatMul(x, false, wide, true, false, gate);
                backend.MatMul(x, false, wide, true, false, up);
                backend.MatMul(gate, false, wide, false, false, y);
            }),
            new("AttentionForward", s.AttentionWork(false), true, () => Attention(false)),
            new("AttentionBackward", 2.5 * s.AttentionWork(false), true, () => AttentionGradient(false)),
            new("AttentionForward, causal", s.AttentionWork(true), true, () => Attention(true)),
            new("AttentionBackward, causal", 2.5 * s.AttentionWork(true), true, () => AttentionGradient(true)),
            new("RmsNormForward", 2 * Bytes(x), false, () => backend.RmsNormForward(x, weight, 1e-5f, perToken, y)),
            new("RmsNormBackward", 4 * Bytes(x), false, () => backend.RmsNormBackward(x, y, weight, perToken, z, dWeight)),
            new("RopeForward, query and key", 2 * (Bytes(query) + Bytes(key)), false, () =>
            {
                backend.RopeForward(starts, rotations, s.HeadSize, dQuery);
                backend.RopeForward(starts, rotations, s.HeadSize, dKey);
            }),
            new("SwiGluForward", 3 * Bytes(gate), false, () => backend.SwiGluForward(gate, up, gated)),
            new("SwiGluBackward", 5 * Bytes(gate), false, () => backend.SwiGluBackward(gated, gate, up, dGate, dUp)),
            new("NormalizedMeanForward", Bytes(x), false, () => backend.NormalizedMeanForward(x, starts, perToken, perSequence)),
            new("NormalizedMeanBackward", 2 * Bytes(x), false, () => backend.NormalizedMeanBackward(perSequence, x, perToken, starts, y)),
        ];
    }

    /// <summary>The gradient's floor: each weight row with a gradient is read, its gradient read and written, and each entry multiplies a row twice.</summary>
    private static List<Operation> HeadOperations(Tensors tensors, int vocabulary, int hidden, int sequences, int tokens, double density)
    {
        CpuBackend backend = tensors.Backend;
        Tensor Matrix(int rows, int columns) => Values(tensors, rows, columns);
        Tensor maxima = Matrix(sequences, vocabulary), representations = Matrix(sequences, vocabulary), dRepresentations = Matrix(sequences, vocabulary), means = Matrix(1, vocabulary), dMaxima = Matrix(sequences, vocabulary);
        Tensor weight = Matrix(vocabulary, hidden), dWeight = Matrix(vocabulary, hidden), bias = Matrix(1, vocabulary), dBias = Matrix(1, vocabulary), hiddenStates = Matrix(tokens, hidden), dHidden = Matrix(tokens, hidden);
        Tensor ids = Integers(tensors, 1, tokens, i => (int)(i * 7919L % vocabulary));

        // Which terms a sequence has follows a power law, as in texts: a few in all, most in few.
        Random random = new(1);
        int perSequence = (int)(density * vocabulary);
        Tensor argMax = tensors.Allocate(DType.Int32, sequences, vocabulary);
        Span<int> winners = argMax.Span<int>();
        Span<float> gradients = dMaxima.Span<float>(), positive = maxima.Span<float>();
        int length = tokens / sequences;
        HashSet<int> rows = [];
        gradients.Clear();
        positive.Fill(-1f);
        for (int b = 0; b < sequences; b++)
        {
            for (int v = 0; v < vocabulary; v++)
            {
                winners[(b * vocabulary) + v] = (b * length) + random.Next(length);
            }

            for (int n = 0; n < perSequence; n++)
            {
                int v = (int)(vocabulary * Math.Pow(random.NextDouble(), 3));
                gradients[(b * vocabulary) + v] = (float)random.NextDouble() - 0.5f;
                positive[(b * vocabulary) + v] = (float)random.NextDouble();
                rows.Add(v);
            }
        }

        int entries = gradients.Length - gradients.Count(0f);
        double work = Bytes(dMaxima) + (entries * sizeof(int) / 1e9) + (3.0 * rows.Count * hidden * sizeof(float) / 1e9);
        return
        [
            new($"MaxPoolProductBackward, {entries} entries", work, false, () => backend.MaxPoolProductBackward(dMaxima, argMax, hiddenStates, weight, 0.1f, dHidden, dWeight, dBias)),
            new("the same in multiply-adds", 4.0 * entries * hidden / 1e9, true, () => backend.MaxPoolProductBackward(dMaxima, argMax, hiddenStates, weight, 0.1f, dHidden, dWeight, dBias)),
            new("Log1pReluForward", 2 * Bytes(maxima), false, () => backend.Log1pReluForward(maxima, representations)),
            new("Log1pReluBackward", 3 * Bytes(maxima), false, () => backend.Log1pReluBackward(dRepresentations, maxima, representations)),
            new("FlopsForward", Bytes(maxima), false, () => backend.FlopsForward(representations, means)),
            new("FlopsBackward", 3 * Bytes(maxima), false, () => backend.FlopsBackward(representations, means, 1e-3f, dRepresentations)),
            new("EmbeddingForward", 2 * Bytes(hiddenStates), false, () => backend.EmbeddingForward(weight, ids, dHidden)),
            new("EmbeddingBackward", 3 * Bytes(hiddenStates), false, () => backend.EmbeddingBackward(hiddenStates, ids, dWeight)),
        ];
    }

    private static List<Operation> StepOperations(Tensors tensors)
    {
        CpuBackend backend = tensors.Backend;
        Tensor scores = Values(tensors, 192, 2048), dScores = Values(tensors, 192, 2048), labels = Integers(tensors, 1, 192, i => i), perQuery = Values(tensors, 1, 192), losses = Values(tensors, 1, 192), student = Values(tensors, 192, 17), teacher = Values(tensors, 192, 17), dStudent = Values(tensors, 192, 17);
        Tensor parameter = Values(tensors, 8000, 1000), gradient = Values(tensors, 8000, 1000), first = Values(tensors, 8000, 1000), second = Values(tensors, 8000, 1000);
        backend.Fill(0.1f, second);
        return
        [
            new("InfoNceForward [192, 2048]", Bytes(scores), false, () => backend.InfoNceForward(scores, labels, 1, perQuery, losses)),
            new("InfoNceBackward [192, 2048]", 3 * Bytes(scores), false, () => backend.InfoNceBackward(scores, labels, perQuery, 1, 1e-3f, dScores)),
            new("KlDivergenceForward [192, 17]", 2 * Bytes(student), false, () => backend.KlDivergenceForward(student, teacher, 1, losses)),
            new("KlDivergenceBackward [192, 17]", 4 * Bytes(student), false, () => backend.KlDivergenceBackward(student, teacher, 1, 1e-3f, dStudent)),
            new("SumOfSquares, 8 M", Bytes(gradient), false, () => backend.SumOfSquares(gradient)),
            new("AdamW with the gradient zeroed, 8 M parameters", 8 * Bytes(parameter), false, () => backend.AdamW(gradient, 1, new AdamWSettings(), 1e-9f, 10, first, second, parameter)),
            new("Fill, 8 M", Bytes(gradient), false, () => backend.Fill(0.001f, gradient)),
        ];
    }

    private static void Print(TextWriter output, CpuBackend backend, string title, Func<Tensors, List<Operation>> prepare, Limits limits, TimeSpan time, string nameContains)
    {
        using Tensors tensors = new(backend);
        List<Operation> operations = prepare(tensors);
        if (!operations.Exists(o => o.Name.Contains(nameContains, StringComparison.OrdinalIgnoreCase)))
        {
            return;
        }

        output.WriteLine($"{title}\n\n| operation | microseconds | rate | | of the limit |\n| --- | ---: | ---: | --- | ---: |");
        foreach (Operation operation in operations.Where(o => o.Name.Contains(nameContains, StringComparison.OrdinalIgnoreCase)))
        {
            double seconds = Fastest(time, operation.Run);
            double rate = operation.Work / seconds;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {operation.Name} | {seconds * 1e6:F0} | {rate:F1} | {(operation.IsArithmetic ? "GFLOP/s" : "GB/s")} | {100 * rate / (operation.IsArithmetic ? limits.Peak : limits.Bandwidth):F0} % |"));
        }

        output.WriteLine();
    }

    /// <summary>GB/s of y += a · x over operands that no cache holds: two reads and a write.</summary>
    private static double Bandwidth()
    {
        const int Count = 48 << 20;
        using CpuBackend backend = new(1);
        using TensorMemory first = backend.Allocate(DType.Float32, Count), second = backend.Allocate(DType.Float32, Count);
        Tensor x = first.Shape(1, Count), y = second.Shape(1, Count);
        backend.Fill(1, x);
        backend.Fill(1, y);
        double best = double.MaxValue;
        for (int repeat = 0; repeat < 8; repeat++)
        {
            double start = ThreadClock.Seconds;
            backend.AddScaled(x, 0.5f, y);
            best = Math.Min(best, ThreadClock.Seconds - start);
        }

        return 3.0 * Count * sizeof(float) / best / 1e9;
    }

    private static double Peak() => SimdPaths.Current.VectorByteCount switch
    {
        64 => FmaPeak.Measure<FloatVector512>(),
        32 => FmaPeak.Measure<FloatVector256>(),
        _ => FmaPeak.Measure<FloatVector128>(),
    };

    private static Tensor Values(Tensors tensors, int rows, int columns)
    {
        Tensor tensor = tensors.Allocate(DType.Float32, rows, columns);
        Random random = new(rows + columns);
        foreach (ref float value in tensor.Span<float>())
        {
            value = (float)((random.NextDouble() * 2) - 1);
        }

        return tensor;
    }

    private static Tensor Integers(Tensors tensors, int rows, int columns, Func<int, int> value)
    {
        Tensor tensor = tensors.Allocate(DType.Int32, rows, columns);
        Span<int> values = tensor.Span<int>();
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = value(i);
        }

        return tensor;
    }

    /// <summary>Lengths from 16 to 512, short ones more often, with this sum.</summary>
    private static int[] Mixed(int tokens)
    {
        List<int> lengths = [];
        for (int i = 0, left = tokens; left > 0; left -= lengths[^1], i++)
        {
            lengths.Add(Math.Min(left, (int)(16 * Math.Pow(32, i * 7 % 16 / 15.0))));
        }

        return [.. lengths];
    }

    private static double Bytes(Tensor tensor) => tensor.ElementCount * sizeof(float) / 1e9;

    /// <summary>The fastest decile of processor times: on a machine with neighbours the median measures them.</summary>
    private static double Fastest(TimeSpan budget, Action action)
    {
        action();
        List<double> times = [];
        Stopwatch watch = Stopwatch.StartNew();
        while (times.Count < 10 || (watch.Elapsed < budget && times.Count < 5000))
        {
            double start = ThreadClock.Seconds;
            action();
            times.Add(ThreadClock.Seconds - start);
        }

        times.Sort();
        return times[times.Count / 10];
    }

    /// <summary>A table's operands, which live until it is written.</summary>
    private sealed class Tensors(CpuBackend backend) : IDisposable
    {
        private readonly List<TensorMemory> _memories = [];

        public CpuBackend Backend => backend;

        public Tensor Allocate(DType type, int rows, int columns)
        {
            _memories.Add(backend.Allocate(type, (nint)rows * columns));
            return _memories[^1].Shape(rows, columns);
        }

        public void Dispose() => _memories.ForEach(m => m.Dispose());
    }

    private readonly record struct Limits(double Peak, double Bandwidth);

    /// <summary>Work in GFLOP or GB.</summary>
    private sealed record Operation(string Name, double Work, bool IsArithmetic, Action Run);

    private sealed record StepShape(string Name, int[] Lengths, int Hidden, int Heads, int KeyValueHeads, int HeadSize, int Intermediate)
    {
        public int[] Starts { get; } = [0, .. Lengths.Select((_, i) => Lengths.Take(i + 1).Sum())];

        /// <summary>GFLOP of the forward's two products.</summary>
        public double AttentionWork(bool causal) => Lengths.Sum(n => 4.0 * (causal ? n * (n + 1.0) / 2 : (double)n * n) * Heads * HeadSize) / 1e9;

        public override string ToString() => $"{Name}: {Starts[^1]} tokens in {Lengths.Length} sequences, hidden {Hidden}, {Heads} heads over {KeyValueHeads} of {HeadSize}, intermediate {Intermediate}";
    }
}
