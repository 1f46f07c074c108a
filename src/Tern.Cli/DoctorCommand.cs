using System.CommandLine;
using System.Diagnostics;
using Tern.Compute;
using Tern.Model;
using Tern.Model.Checkpoints;

namespace Tern.Cli;

/// <summary><c>tern doctor</c>: what this machine computes with, and whether a model does on it what it should.</summary>
internal static class DoctorCommand
{
    /// <summary>Above these a model tells texts apart no more; the limits of the trainer's own check.</summary>
    private const double CosineLimit = 0.99, PositionLimit = 0.99;

    private const int MatrixSize = 768;
    private const double MeasuringSeconds = 0.3;

    /// <summary>Texts about different things, so that a model that gives them one vector is broken.</summary>
    private static readonly string[] Texts =
    [
        "The Nile flows north through eleven countries into the Mediterranean.",
        "A hash table finds a key in constant time on average.",
        "Bread rises because yeast turns sugar into carbon dioxide.",
        "The treaty was signed in 1648 and ended thirty years of war.",
        "Influenza vaccines are made anew every year.",
        "Tighten the wheel nuts crosswise and check them after fifty kilometres.",
    ];

    public static Command Create(Terminal terminal)
    {
        var directory = new Argument<string?>("dir") { Description = "A model's directory to examine too.", Arity = ArgumentArity.ZeroOrOne };
        var flags = new ModelFlags();
        var command = new Verb("doctor", "Says what this machine computes with and how fast, and examines a model: memory, speed, contract, golden texts, collapse.")
        {
            Notes = "Memory and time of encoding and training are plans, made before anything is run. The exit code is 1 when something about the model is wrong.",
            Examples = ["tern doctor", "tern doctor models/sparse"],
        };
        command.Add(directory);
        flags.AddTo(command);
        command.SetAction((parsed, _) =>
        {
            double rate = Machine(terminal);
            return Task.FromResult(parsed.GetValue(directory) is not { } path || Model(terminal, path, flags.Read(parsed), rate) ? ExitCode.Ok : ExitCode.Failure);
        });
        return command;
    }

    /// <summary>Returns the rate of Float32 products, operations a second.</summary>
    private static double Machine(Terminal terminal)
    {
        double rate = 0;
        terminal.Out.WriteLine(Invariant($"processors: {Environment.ProcessorCount}, vectors: {SimdPaths.Current.Name}, memory: {GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 1e9:0.0} GB"));
        terminal.Out.WriteLine($"backends: {string.Join(", ", Backends.Available.Select(b => b.Name))}");
        foreach (ProductPrecision precision in Enum.GetValues<ProductPrecision>())
        {
            if (ProductPrecisions.WhyNot(precision) is { } reason)
            {
                terminal.Out.WriteLine($"products in {precision.ToName()}: no: {reason}");
                continue;
            }

            double own = Speed(precision);
            rate = precision == ProductPrecision.Float32 ? own : rate;
            terminal.Out.WriteLine(Invariant($"products in {precision.ToName()}: {own / 1e9:0} GFLOP/s"));
        }

        return rate;
    }

