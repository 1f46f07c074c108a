using Tern.TestKit;

namespace Tern.Compute.Tests;

/// <summary>One prepared call of every operation, at a size with several tasks and tails, for tests that hold for all of them.</summary>
internal static class OperationCases
{
    private const int Heads = 4, KeyValueHeads = 2, HeadSize = 20, Columns = Heads * HeadSize, KeyColumns = KeyValueHeads * HeadSize, Vocabulary = 1100, Candidates = 37;

    private static readonly int[] Starts = TestValues.Starts(5, 0, 130, 1, 17, 64, 33, 250, 2, 9);
    private static readonly int Tokens = Starts[^1];
    private static readonly int Sequences = Starts.Length - 1;

    public static IReadOnlyDictionary<string, Func<TestTensors, OperationCall>> All { get; } = new Dictionary<string, Func<TestTensors, OperationCall>>
    {
        [nameof(IBackend.Fill)] = t => new(t, [t.Unset(Tokens, Columns)], (b, d) => b.Fill(3, d[0])),
        [nameof(IBackend.Copy)] = t =>
        {
            Tensor source = Values(t, Tokens, Columns);
            return new(t, [t.Unset(Tokens, Columns)], (b, d) => b.Copy(source, d[0]));
        },
        [nameof(IBackend.AddScaled)] = t =>
        {
            Tensor source = Values(t, Tokens, Columns);
            return new(t, [Values(t, Tokens, Columns, 2)], (b, d) => b.AddScaled(source, 0.3f, d[0]));
        },
        [nameof(IBackend.MatMul)] = t =>
        {
            Tensor left = Values(t, Tokens, Columns), right = Values(t, KeyColumns, Columns, 2);
            return new(t, [t.Unset(Tokens, KeyColumns)], (b, d) => b.MatMul(left, false, right, true, false, d[0]));
        },
        [nameof(IBackend.ProjectForward)] = t =>
        {
            Tensor input = Values(t, Tokens, Columns), weight = Values(t, KeyColumns, Columns, 2), start = Values(t, Tokens, KeyColumns, 3);
            return new(t, [t.Unset(Tokens, KeyColumns)], (b, d) => b.ProjectForward(input, weight, start, d[0]));
        },
        [nameof(IBackend.ProjectBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, KeyColumns), input = Values(t, Tokens, Columns, 2), weight = Values(t, KeyColumns, Columns, 3);
            return new(t, [t.Unset(Tokens, Columns), Values(t, KeyColumns, Columns, 4)], (b, d) => b.ProjectBackward(dOutput, input, weight, false, d[0], d[1]));
        },
        [nameof(IBackend.GatedProjectForward)] = t =>
        {
            Tensor input = Values(t, Tokens, Columns), gate = Values(t, Vocabulary, Columns, 2), up = Values(t, Vocabulary, Columns, 3);
            return new(t, [t.Unset(Tokens, Vocabulary)], (b, d) => b.GatedProjectForward(input, gate, up, default, default, d[0]));
        },
        [nameof(IBackend.LoraForward)] = t =>
        {
            Tensor input = Values(t, Tokens, Columns), a = Values(t, 7, Columns, 2), b = Values(t, KeyColumns, 7, 3);
            Dropout dropout = new(0.3f, 5, t.Ints(TestValues.Integers(Tokens, int.MaxValue, 4), 1, Tokens));
            return new(t, [t.Unset(Tokens, 7), Values(t, Tokens, KeyColumns, 5)], (back, d) => back.LoraForward(input, a, b, 0.5f, dropout, d[0], d[1]));
        },
        [nameof(IBackend.LoraBackward)] = t =>
        {
            Tensor input = Values(t, Tokens, Columns), a = Values(t, 7, Columns, 2), b = Values(t, KeyColumns, 7, 3), dOutput = Values(t, Tokens, KeyColumns, 4), projected = Values(t, Tokens, 7, 5);
            Dropout dropout = new(0.3f, 5, t.Ints(TestValues.Integers(Tokens, int.MaxValue, 4), 1, Tokens));
            return new(t, [Values(t, Tokens, Columns, 6), Values(t, 7, Columns, 7), Values(t, KeyColumns, 7, 8)], (back, d) => back.LoraBackward(dOutput, input, a, b, projected, 0.5f, dropout, d[0], d[1], d[2]));
        },
        [nameof(IBackend.CrossEntropyProductForward)] = t =>
        {
            Tensor hidden = Values(t, Tokens, Columns), weight = Values(t, Vocabulary, Columns, 2), labels = t.Ints(TestValues.Integers(Tokens, Vocabulary, 3), 1, Tokens), best = t.Ints(new int[Tokens], 1, Tokens);
            return new(t, [t.Unset(1, Tokens), t.Unset(1, Tokens), best], (b, d) => b.CrossEntropyProductForward(hidden, weight, labels, d[0], d[1], d[2]));
        },
        [nameof(IBackend.CrossEntropyProductBackward)] = t =>
        {
            Tensor hidden = Values(t, Tokens, Columns), weight = Values(t, Vocabulary, Columns, 2), labels = t.Ints(TestValues.Integers(Tokens, Vocabulary, 3), 1, Tokens), logSumExp = Values(t, 1, Tokens, 4);
            return new(t, [t.Unset(Tokens, Columns), Values(t, Vocabulary, Columns, 5)], (b, d) => b.CrossEntropyProductBackward(hidden, weight, labels, logSumExp, 0.1f, d[0], d[1]));
        },
        [nameof(IBackend.MaxPoolProductForward)] = t =>
        {
            Tensor hidden = Values(t, Tokens, Columns), weight = Values(t, Vocabulary, Columns, 2), bias = Values(t, 1, Vocabulary, 3), starts = SequenceStarts(t), argMax = t.Ints(new int[Sequences * Vocabulary], Sequences, Vocabulary);
            return new(t, [t.Unset(Sequences, Vocabulary), argMax], (b, d) => b.MaxPoolProductForward(hidden, weight, bias, starts, 0.3f, d[0], d[1]));
        },
        [nameof(IBackend.MaxPoolProductBackward)] = t =>
        {
            // A maximum's row lies in its own sequence, as the forward leaves it; an empty sequence has none.
            int[] winners = TestValues.Integers(Sequences * Vocabulary, Tokens, 4);
            for (int i = 0; i < winners.Length; i++)
            {
                int b = i / Vocabulary, length = Starts[b + 1] - Starts[b];
                winners[i] = length == 0 ? -1 : Starts[b] + (winners[i] % length);
            }

            Tensor dMaxima = Values(t, Sequences, Vocabulary), hidden = Values(t, Tokens, Columns, 2), weight = Values(t, Vocabulary, Columns, 3), argMax = t.Ints(winners, Sequences, Vocabulary);
            return new(t, [Values(t, Tokens, Columns, 5), Values(t, Vocabulary, Columns, 6), Values(t, 1, Vocabulary, 7)], (b, d) => b.MaxPoolProductBackward(dMaxima, argMax, hidden, weight, 0.3f, d[0], d[1], d[2]));
        },
        [nameof(IBackend.EmbeddingForward)] = t =>
        {
            Tensor table = Values(t, Vocabulary, Columns), ids = t.Ints(TestValues.Integers(Tokens, Vocabulary, 2), 1, Tokens);
            return new(t, [t.Unset(Tokens, Columns)], (b, d) => b.EmbeddingForward(table, ids, d[0]));
        },
        [nameof(IBackend.EmbeddingBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, Columns), ids = t.Ints(TestValues.Integers(Tokens, 50, 2), 1, Tokens);
            return new(t, [Values(t, Vocabulary, Columns, 3)], (b, d) => b.EmbeddingBackward(dOutput, ids, d[0]));
        },
        [nameof(IBackend.RmsNormForward)] = t =>
        {
            Tensor input = Values(t, Tokens, Columns), weight = Values(t, 1, Columns, 2);
            return new(t, [t.Unset(1, Tokens), t.Unset(Tokens, Columns)], (b, d) => b.RmsNormForward(input, weight, 1e-5f, d[0], d[1]));
        },
        [nameof(IBackend.RmsNormBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, Columns), input = Values(t, Tokens, Columns, 2), weight = Values(t, 1, Columns, 3), inverse = Values(t, 1, Tokens, 4);
            return new(t, [Values(t, Tokens, Columns, 5), Values(t, 1, Columns, 6)], (b, d) => b.RmsNormBackward(dOutput, input, weight, inverse, d[0], d[1]));
        },
        [nameof(IBackend.RopeForward)] = t =>
        {
            Tensor rotations = Values(t, 250, HeadSize), starts = SequenceStarts(t);
            return new(t, [Values(t, Tokens, Columns, 2)], (b, d) => b.RopeForward(starts, rotations, HeadSize, d[0]));
        },
        [nameof(IBackend.RopeBackward)] = t =>
        {
            Tensor rotations = Values(t, 250, HeadSize), starts = SequenceStarts(t);
            return new(t, [Values(t, Tokens, Columns, 2)], (b, d) => b.RopeBackward(starts, rotations, HeadSize, d[0]));
        },
        [nameof(IBackend.AttentionForward)] = t =>
        {
            Tensor query = Values(t, Tokens, Columns), key = Values(t, Tokens, KeyColumns, 2), value = Values(t, Tokens, KeyColumns, 3), starts = SequenceStarts(t);
            return new(t, [t.Unset(Tokens, Heads), t.Unset(Tokens, Columns)], (b, d) => b.AttentionForward(query, key, value, starts, Heads, KeyValueHeads, 0.2f, false, d[0], d[1]));
        },
        [nameof(IBackend.AttentionBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, Columns, 4), query = Values(t, Tokens, Columns), key = Values(t, Tokens, KeyColumns, 2), value = Values(t, Tokens, KeyColumns, 3), starts = SequenceStarts(t);
            Tensor logSumExp = t.Unset(Tokens, Heads), output = t.Unset(Tokens, Columns);
            t.Backend.AttentionForward(query, key, value, starts, Heads, KeyValueHeads, 0.2f, true, logSumExp, output);
            return new(t, [t.Unset(Tokens, Columns), t.Unset(Tokens, KeyColumns), t.Unset(Tokens, KeyColumns)], (b, d) => b.AttentionBackward(dOutput, query, key, value, output, logSumExp, starts, Heads, KeyValueHeads, 0.2f, true, d[0], d[1], d[2]));
        },
        [nameof(IBackend.SwiGluForward)] = t =>
        {
            Tensor gate = Values(t, Tokens, Columns), up = Values(t, Tokens, Columns, 2);
            return new(t, [t.Unset(Tokens, Columns)], (b, d) => b.SwiGluForward(gate, up, d[0]));
        },
        [nameof(IBackend.SwiGluBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, Columns, 3), gate = Values(t, Tokens, Columns), up = Values(t, Tokens, Columns, 2);
            return new(t, [t.Unset(Tokens, Columns), t.Unset(Tokens, Columns)], (b, d) => b.SwiGluBackward(dOutput, gate, up, d[0], d[1]));
        },
        [nameof(IBackend.Log1pReluForward)] = t =>
        {
            Tensor maxima = Values(t, Tokens, Columns);
            return new(t, [t.Unset(Tokens, Columns)], (b, d) => b.Log1pReluForward(maxima, d[0]));
        },
        [nameof(IBackend.Log1pReluBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, Columns), maxima = Values(t, Tokens, Columns, 2);
            return new(t, [t.Unset(Tokens, Columns)], (b, d) => b.Log1pReluBackward(dOutput, maxima, d[0]));
        },
        [nameof(IBackend.NormalizedMeanForward)] = t =>
        {
            Tensor hidden = Values(t, Tokens, Columns), starts = SequenceStarts(t);
            return new(t, [t.Unset(1, Tokens), t.Unset(Sequences, Columns)], (b, d) => b.NormalizedMeanForward(hidden, starts, d[0], d[1]));
        },
        [nameof(IBackend.NormalizedMeanBackward)] = t =>
        {
            Tensor dOutput = Values(t, Sequences, Columns), hidden = Values(t, Tokens, Columns, 2), inverse = Values(t, 1, Tokens, 3), starts = SequenceStarts(t);
            return new(t, [t.Unset(Tokens, Columns)], (b, d) => b.NormalizedMeanBackward(dOutput, hidden, inverse, starts, d[0]));
        },
        [nameof(IBackend.InfoNceForward)] = t =>
        {
            Tensor scores = Values(t, Tokens, Candidates), labels = Labels(t);
            return new(t, [t.Unset(1, Tokens), t.Unset(1, Tokens)], (b, d) => b.InfoNceForward(scores, labels, 3, d[0], d[1]));
        },
        [nameof(IBackend.InfoNceBackward)] = t =>
        {
            Tensor scores = Values(t, Tokens, Candidates), labels = Labels(t), logSumExp = Values(t, 1, Tokens, 3);
            return new(t, [Values(t, Tokens, Candidates, 4)], (b, d) => b.InfoNceBackward(scores, labels, logSumExp, 3, 0.1f, d[0]));
        },
        [nameof(IBackend.KlDivergenceForward)] = t =>
        {
            Tensor student = Values(t, Tokens, Candidates), teacher = Values(t, Tokens, Candidates, 2);
            return new(t, [t.Unset(1, Tokens)], (b, d) => b.KlDivergenceForward(student, teacher, 3, d[0]));
        },
        [nameof(IBackend.KlDivergenceBackward)] = t =>
        {
            Tensor student = Values(t, Tokens, Candidates), teacher = Values(t, Tokens, Candidates, 2);
            return new(t, [Values(t, Tokens, Candidates, 3)], (b, d) => b.KlDivergenceBackward(student, teacher, 3, 0.1f, d[0]));
        },
        [nameof(IBackend.MarginMseForward)] = t =>
        {
            Tensor student = Values(t, Tokens, Candidates), teacher = Values(t, Tokens, Candidates, 2);
            return new(t, [t.Unset(1, Tokens)], (b, d) => b.MarginMseForward(student, teacher, 3, d[0]));
        },
        [nameof(IBackend.MarginMseBackward)] = t =>
        {
            Tensor student = Values(t, Tokens, Candidates), teacher = Values(t, Tokens, Candidates, 2);
            return new(t, [Values(t, Tokens, Candidates, 3)], (b, d) => b.MarginMseBackward(student, teacher, 3, 0.1f, d[0]));
        },
        [nameof(IBackend.GatherColumnsForward)] = t =>
        {
            Tensor source = Values(t, Tokens, Columns), columns = t.Ints(TestValues.Integers(Tokens * Candidates, Columns, 2), Tokens, Candidates);
            return new(t, [t.Unset(Tokens, Candidates)], (b, d) => b.GatherColumnsForward(source, columns, d[0]));
        },
        [nameof(IBackend.GatherColumnsBackward)] = t =>
        {
            Tensor dOutput = Values(t, Tokens, Candidates), columns = t.Ints(TestValues.Integers(Tokens * Candidates, Columns, 2), Tokens, Candidates);
            return new(t, [Values(t, Tokens, Columns, 3)], (b, d) => b.GatherColumnsBackward(dOutput, columns, d[0]));
        },
        [nameof(IBackend.FlopsForward)] = t =>
        {
            Tensor values = Values(t, 60, Vocabulary);
            return new(t, [t.Unset(1, Vocabulary)], (b, d) => b.FlopsForward(values, d[0]));
        },
        [nameof(IBackend.FlopsBackward)] = t =>
        {
            Tensor values = Values(t, 60, Vocabulary), means = Values(t, 1, Vocabulary, 2);
            return new(t, [Values(t, 60, Vocabulary, 3)], (b, d) => b.FlopsBackward(values, means, 0.1f, d[0]));
        },
        [nameof(IBackend.SumOfSquares)] = t =>
        {
            Tensor values = Values(t, Tokens, Columns);
            return new(t, [], (b, _) => b.SumOfSquares(values));
        },
        [nameof(IBackend.CountNonZeros)] = t =>
        {
            Tensor values = Values(t, 60, Vocabulary), maxima = t.Unset(60, Vocabulary);
            t.Backend.Log1pReluForward(values, maxima);
            int[] counts = new int[60];
            return new(t, [], (b, _) =>
            {
                b.CountNonZeros(maxima, counts);
                return counts[0] + counts[59];
            });
        },
        [nameof(IBackend.AdamW)] = t =>
        {
            Tensor second = t.Floats(Array.ConvertAll(TestValues.Normal(Tokens * Columns, 2), Math.Abs), Tokens, Columns);
            return new(t, [Values(t, Tokens, Columns), Values(t, Tokens, Columns, 3), second, Values(t, Tokens, Columns, 4)], (b, d) => b.AdamW(d[0], 0.5f, new AdamWSettings(), 0.01f, 7, d[1], d[2], d[3]));
        },
    };

