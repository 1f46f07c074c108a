using Tern.Compute;

namespace Tern.Cli.Benches.Kernels;

/// <summary>A case for each operation that a training step or an encode is made of. Operands are made when a case is asked for.</summary>
internal sealed class KernelCases(IBackend backend, KernelShape shape, int seed)
{
    private const float Epsilon = 1e-5f, InverseTemperature = 1f, Weight = 0.5f, HeadScale = 0.05f;
    private const int Rank = 16, Float = sizeof(float);

    private readonly int _t = shape.Tokens, _h = shape.Hidden, _i = shape.Intermediate, _v = shape.Vocabulary, _b = shape.Sequences;

    private double WeightBytes => backend.Precision == ProductPrecision.BFloat16 ? 2 : 4;

    /// <summary>Of an element between the products.</summary>
    private double ActivationBytes => backend.ActivationType.ByteSize();

    /// <summary>By name of the operation, in the order of a step.</summary>
    public IReadOnlyDictionary<string, Func<KernelCase>> All => new Dictionary<string, Func<KernelCase>>(StringComparer.Ordinal)
    {
        [nameof(IBackend.EmbeddingForward)] = () => Make(nameof(IBackend.EmbeddingForward), c =>
        {
            Tensor table = c.Weight("table", _v, _h), tokens = c.Integers("tokens", Draw(_t, _v)), y = c.Output("destination", _t, _h);
            c.ByteCount = _t * _h * (WeightBytes + Float);
            return () => backend.EmbeddingForward(table, tokens, y);
        }),
        [nameof(IBackend.RmsNormForward)] = () => Make(nameof(IBackend.RmsNormForward), c =>
        {
            Tensor x = c.Input("input", _t, _h), w = c.Input("weight", 1, _h), r = c.Output("inverseRms", 1, _t), y = c.ActivationOutput("destination", _t, _h);
            c.Scalars["epsilon"] = Epsilon;
            c.ByteCount = _t * _h * (Float + ActivationBytes);
            return () => backend.RmsNormForward(x, w, Epsilon, r, y);
        }),
        [nameof(IBackend.RmsNormBackward)] = () => Make(nameof(IBackend.RmsNormBackward), c =>
        {
            Tensor dy = c.Activation("dOutput", _t, _h), x = c.Input("input", _t, _h), w = c.Input("weight", 1, _h), r = c.Input("inverseRms", 1, _t), dx = c.Changed("accumulateDInput", _t, _h), dw = c.Changed("accumulateDWeight", 1, _h);
            c.ByteCount = _t * _h * (ActivationBytes + (3.0 * Float));
            return () => backend.RmsNormBackward(dy, x, w, r, dx, dw);
        }),
        [nameof(IBackend.RopeForward)] = () => Make(nameof(IBackend.RopeForward), c =>
        {
            Tensor starts = Starts(c), rotations = c.Input("rotations", shape.Length, shape.Config.HeadSize), q = c.ActivationChanged("values", _t, shape.QueryColumns);
            c.Scalars["headSize"] = shape.Config.HeadSize;
            c.ByteCount = 2.0 * _t * shape.QueryColumns * ActivationBytes;
            return () => backend.RopeForward(starts, rotations, shape.Config.HeadSize, q);
        }),
        [nameof(IBackend.AttentionForward)] = () => Make(nameof(IBackend.AttentionForward), c =>
        {
            Tensor starts = Starts(c);
            (Tensor q, Tensor k, Tensor v) = Heads(c);
            Tensor lse = c.Output("logSumExp", _t, shape.Config.HeadCount), y = c.ActivationOutput("destination", _t, shape.QueryColumns);
            c.FlopCount = 4.0 * _t * shape.Length * shape.QueryColumns;
            c.ByteCount = 2.0 * _t * (shape.QueryColumns + shape.KeyColumns) * ActivationBytes;
            return () => backend.AttentionForward(q, k, v, starts, shape.Config.HeadCount, shape.Config.KeyValueHeadCount, Scale(c), false, lse, y);
        }),
        [nameof(IBackend.AttentionBackward)] = () => Make(nameof(IBackend.AttentionBackward), c =>
        {
            Tensor starts = Starts(c), dy = c.Activation("dOutput", _t, shape.QueryColumns);
            (Tensor q, Tensor k, Tensor v) = Heads(c);
            Tensor lse = c.Output("logSumExp", _t, shape.Config.HeadCount), y = c.ActivationOutput("output", _t, shape.QueryColumns);
            Tensor dq = c.ActivationOutput("dQuery", _t, shape.QueryColumns), dk = c.ActivationOutput("dKey", _t, shape.KeyColumns), dv = c.ActivationOutput("dValue", _t, shape.KeyColumns);
            float scale = Scale(c);
            (int heads, int groups) = (shape.Config.HeadCount, shape.Config.KeyValueHeadCount);
            c.FlopCount = 10.0 * _t * shape.Length * shape.QueryColumns;
            c.ByteCount = 4.0 * _t * (shape.QueryColumns + shape.KeyColumns) * ActivationBytes;
            c.Prepare = () => backend.AttentionForward(q, k, v, starts, heads, groups, scale, false, lse, y);
            return () => backend.AttentionBackward(dy, q, k, v, y, lse, starts, heads, groups, scale, false, dq, dk, dv);
        }),
        [nameof(IBackend.SwiGluForward)] = () => Make(nameof(IBackend.SwiGluForward), c =>
        {
            Tensor g = c.Activation("gate", _t, _i), u = c.Activation("up", _t, _i), y = c.ActivationOutput("destination", _t, _i);
            c.ByteCount = 3.0 * _t * _i * ActivationBytes;
            return () => backend.SwiGluForward(g, u, y);
        }),
        [nameof(IBackend.SwiGluBackward)] = () => Make(nameof(IBackend.SwiGluBackward), c =>
        {
            Tensor dy = c.Activation("dOutput", _t, _i), g = c.Activation("gate", _t, _i), u = c.Activation("up", _t, _i), dg = c.ActivationOutput("dGate", _t, _i), du = c.ActivationOutput("dUp", _t, _i);
            c.ByteCount = 5.0 * _t * _i * ActivationBytes;
            return () => backend.SwiGluBackward(dy, g, u, dg, du);
        }),
        [nameof(IBackend.ProjectForward)] = () => Make(nameof(IBackend.ProjectForward), c =>
        {
            Tensor x = c.Activation("input", _t, _h), w = c.Weight("weight", _i, _h, 1 / Math.Sqrt(_h)), y = c.ActivationOutput("destination", _t, _i);
            ProjectionWeight prepared = c.Prepared(w);
            c.FlopCount = 2.0 * _t * _h * _i;
            c.ByteCount = ((double)_t * (_h + _i) * ActivationBytes) + (WeightBytes * _h * _i);
            return () => backend.ProjectForward(x, prepared, default, y);
        }),
        [nameof(IBackend.ProjectBackward)] = () => Make(nameof(IBackend.ProjectBackward), c =>
        {
            Tensor dy = c.Activation("dOutput", _t, _i), x = c.Activation("input", _t, _h), w = c.Input("weight", _i, _h, 1 / Math.Sqrt(_i)), dx = c.ActivationOutput("dInput", _t, _h), dw = c.Changed("accumulateDWeight", _i, _h);
            c.FlopCount = 4.0 * _t * _h * _i;
            c.ByteCount = (2.0 * _t * (_h + _i) * ActivationBytes) + (3.0 * _h * _i * Float);
            return () => backend.ProjectBackward(dy, x, w, false, dx, dw);
        }),
        [nameof(IBackend.LoraForward)] = () => Make(nameof(IBackend.LoraForward), c =>
        {
            Tensor x = c.Activation("input", _t, _h), a = c.Input("a", Rank, _h, 1 / Math.Sqrt(_h)), b = c.Input("b", _i, Rank), z = c.ActivationOutput("projected", _t, Rank), y = c.ActivationChanged("accumulateDestination", _t, _i);
            c.Scalars["scale"] = Weight;
            c.FlopCount = 2.0 * _t * Rank * (_h + _i);
            c.ByteCount = (double)_t * (_h + (2 * _i)) * ActivationBytes;
            return () => backend.LoraForward(x, a, b, Weight, default, z, y);
        }),
        [nameof(IBackend.MaxPoolProductForward)] = () => Make(nameof(IBackend.MaxPoolProductForward), c =>
        {
            Tensor x = c.Activation("hidden", _t, _h), w = c.Weight("weight", _v, _h), starts = Starts(c), m = c.Output("maxima", _b, _v), arg = c.Output("argMax", _b, _v, DType.Int32);
            ProjectionWeight prepared = c.Prepared(w);
            c.Scalars["scale"] = HeadScale;
            c.FlopCount = 2.0 * _t * _h * _v;
            c.ByteCount = (WeightBytes * _v * _h) + ((double)_t * _h * ActivationBytes) + (8.0 * _b * _v);
            return () => backend.MaxPoolProductForward(x, prepared, default, starts, HeadScale, m, arg);
        }),
        [nameof(IBackend.MaxPoolProductBackward)] = () => Make(nameof(IBackend.MaxPoolProductBackward), c =>
        {
            // Three of a hundred entries carry gradient, as late in a training.
            const double Density = 0.03;
            float[] gradient = new float[_b * _v];
            var random = new Random(seed);
            for (int i = 0; i < gradient.Length; i++)
            {
                gradient[i] = random.NextDouble() < Density ? (float)(random.NextDouble() - 0.5) : 0;
            }

            int[] rows = [.. Enumerable.Range(0, _b * _v).Select(i => (i / _v * shape.Length) + random.Next(shape.Length))];
            Tensor g = c.Given("dMaxima", gradient, _b, _v), arg = c.Integers("argMax", rows) with { Rows = _b, Columns = _v, RowPitch = _v };
            Tensor x = c.Activation("hidden", _t, _h), w = c.Weight("weight", _v, _h), dx = c.Changed("accumulateDHidden", _t, _h);
            c.Scalars["scale"] = HeadScale;
            c.ByteCount = (Density * _b * _v * _h * WeightBytes) + (8.0 * _b * _v) + (2.0 * _t * _h * Float);
            return () => backend.MaxPoolProductBackward(g, arg, x, w, HeadScale, dx, default, default);
        }),
        [nameof(IBackend.Log1pReluForward)] = () => Make(nameof(IBackend.Log1pReluForward), c =>
        {
            Tensor m = c.Input("maxima", _b, _v), y = c.Output("destination", _b, _v);
            c.ByteCount = 2.0 * _b * _v * Float;
            return () => backend.Log1pReluForward(m, y);
        }),
        [nameof(IBackend.NormalizedMeanForward)] = () => Make(nameof(IBackend.NormalizedMeanForward), c =>
        {
            Tensor x = c.Activation("hidden", _t, _h), starts = Starts(c), r = c.Output("inverseNorms", 1, _t), y = c.Output("destination", _b, _h);
            c.ByteCount = _t * _h * ActivationBytes;
            return () => backend.NormalizedMeanForward(x, starts, r, y);
        }),
        [nameof(IBackend.InfoNceForward)] = () => Make(nameof(IBackend.InfoNceForward), c =>
        {
            Tensor s = c.Input("scores", _b, 8 * _b, 5), labels = c.Integers("labels", Draw(_b, 8 * _b)), lse = c.Output("logSumExp", 1, _b), loss = c.Output("losses", 1, _b);
            c.Scalars["inverseTemperature"] = InverseTemperature;
            c.ByteCount = 8.0 * _b * _b * Float;
            return () => backend.InfoNceForward(s, labels, InverseTemperature, lse, loss);
        }),
        [nameof(IBackend.KlDivergenceForward)] = () => Make(nameof(IBackend.KlDivergenceForward), c =>
        {
            Tensor s = c.Input("student", _b, 17, 5), teacher = c.Input("teacher", _b, 17, 5), loss = c.Output("losses", 1, _b);
            c.Scalars["inverseTemperature"] = InverseTemperature;
            c.ByteCount = 2.0 * _b * 17 * Float;
            return () => backend.KlDivergenceForward(s, teacher, InverseTemperature, loss);
        }),
        [nameof(IBackend.FlopsBackward)] = () => Make(nameof(IBackend.FlopsBackward), c =>
        {
            Tensor x = c.Input("values", _b, _v), means = c.Input("columnMeans", 1, _v), dx = c.Changed("accumulateDValues", _b, _v);
            c.Scalars["weight"] = Weight;
            c.ByteCount = 3.0 * _b * _v * Float;
            return () => backend.FlopsBackward(x, means, Weight, dx);
        }),
        [nameof(IBackend.AdamW)] = () => Make(nameof(IBackend.AdamW), c =>
        {
            Tensor g = c.Changed("gradient", _i, _h), m = c.Changed("firstMoment", _i, _h), v = c.Changed("secondMoment", _i, _h, 1, 0), p = c.Changed("parameter", _i, _h);
            (c.Scalars["gradientScale"], c.Scalars["learningRate"], c.Scalars["step"]) = (Weight, 0.01, 7);
            c.ByteCount = 8.0 * _i * _h * Float;
            return () => backend.AdamW(g, Weight, new AdamWSettings(), 0.01f, 7, m, v, p);
        }),
    };

    private KernelCase Make(string operation, Func<KernelCase, Action> build)
    {
        KernelCase made = new(operation, backend, seed);
        made.Run = build(made);
        return made;
    }

    private Tensor Starts(KernelCase c) => c.Integers("sequenceStarts", [.. Enumerable.Range(0, _b + 1).Select(b => b * shape.Length)]);

    private (Tensor Query, Tensor Key, Tensor Value) Heads(KernelCase c)
    {
        (c.Scalars["headCount"], c.Scalars["keyValueHeadCount"]) = (shape.Config.HeadCount, shape.Config.KeyValueHeadCount);
        return (c.Activation("query", _t, shape.QueryColumns), c.Activation("key", _t, shape.KeyColumns), c.Activation("value", _t, shape.KeyColumns));
    }

    private float Scale(KernelCase c)
    {
        float scale = 1 / MathF.Sqrt(shape.Config.HeadSize);
        c.Scalars["scale"] = scale;
        return scale;
    }

    private int[] Draw(int count, int below)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(below))];
    }
}