    /// <summary>Square projections with a prepared weight for a moment; the fastest counts.</summary>
    private static double Speed(ProductPrecision precision)
    {
        using IBackend backend = Backends.Create("cpu", 0, precision);
        using TensorMemory a = backend.Allocate(DType.Float32), b = backend.Allocate(DType.Float32), c = backend.Allocate(DType.Float32);
        Tensor left = a.Shape(MatrixSize, MatrixSize), right = b.Shape(MatrixSize, MatrixSize), product = c.Shape(MatrixSize, MatrixSize);
        backend.Fill(0.5f, left);
        backend.Fill(0.25f, right);
        using PreparedWeight weight = backend.Prepare(right);
        double best = double.PositiveInfinity;
        long start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start).TotalSeconds < MeasuringSeconds)
        {
            long before = Stopwatch.GetTimestamp();
            backend.ProjectForward(left, new ProjectionWeight(right, weight), default, product);
            best = Math.Min(best, Stopwatch.GetElapsedTime(before).TotalSeconds);
        }

        return 2.0 * MatrixSize * MatrixSize * MatrixSize / best;
    }

    /// <summary>True when nothing is wrong.</summary>
    private static bool Model(Terminal terminal, string directory, ModelOptions options, double rate)
    {
        AdapterStack stack = AdapterStack.Open(directory);
        foreach (LoraAdapter adapter in stack.Adapters.Reverse())
        {
            terminal.Out.WriteLine(Invariant($"{adapter.Directory}: adapter of rank {adapter.Config.Rank} on {adapter.Pairs.Count} projections"));
        }

        long before = Stopwatch.GetTimestamp();
        using var model = RetrieverModel.Load(directory, options);
        long weightBytes = Directory.EnumerateFiles(stack.BaseDirectory, "*.safetensors").Sum(f => new FileInfo(f).Length);
        terminal.Out.WriteLine(Invariant($"{directory}: {model.Contract.Kind.ToString().ToLowerInvariant()}, {model.ParameterCount:N0} parameters, {weightBytes / 1e9:0.00} GB of weights mapped; loaded in {Stopwatch.GetElapsedTime(before).TotalSeconds:0.0} s, products in {model.Precision.ToName()}"));
        bool healthy = true;
        RetrieverContract contract = model.Contract;
        DoctorPlans.Write(terminal, stack, contract, options, weightBytes < 3 * model.ParameterCount ? DType.BFloat16 : DType.Float32, rate);
        if (contract.Golden.Count == 0)
        {
            terminal.Out.WriteLine("golden texts: none, so that nothing shows whether BOS, prefixes and scale are those that it was trained with");
        }
        else
        {
            healthy &= Try(terminal, "golden texts", () => Invariant($"{model.SelfTest().VectorCount} agree"));
        }

        float[][] vectors = Encode(model, terminal);
        double cosine = MeanCosine(vectors);
        healthy &= Report(terminal, cosine <= CosineLimit, Invariant($"mean cosine between {Texts.Length} texts about different things: {cosine:0.000}"), Invariant($"above {CosineLimit}: it does not tell texts apart; wrong BOS or prefixes do that (--contract of tern model convert), and so does a collapsed training"));
        healthy &= Report(terminal, vectors.All(v => v.Any(x => x != 0)), "no vector is all zeros", "a vector is all zeros");
        if (contract.Kind == RepresentationKind.Sparse)
        {
            terminal.Out.WriteLine(Invariant($"non-zero terms: {vectors.Average(v => v.Count(x => x != 0)):0} a text"));
            double share = FirstPositionShare(model);
            healthy &= Report(terminal, share <= PositionLimit, Invariant($"maxima that a text's first token wins: {share:p0}"), "nearly all: only BOS is read; the model was trained without it (add_bos false), or has collapsed");
        }

        return healthy;
    }

    private static float[][] Encode(RetrieverModel model, Terminal terminal)
    {
        _ = Vectors();
        long start = Stopwatch.GetTimestamp();
        float[][] vectors = Vectors();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        List<int> tokens = [];
        foreach (string text in Texts)
        {
            model.Tokenizer.Encode(text, model.Contract.TokenizationFor(RetrievalSide.Document), tokens);
        }

        terminal.Out.WriteLine(Invariant($"speed: {tokens.Count / seconds:0} tokens/s in a batch of {Texts.Length} short texts"));
        return vectors;

        float[][] Vectors() => model.Contract.Kind == RepresentationKind.Dense
            ? model.EncodeDense(Texts, RetrievalSide.Document)
            : [.. model.EncodeSparse(Texts, RetrievalSide.Document).Select(v =>
            {
                float[] dense = new float[model.Dimension];
                for (int i = 0; i < v.Count; i++)
                {
                    dense[v.Terms.Span[i]] = v.Weights.Span[i];
                }

                return dense;
            })];
    }

    /// <summary>Of all terms of all texts, how many owe their weight to the text's first token.</summary>
    private static double FirstPositionShare(RetrieverModel model)
    {
        long all = 0, first = 0;
        foreach (string text in Texts)
        {
            foreach (TermOrigin origin in model.EncodeSparseTraced(text, RetrievalSide.Document).Origins)
            {
                all++;
                first += (model.Contract.AddBos ? origin.Length == 0 && origin.TokenId == model.Tokenizer.BosId : origin.Start == 0) ? 1 : 0;
            }
        }

        return all == 0 ? 0 : (double)first / all;
    }

    private static double MeanCosine(float[][] vectors)
    {
        double sum = 0;
        int pairs = 0;
        for (int i = 0; i < vectors.Length; i++)
        {
            for (int j = 0; j < i; j++, pairs++)
            {
                double dot = Dot(vectors[i], vectors[j]), norm = Math.Sqrt(Dot(vectors[i], vectors[i]) * Dot(vectors[j], vectors[j]));
                sum += norm > 0 ? dot / norm : 0;
            }
        }

        return sum / pairs;
    }

    private static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();

    private static bool Report(Terminal terminal, bool fine, string fact, string problem)
    {
        terminal.Out.WriteLine(fine ? fact : $"{fact}  WRONG: {problem}");
        return fine;
    }

    private static bool Try(Terminal terminal, string what, Func<string> check)
    {
        try
        {
            terminal.Out.WriteLine($"{what}: {check()}");
            return true;
        }
        catch (InvalidDataException e)
        {
            terminal.Out.WriteLine($"{what}: WRONG: {e.Message}");
            return false;
        }
    }
}