    private static Tensor Values(TestTensors tensors, int rows, int columns, int seed = 1) => tensors.Floats(TestValues.Normal(rows * columns, seed), rows, columns);

    private static Tensor SequenceStarts(TestTensors tensors) => tensors.Ints(Starts, 1, Starts.Length);

    private static Tensor Labels(TestTensors tensors) => tensors.Ints(TestValues.Integers(Tokens, Candidates, 9), 1, Tokens);
}

/// <summary>A call with its destinations; a scalar result is kept too.</summary>
internal sealed class OperationCall
{
    private readonly TestTensors _tensors;
    private readonly Tensor[] _destinations;
    private readonly Func<IBackend, Tensor[], double> _call;
    private double _result;

    public OperationCall(TestTensors tensors, Tensor[] destinations, Action<IBackend, Tensor[]> call)
        : this(tensors, destinations, (backend, d) =>
        {
            call(backend, d);
            return 0.0;
        })
    {
    }

    public OperationCall(TestTensors tensors, Tensor[] destinations, Func<IBackend, Tensor[], double> call)
    {
        _tensors = tensors;
        _destinations = destinations;
        _call = call;
    }

    public void Run() => _result = _call(_tensors.Backend, _destinations);

    /// <summary>The bits of all results.</summary>
    public long[] Bits() => [BitConverter.DoubleToInt64Bits(_result), .. _destinations.SelectMany(_tensors.ReadInts).Select(x => (long)x)];
}
