using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;

namespace Tern.Training;

/// <summary>
/// AdamW over the trainable parameters, in their order. Norms' weights and biases do not decay. Owns the moments, not the
/// parameters. With ranks, gradients are summed over them; sharded (ZeRO-1), each rank keeps moments for its part of every
/// parameter only, updates that part and gets the others' parts from theirs.
/// </summary>
internal sealed class AdamWOptimizer : IDisposable
{
    private readonly IBackend _backend;
    private readonly TrainingOptions _options;
    private readonly ICollective? _ranks;
    private readonly bool _sharded;
    private readonly List<TensorMemory> _owned = [];
    private readonly List<OptimizedParameter> _parameters = [];
    private readonly List<Tensor> _gradients = []; // all that are not empty
    private readonly TensorMemory _wholeMoment;

    public AdamWOptimizer(IBackend backend, IReadOnlyList<Parameter> parameters, TrainingOptions options, ICollective? ranks = null)
    {
        _backend = backend;
        _options = options;
        _ranks = ranks;
        _sharded = ranks is not null && options.ShardOptimizer;
        _wholeMoment = Own(backend.Allocate(DType.Float32));
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
            Tensor value = OwnPart(parameter.Value);
            _parameters.Add(new OptimizedParameter(
                parameter,
                value,
                OwnPart(parameter.Gradient),
                Moment(value),
                Moment(value),
                group?.LearningRateMultiplier ?? 1f,
                options.Optimizer with { WeightDecay = parameter.IsVector ? 0f : options.Optimizer.WeightDecay }));
        }

        _gradients.AddRange(_parameters.Select(p => p.Gradient).Where(g => g.Columns > 0));
    }

    /// <summary>The parameters with their moments, in the weights' order.</summary>
    public IReadOnlyList<OptimizedParameter> Parameters => _parameters;

    /// <summary>Sums the gradients over the ranks: all of each, or this rank's part where the state is sharded.</summary>
    public void SumGradients()
    {
        if (_ranks is null)
        {
            return;
        }

        foreach (OptimizedParameter optimized in _parameters)
        {
            if (_sharded)
            {
                _ranks.ReduceScatter(optimized.Parameter.Gradient);
            }
            else
            {
                _ranks.AllReduce(optimized.Parameter.Gradient);
            }
        }
    }

    /// <summary>√ of the sum of squares of all gradients, in double precision and a fixed order; the same on every rank.</summary>
    public double GradientNorm()
    {
        double sum = _backend.SumOfSquares(_gradients);
        return Math.Sqrt(_sharded ? _ranks!.Sum(sum) : sum);
    }

    /// <summary>The factor that brings gradients of this norm down to the limit.</summary>
    public float ClipScale(double norm) => _options.GradientClip > 0f && norm > _options.GradientClip ? (float)(_options.GradientClip / norm) : 1f;

    /// <summary>Updates every parameter and zeroes its gradient; step is 1-based.</summary>
    public void Step(int step, double learningRate, float gradientScale)
    {
        foreach (OptimizedParameter optimized in _parameters)
        {
            float rate = (float)(learningRate * optimized.LearningRateMultiplier);
            if (optimized.Value.Columns > 0)
            {
                _backend.AdamW(optimized.Gradient, gradientScale, optimized.Settings, rate, step, optimized.FirstMoment, optimized.SecondMoment, optimized.Value);
            }

            if (_sharded)
            {
                _backend.Fill(0f, optimized.Parameter.Gradient);
                _ranks!.AllGather(optimized.Parameter.Value);
            }
        }
    }

    /// <summary>A moment of the whole parameter, valid until the next call; sharded, every rank calls in step.</summary>
    public Tensor Whole(OptimizedParameter optimized, Tensor moment)
    {
        if (!_sharded)
        {
            return moment;
        }

        Tensor whole = _wholeMoment.Shape(optimized.Parameter.Value.Rows, optimized.Parameter.Value.Columns);
        if (moment.Columns > 0)
        {
            _backend.Copy(moment, OwnPart(whole));
        }

        _ranks!.AllGather(whole);
        return whole;
    }

    /// <summary>Where this rank's part of a whole parameter begins, in elements.</summary>
    public nint PartStart(OptimizedParameter optimized) =>
        _sharded ? CollectiveParts.PartStart(optimized.Parameter.Value.ElementCount, _ranks!.Rank, _ranks.RankCount) : 0;

    public void Dispose() => _owned.ForEach(m => m.Dispose());

    private Tensor OwnPart(Tensor whole) => _sharded ? whole.Part(_ranks!.Rank, _ranks.RankCount) : whole;

    private Tensor Moment(Tensor value)
    {
        if (value.Columns == 0)
        {
            return value;
        }

        Tensor moment = Own(_backend.Allocate(DType.Float32, value.ElementCount)).Shape(value.Rows, value.Columns);
        _backend.Fill(0f, moment);
        return moment;
    }

    private TensorMemory Own(TensorMemory memory)
    {
        _owned.Add(memory);
        return memory;
    }
}

/// <summary>
/// A parameter with AdamW's running means of its gradient and squared gradient. <paramref name="Value"/> and
/// <paramref name="Gradient"/> are what is updated here: the parameter's own, or this rank's part of them as one row.
/// </summary>
internal sealed record OptimizedParameter(Parameter Parameter, Tensor Value, Tensor Gradient, Tensor FirstMoment, Tensor SecondMoment, float LearningRateMultiplier, AdamWSettings Settings);
