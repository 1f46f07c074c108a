using Tern.Compute;
using Tern.Model;

namespace Tern.Training;

/// <summary>
/// AdamW over the trainable parameters, in their order. Norms' weights and biases do not decay. Owns the moments, not the
/// parameters.
/// </summary>
internal sealed class AdamWOptimizer : IDisposable
{
    private readonly IBackend _backend;
    private readonly TrainingOptions _options;
    private readonly List<TensorMemory> _owned = [];
    private readonly List<OptimizedParameter> _parameters = [];

    public AdamWOptimizer(IBackend backend, IReadOnlyList<Parameter> parameters, TrainingOptions options)
    {
        _backend = backend;
        _options = options;
        foreach (ParameterGroup group in options.ParameterGroups)
        {
            if (!parameters.Any(p => p.Name.Contains(group.NameContains, StringComparison.Ordinal)))
            {
                throw new ArgumentException($"{nameof(options.ParameterGroups)}: no parameter's name contains '{group.NameContains}'; names are such as {parameters[0].Name}");
            }
        }

        foreach (Parameter parameter in parameters.Where(p => p.IsTrainable))
        {
            ParameterGroup? group = options.ParameterGroups.FirstOrDefault(g => parameter.Name.Contains(g.NameContains, StringComparison.Ordinal));
            _parameters.Add(new OptimizedParameter(
                parameter,
                Moment(parameter.Value),
                Moment(parameter.Value),
                group?.LearningRateMultiplier ?? 1f,
                options.Optimizer with { WeightDecay = parameter.IsVector ? 0f : options.Optimizer.WeightDecay }));
        }
    }

    /// <summary>The parameters with their moments, in the weights' order.</summary>
    public IReadOnlyList<OptimizedParameter> Parameters => _parameters;

    /// <summary>√ of the sum of squares of all gradients, in double precision and a fixed order.</summary>
    public double GradientNorm()
    {
        double sum = 0;
        foreach (OptimizedParameter optimized in _parameters)
        {
            sum += _backend.SumOfSquares(optimized.Parameter.Gradient);
        }

        return Math.Sqrt(sum);
    }

    /// <summary>The factor that brings gradients of this norm down to the limit.</summary>
    public float ClipScale(double norm) => _options.GradientClip > 0f && norm > _options.GradientClip ? (float)(_options.GradientClip / norm) : 1f;

    /// <summary>Updates every parameter and zeroes its gradient; step is 1-based.</summary>
    public void Step(int step, double learningRate, float gradientScale)
    {
        foreach (OptimizedParameter optimized in _parameters)
        {
            float rate = (float)(learningRate * optimized.LearningRateMultiplier);
            _backend.AdamW(optimized.Parameter.Gradient, gradientScale, optimized.Settings, rate, step, optimized.FirstMoment, optimized.SecondMoment, optimized.Parameter.Value);
        }
    }

    public void Dispose() => _owned.ForEach(m => m.Dispose());

    private Tensor Moment(Tensor value)
    {
        TensorMemory memory = _backend.Allocate(DType.Float32, value.ElementCount);
        _owned.Add(memory);
        Tensor moment = memory.Shape(value.Rows, value.Columns);
        _backend.Fill(0f, moment);
        return moment;
    }
}

/// <summary>A parameter with AdamW's running means of its gradient and squared gradient.</summary>
internal sealed record OptimizedParameter(Parameter Parameter, Tensor FirstMoment, Tensor SecondMoment, float LearningRateMultiplier, AdamWSettings Settings);
