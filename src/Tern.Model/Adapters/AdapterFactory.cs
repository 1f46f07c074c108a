using Tern.Compute;
using Tern.Model.Checkpoints;

namespace Tern.Model;

/// <summary>Makes live adapters: from files, or new ones.</summary>
internal static class AdapterFactory
{
    private const string DefaultName = "default";

    /// <exception cref="InvalidDataException">The adapter changes a weight that the model lacks or has in another shape.</exception>
    public static LiveAdapter FromFiles(IBackend backend, LlamaWeights weights, LoraAdapter stored, string below, bool trainable, List<IDisposable> owned)
    {
        HashSet<string> known = [.. weights.Parameters.Select(p => p.Name)];
        if (stored.Pairs.Keys.FirstOrDefault(name => !known.Contains(name)) is { } foreign)
        {
            throw new InvalidDataException($"{stored.Directory}: changes {foreign}, which the model below does not have: they do not belong together");
        }

        List<AdaptedProjection> projections = [];
        foreach (Parameter weight in weights.Parameters.Where(p => stored.Pairs.ContainsKey(p.Name)))
        {
            LoraPair pair = stored.Pairs[weight.Name];
            if (weight.Value.Rows != pair.Outputs || weight.Value.Columns != pair.Inputs)
            {
                throw new InvalidDataException($"{stored.Directory}: {weight.Name} is [{weight.Value.Rows}, {weight.Value.Columns}] in the model below, but the adapter was made for [{pair.Outputs}, {pair.Inputs}]: they do not belong together");
            }

            projections.Add(Projection(backend, weights, weight, pair.A, pair.B, pair.Rank, pair.Scale, trainable ? stored.Config.Dropout : 0f, trainable, owned));
        }

        return new LiveAdapter(stored.Config with { BaseModel = below }, stored.Directory, projections, trainable);
    }

    /// <summary>A is uniform in ±1/√in, as PEFT draws it, and B zero; a weight's numbers depend on the seed and its name only.</summary>
    public static LiveAdapter New(IBackend backend, LlamaWeights weights, LoraSettings settings, string below, List<IDisposable> owned)
    {
        settings.Validate();
        AdapterConfig config = settings.ToConfig() with { BaseModel = below };
        List<AdaptedProjection> projections = [];
        foreach (Parameter weight in weights.Parameters.Where(p => settings.Targets.Any(target => p.Name.EndsWith($".{target}.weight", StringComparison.Ordinal))))
        {
            float[] a = new float[checked(settings.Rank * weight.Value.Columns)], b = new float[checked(weight.Value.Rows * settings.Rank)];
            new NormalSource(settings.Seed, weight.Name + ".lora_A").FillUniform(1f / MathF.Sqrt(weight.Value.Columns), a);
            projections.Add(Projection(backend, weights, weight, a, b, settings.Rank, config.Scale(ProjectionName(weight), settings.Rank), settings.Dropout, true, owned));
        }

        return new LiveAdapter(config, "", projections, isTrainable: true);
    }

    /// <summary>The name of an A or B in a file, without its prefix: <c>layers.0.mlp.up_proj.lora_A.weight</c>.</summary>
    public static string StoredName(Parameter half)
    {
        int adapterName = half.Name.LastIndexOf('.', half.Name.Length - ".weight".Length - 1);
        return $"{half.Name["model.".Length..adapterName]}.weight";
    }

    /// <summary>Such as <c>model.layers.0.mlp.up_proj</c>.</summary>
    private static string ProjectionName(Parameter weight) => weight.Name[..^".weight".Length];

    private static AdaptedProjection Projection(IBackend backend, LlamaWeights weights, Parameter weight, float[] a, float[] b, int rank, float scale, float dropoutRate, bool trainable, List<IDisposable> owned)
    {
        string above = weights.Adapters.Count == 0 ? DefaultName : FormattableString.Invariant($"{DefaultName}_{weights.Adapters.Count}");
        string prefix = ProjectionName(weight);
        Parameter first = Make(new ParameterLayout($"{prefix}.lora_A.{above}.weight", rank, weight.Value.Columns, ParameterRole.Projection), a);
        Parameter second = Make(new ParameterLayout($"{prefix}.lora_B.{above}.weight", weight.Value.Rows, rank, ParameterRole.Projection), b);
        uint key = Dropout.Mix((uint)NormalSource.Hash(first.Name));
        return new AdaptedProjection(weight, first, second, scale, dropoutRate, key);

        Parameter Make(ParameterLayout layout, float[] values)
        {
            Tensor value = LlamaWeights.Allocate(backend, DType.Float32, layout, owned);
            backend.Upload<float>(values, value);
            return new Parameter(layout.Name, value, trainable ? LlamaWeights.AllocateGradient(backend, layout, owned) : default, isVector: false);
        }
    }
}
