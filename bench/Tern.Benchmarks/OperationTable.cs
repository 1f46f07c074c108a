using System.Diagnostics;
using System.Globalization;
using Tern.Compute;
using Tern.Compute.Cpu;

namespace Tern.Benchmarks;

/// <summary>
/// The <c>operations</c> verb: processor time of one thread for each operation between the matrix products, at the sizes
/// of a small retriever's training step, beside the products of one layer.
/// </summary>
internal static class OperationTable
{
    private const int Sequences = 128, Hidden = 128, Heads = 4, KeyValueHeads = 2, HeadSize = 32, Intermediate = 384, Vocabulary = 8000;

    public static void Write(TextWriter output, TimeSpan timePerOperation, string nameContains)
    {
        using CpuBackend backend = new(1);
        int[] lengths = [.. Enumerable.Range(0, Sequences).Select(i => 8 + (i * 37 % 47))]; // 8 to 54 tokens, about 31 on average
        int tokens = lengths.Sum();
        Tensor Matrix(int rows, int columns) => new NativeMatrix(rows, columns).Tensor;
        Tensor Integers(int rows, int columns, Func<int, int> value)
        {
            Tensor tensor = backend.Allocate(DType.Int32, (nint)rows * columns).Shape(rows, columns);
            int[] values = [.. Enumerable.Range(0, rows * columns).Select(value)];
            backend.Upload<int>(values, tensor);
            return tensor;
        }

        int[] starts = [0, .. lengths.Select((_, i) => lengths.Take(i + 1).Sum())];
        Tensor sequenceStarts = Integers(1, starts.Length, i => starts[i]), longStarts = Integers(1, 9, i => 512 * i), ids = Integers(1, tokens, i => (int)(i * 7919L % Vocabulary));
        Tensor x = Matrix(tokens, Hidden), y = Matrix(tokens, Hidden), z = Matrix(tokens, Hidden), weight = Matrix(1, Hidden), dWeight = Matrix(1, Hidden), perToken = Matrix(1, tokens), perSequence = Matrix(Sequences, Hidden), rotations = Matrix(512, HeadSize);
        Tensor key = Matrix(tokens, KeyValueHeads * HeadSize), value = Matrix(tokens, KeyValueHeads * HeadSize), dKey = Matrix(tokens, KeyValueHeads * HeadSize), dValue = Matrix(tokens, KeyValueHeads * HeadSize), logSumExp = Matrix(tokens, Heads);
        Tensor longX = Matrix(4096, Hidden), longY = Matrix(4096, Hidden), longZ = Matrix(4096, Hidden), longKey = Matrix(4096, 64), longValue = Matrix(4096, 64), longDKey = Matrix(4096, 64), longDValue = Matrix(4096, 64), longLogSumExp = Matrix(4096, Heads);
        Tensor gate = Matrix(tokens, Intermediate), up = Matrix(tokens, Intermediate), gated = Matrix(tokens, Intermediate), dGate = Matrix(tokens, Intermediate), dUp = Matrix(tokens, Intermediate);
        Tensor maxima = Matrix(256, Vocabulary), representations = Matrix(256, Vocabulary), dRepresentations = Matrix(256, Vocabulary), means = Matrix(1, Vocabulary), table = Matrix(Vocabulary, Hidden), dTable = Matrix(Vocabulary, Hidden);
        Tensor scores = Matrix(128, 2048), dScores = Matrix(128, 2048), labels = Integers(1, 128, i => i), perQuery = Matrix(1, 128), losses = Matrix(1, 128), student = Matrix(128, 17), teacher = Matrix(128, 17);
        Tensor parameter = Matrix(1500, 1000), gradient = Matrix(1500, 1000), first = Matrix(1500, 1000), second = Matrix(1500, 1000), project = Matrix(Hidden, Hidden), wide = Matrix(Intermediate, Hidden);
        backend.AddScaled(second, 1, second);
        backend.Fill(0.1f, second);

        List<(string Name, double Work, string Unit, Action Run)> operations =
        [
            ("one layer's products, forward", 2.0 * tokens * Hidden * ((2.0 * Hidden) + 128 + (3.0 * Intermediate)) / 1e9, "GFLOP/s", () =>
            {
                backend.MatMul(x, false, project, true, false, y);
                backend.MatMul(x, false, project, true, false, y);
                backend.MatMul(x, false, project, true, false, y);
                backend.MatMul(x, false, wide, true, false, gate);
                backend.MatMul(x, false, wide, true, false, up);
                backend.MatMul(gate, false, wide, false, false, y);
            }),
            ("RmsNormForward", 2 * Bytes(x), "GB/s", () => backend.RmsNormForward(x, weight, 1e-5f, perToken, y)),
            ("AddRmsNormForward", 4 * Bytes(x), "GB/s", () => backend.AddRmsNormForward(x, z, weight, 1e-5f, y, perToken, z)),
            ("RmsNormBackward", 4 * Bytes(x), "GB/s", () => backend.RmsNormBackward(x, y, weight, perToken, z, dWeight)),
            ("RopeForward", 2 * Bytes(x), "GB/s", () => backend.RopeForward(sequenceStarts, rotations, HeadSize, y)),
            ("AttentionForward", AttentionWork(starts), "GFLOP/s", () => backend.AttentionForward(x, key, value, sequenceStarts, Heads, KeyValueHeads, 0.17f, false, logSumExp, y)),
            ("AttentionBackward", 2.5 * AttentionWork(starts), "GFLOP/s", () => backend.AttentionBackward(z, x, key, value, y, logSumExp, sequenceStarts, Heads, KeyValueHeads, 0.17f, false, z, dKey, dValue)),
            ("AttentionForward, 8 x 512", 8 * 512.0 * 512 * 4 * Hidden / 1e9, "GFLOP/s", () => backend.AttentionForward(longX, longKey, longValue, longStarts, Heads, KeyValueHeads, 0.17f, false, longLogSumExp, longY)),
            ("AttentionBackward, 8 x 512", 2.5 * 8 * 512.0 * 512 * 4 * Hidden / 1e9, "GFLOP/s", () => backend.AttentionBackward(longZ, longX, longKey, longValue, longY, longLogSumExp, longStarts, Heads, KeyValueHeads, 0.17f, false, longZ, longDKey, longDValue)),
            ("AttentionForward, 8 x 512 causal", 4 * 512.0 * 512 * 4 * Hidden / 1e9, "GFLOP/s", () => backend.AttentionForward(longX, longKey, longValue, longStarts, Heads, KeyValueHeads, 0.17f, true, longLogSumExp, longY)),
            ("SwiGluForward", 3 * Bytes(gate), "GB/s", () => backend.SwiGluForward(gate, up, gated)),
("SwiGluBackward", 5 * Bytes(gate), "GB/s", () => backend.SwiGluBackward(gated, gate, up, dGate, dUp)),
            ("EmbeddingForward", 2 * Bytes(x), "GB/s", () => backend.EmbeddingForward(table, ids, y)),
            ("EmbeddingBackward", 3 * Bytes(x), "GB/s", () => backend.EmbeddingBackward(x, ids, dTable)),
            ("NormalizedMeanForward", Bytes(x), "GB/s", () => backend.NormalizedMeanForward(x, sequenceStarts, perToken, perSequence)),
            ("NormalizedMeanBackward", 2 * Bytes(x), "GB/s", () => backend.NormalizedMeanBackward(perSequence, x, perToken, sequenceStarts, y)),
            ("Log1pReluForward [256, 8000]", 2 * Bytes(maxima), "GB/s", () => backend.Log1pReluForward(maxima, representations)),
            ("Log1pReluBackward [256, 8000]", 3 * Bytes(maxima), "GB/s", () => backend.Log1pReluBackward(dRepresentations, maxima, representations)),
            ("FlopsForward [256, 8000]", Bytes(maxima), "GB/s", () => backend.FlopsForward(maxima, means)),
            ("FlopsBackward [256, 8000]", 3 * Bytes(maxima), "GB/s", () => backend.FlopsBackward(maxima, means, 1e-3f, dRepresentations)),
            ("InfoNceForward [128, 2048]", Bytes(scores), "GB/s", () => backend.InfoNceForward(scores, labels, 1, perQuery, losses)),
            ("InfoNceBackward [128, 2048]", 3 * Bytes(scores), "GB/s", () => backend.InfoNceBackward(scores, labels, perQuery, 1, 1e-3f, dScores)),
            ("KlDivergenceForward [128, 17]", 2 * Bytes(student), "GB/s", () => backend.KlDivergenceForward(student, teacher, 1, losses)),
            ("AdamW, 1.5 M parameters", 7 * Bytes(parameter), "GB/s", () => backend.AdamW(gradient, 1, new AdamWSettings(), 1e-9f, 10, first, second, parameter)),
            ("SumOfSquares, 1.5 M", Bytes(gradient), "GB/s", () => backend.SumOfSquares(gradient)),
        ];
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{tokens} tokens in {Sequences} sequences, {Heads} heads over {KeyValueHeads}, head size {HeadSize}; one thread\n"));
        output.WriteLine("| operation | microseconds | rate | |\n| --- | ---: | ---: | --- |");
        foreach ((string name, double work, string unit, Action run) in operations.Where(o => o.Name.Contains(nameContains, StringComparison.OrdinalIgnoreCase)))
        {
            double seconds = Fastest(timePerOperation, run);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {seconds * 1e6:F0} | {work / seconds:F1} | {unit} |"));
        }
    }

    private static double Bytes(Tensor tensor) => tensor.ElementCount * sizeof(float) / 1e9;

    private static double AttentionWork(int[] starts) => starts.Zip(starts.Skip(1), (a, b) => 4.0 * (b - a) * (b - a) * Hidden).Sum() / 1e9;

    /// <summary>The fastest decile of processor times: on a machine with neighbours the median measures them.</summary>
    private static double Fastest(TimeSpan budget, Action action)
    {
        List<double> times = [];
        Stopwatch watch = Stopwatch.StartNew();
        while (times.Count < 30 || (watch.Elapsed < budget && times.Count < 5000))
        {
            double start = ThreadClock.Seconds;
            action();
            times.Add(ThreadClock.Seconds - start);
        }

        times.Sort();
        return times[times.Count / 10];
    }
}
