using System.Diagnostics;
using System.Globalization;
using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;

namespace Tern.Training;

/// <summary>
/// The course of a training, whatever is trained: steps, updates, checkpoints, resuming, ranks. Runs with equal options, weights and
/// data give equal losses; a resumed run gives those of one that was never stopped. With ranks, each has a trainer with its own backend
/// and model; they share every batch and keep equal weights. Disposes its own memory, not the model's. One caller at a time.
/// </summary>
public abstract class Trainer : IDisposable
{
    private readonly ITrainedModel _model;
    private readonly string _data;
    private readonly TrainingOptions _options;
    private readonly AdamWOptimizer _optimizer;
    private readonly LearningRateSchedule _learningRate;
    private readonly List<TrainingStep> _history = [];

    /// <param name="data">Stands for the data and everything besides the options that the numbers depend on; compared on resuming.</param>
    /// <exception cref="ArgumentException">An option is out of its range, or the model is frozen.</exception>
    private protected Trainer(IBackend backend, ITrainedModel model, string data, TrainingOptions options, ICollective? ranks)
    {
        options.Validate();
        if (!model.Weights.IsTrainable)
        {
            throw new ArgumentException("the model's weights are frozen; load or draw them trainable, or add an adapter", nameof(model));
        }

        Backend = backend;
        _model = model;
        _data = data;
        _options = options;
        Ranks = ranks is { RankCount: > 1 } ? ranks : null;
        model.RecomputeActivations = options.RecomputeActivations;
        _optimizer = new AdamWOptimizer(backend, model.Weights.TrainableParameters, options, Ranks);
        _learningRate = new LearningRateSchedule(options.LearningRate, options.WarmupSteps, Math.Max(options.StepCount, options.DecaySteps));
    }

    private protected IBackend Backend { get; }

    private protected ICollective? Ranks { get; }

    /// <summary>True for the rank that writes files and has something to say; without ranks always.</summary>
    private bool IsFirst => Ranks is null or { Rank: 0 };

    /// <summary>Optimiser steps done.</summary>
    public int Step { get; private set; }

    /// <summary>The steps done so far, those before a resumed checkpoint included.</summary>
    public IReadOnlyList<TrainingStep> History => _history;

    /// <summary>
    /// Trains up to the last step. On cancellation the step in progress is finished, a checkpoint is written if a directory
    /// is set, and the result says Stopped. Progress is reported synchronously after every step.
    /// </summary>
    /// <exception cref="TrainingCollapsedException">Going on is pointless; the weights are those of the collapsed model.</exception>
    /// <exception cref="InvalidDataException">A new run was pointed at a directory that holds another run's checkpoints.</exception>
    public TrainingResult Run(IProgress<TrainingProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        RequireOwnDirectory();
        StartTogether();
        _history.EnsureCapacity(_options.StepCount);
        _model.Weights.ZeroGradients();
        string? checkpoint = null;
        int firstStep = Step;
        long start = Stopwatch.GetTimestamp();
        long previous = start;
        try
        {
            while (Step < _options.StepCount && !IsStopWanted(cancellationToken))
            {
                TrainingStep done = Advance(Step + 1);
                Step = done.Step;
                _history.Add(done);
                checkpoint = null;
                if (_options.CheckpointInterval > 0 && Step % _options.CheckpointInterval == 0)
                {
                    checkpoint = WriteOwnCheckpoint();
                }

                if (progress is not null)
                {
                    long now = Stopwatch.GetTimestamp();
                    TimeSpan elapsed = Stopwatch.GetElapsedTime(start, now);
                    double tokensPerSecond = done.TokenCount / Stopwatch.GetElapsedTime(previous, now).TotalSeconds;
                    progress.Report(new TrainingProgress(done, _options.StepCount, tokensPerSecond, elapsed, elapsed * ((double)(_options.StepCount - Step) / (Step - firstStep))));
                    previous = now;
                }
            }
        }
        finally
        {
            if (IsFirst && _options.CheckpointDirectory is { } directory)
            {
                TrainingHistory.Write(directory, _history);
            }
        }

        bool stopped = Step < _options.StepCount;
        if (stopped)
        {
            checkpoint ??= WriteOwnCheckpoint();
        }

        return new TrainingResult(Step, stopped, checkpoint, _history, Stopwatch.GetElapsedTime(start));
    }

    /// <summary>Writes weights, moments, position and history to a directory of that name, replacing it whole. With ranks all call it and the first writes.</summary>
    public void SaveCheckpoint(string directory)
    {
        if (IsFirst)
        {
            TrainingCheckpoint.Write(directory, Backend, _model, _optimizer, TrainingState.Describe(Backend, _data, _options, Step, Ranks?.RankCount ?? 1), _history, _options.CheckpointFiles);
        }
        else
        {
            TrainingCheckpoint.GiveMoments(_optimizer);
        }

        Ranks?.Barrier();
    }

    /// <summary>
    /// Goes on from a checkpoint, or from the latest one in a run's directory: overwrites the network's weights.
    /// </summary>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or was made with other options, on another set or by other code; says which.</exception>
    public void Resume(string directory)
    {
        string checkpoint = TrainingCheckpoint.List(directory) is [.., (_, string latest)] ? latest : directory;
        TrainingState state = TrainingState.Read(checkpoint);
        state.RequireSame(TrainingState.Describe(Backend, _data, _options, state.Step), checkpoint);
        IReadOnlyList<TrainingStep> history = TrainingHistory.Read(checkpoint);
        TrainingCheckpoint.Read(checkpoint, Backend, _model, _optimizer);
        _history.Clear();
        _history.AddRange(history);
        Step = state.Step;
    }

    public virtual void Dispose()
    {
        _optimizer.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>
    /// Does all the work of one step and leaves weights and moments as they are, which holds before the first step only:
    /// with a rate and gradients of 0 AdamW adds 0 to both.
    /// </summary>
    internal void Rehearse(int step)
    {
        _model.Weights.ZeroGradients();
        _ = Accumulate(step);
        _ = _optimizer.GradientNorm();
        _optimizer.Step(1, 0.0, 0f);
    }

    /// <summary>Bytes of AdamW's moments.</summary>
    internal long OptimizerByteCount => _optimizer.Parameters.Sum(p => 2L * p.Value.ElementCount * sizeof(float));

    /// <summary>The loss and the gradients, summed over the ranks, of one step, without an update.</summary>
    internal TrainingStep Accumulate(int step)
    {
        TrainingStep done = AccumulateOwn(step);
        _optimizer.SumGradients();
        return done with { LearningRate = _learningRate.At(step) };
    }

    /// <summary>The loss of one step, and this rank's part of its gradients added to the weights'.</summary>
    private protected abstract TrainingStep AccumulateOwn(int step);

    /// <summary>After an update: a look at held-out data, added to what the step reports.</summary>
    private protected virtual TrainingStep Observe(TrainingStep done) => done;

    private TrainingStep Advance(int step)
    {
        TrainingStep done = Accumulate(step);
        done = done with { GradientNorm = _optimizer.GradientNorm() };
        CollapseCheck.Loss(step, done.Loss, done.GradientNorm);
        _optimizer.Step(step, done.LearningRate, _optimizer.ClipScale(done.GradientNorm));
        return Observe(done);
    }

    private string? WriteOwnCheckpoint()
    {
        if (_options.CheckpointDirectory is not { } directory)
        {
            return null;
        }

        string checkpoint = TrainingCheckpoint.PathOf(directory, Step);
        Directory.CreateDirectory(directory);
        SaveCheckpoint(checkpoint);
        if (IsFirst)
        {
            TrainingCheckpoint.Prune(directory, Step, _options.CheckpointsKept);
        }

        return checkpoint;
    }

    /// <summary>Ranks that were started with different things would train different models without an error.</summary>
    private void StartTogether()
    {
        if (Ranks is null)
        {
            return;
        }

        TrainingState state = TrainingState.Describe(Backend, _data, _options, Step);
        Ranks.RequireSame("the training data", state.TrainingSet);
        Ranks.RequireSame("the step to go on from", state.Step.ToString(CultureInfo.InvariantCulture));
        Ranks.RequireSame("the precision of products", state.Precision);
        Ranks.RequireSame("the options", (_options with { CheckpointDirectory = null, CheckpointFiles = [] }).ToString());
        foreach (Parameter parameter in _model.Weights.TrainableParameters)
        {
            Ranks.Broadcast(parameter.Value, 0);
        }
    }

    /// <summary>Ranks stop after the same step.</summary>
    private bool IsStopWanted(CancellationToken cancellationToken) =>
        Ranks?.Any(cancellationToken.IsCancellationRequested) ?? cancellationToken.IsCancellationRequested;

    /// <summary>A run never mixes its checkpoints with another's, from which it would later be resumed by mistake.</summary>
    private void RequireOwnDirectory()
    {
        if (Step == 0 && _options.CheckpointDirectory is { } directory && TrainingCheckpoint.List(directory) is [.., (_, string path)])
        {
            throw new InvalidDataException($"{path}: left by an earlier run; resume from it, remove it, or choose another directory");
        }
    }
}
