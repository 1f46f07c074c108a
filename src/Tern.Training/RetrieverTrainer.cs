using System.Diagnostics;
using System.Globalization;
using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;
using Tern.Text;

namespace Tern.Training;

/// <summary>
/// Trains one network on one set, whatever its head and objective. Queries and contexts of a batch go through the network
/// together. Runs with equal options, weights and set give equal losses; a resumed run gives those of one that was never
/// stopped. With ranks, each has a trainer with its own backend and network; they share every batch and keep equal weights.
/// Disposes its own memory, not the network's. One caller at a time.
/// </summary>
public sealed class RetrieverTrainer : IDisposable
{
    private readonly IBackend _backend;
    private readonly RetrieverNetwork _network;
    private readonly TrainingSet _set;
    private readonly TrainingOptions _options;
    private readonly BatchSampler _sampler;
    private readonly TrainingBatch _batch;
    private readonly RetrievalLoss _loss;
    private readonly AdamWOptimizer _optimizer;
    private readonly BatchVectors _vectors;
    private readonly BatchRepresentations _representations;
    private readonly ICollective? _ranks;
    private readonly TensorMemory _dRepresentations;
    private readonly LearningRateSchedule _learningRate;
    private readonly RegularizerSchedule _queryFlops;
    private readonly RegularizerSchedule _documentFlops;
    private readonly List<TrainingStep> _history = [];

    /// <exception cref="ArgumentException">An option is out of its range, or does not suit the network or the set.</exception>
    /// <exception cref="InvalidDataException">An example lacks negatives or teacher scores; it is named.</exception>
    public RetrieverTrainer(IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, ICollective? ranks = null)
    {
        ArgumentNullException.ThrowIfNull(network);
        ArgumentNullException.ThrowIfNull(set);
        options.Validate();
        if (!network.Weights.IsTrainable)
        {
            throw new ArgumentException("the network's weights are frozen; load or draw them trainable", nameof(network));
        }

        if (network.Contract.Kind != RepresentationKind.Sparse && (options.QueryFlopsWeight > 0f || options.DocumentFlopsWeight > 0f))
        {
            throw new ArgumentException($"{nameof(options.QueryFlopsWeight)} and {nameof(options.DocumentFlopsWeight)} must be 0 for a dense head, which has no zeros to gain");
        }

        _backend = backend;
        _network = network;
        _set = set;
        _options = options;
        _ranks = ranks is { RankCount: > 1 } ? ranks : null;
        network.RecomputeActivations = options.RecomputeActivations;
        _sampler = new BatchSampler(set, options);
        _batch = new TrainingBatch(options.BatchSize, options.NegativeCount);
        _optimizer = new AdamWOptimizer(backend, network.Weights.TrainableParameters, options, _ranks);
        _loss = new RetrievalLoss(backend, options, set);
        _vectors = new BatchVectors(backend);
        _representations = new BatchRepresentations(backend, network, options, _ranks);
        _dRepresentations = backend.Allocate(DType.Float32);
        _learningRate = new LearningRateSchedule(options.LearningRate, options.WarmupSteps, options.StepCount);
        _queryFlops = new RegularizerSchedule(options.QueryFlopsWeight, options.RampSteps);
        _documentFlops = new RegularizerSchedule(options.DocumentFlopsWeight, options.RampSteps);
    }

    /// <summary>True for the rank that writes files and has something to say; without ranks always.</summary>
    private bool IsFirst => _ranks is null or { Rank: 0 };

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
        _network.Weights.ZeroGradients();
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
            TrainingCheckpoint.Write(directory, _backend, _network, _optimizer, TrainingState.Describe(_backend, _set, _options, Step, _ranks?.RankCount ?? 1), _history, _options.CheckpointFiles);
        }
        else
        {
            TrainingCheckpoint.GiveMoments(_optimizer);
        }

        _ranks?.Barrier();
    }

    /// <summary>
    /// Goes on from a checkpoint, or from the latest one in a run's directory: overwrites the network's weights.
    /// </summary>
    /// <exception cref="InvalidDataException">The checkpoint is damaged, or was made with other options, on another set or by other code; says which.</exception>
    public void Resume(string directory)
    {
        string checkpoint = TrainingCheckpoint.List(directory) is [.., (_, string latest)] ? latest : directory;
        TrainingState state = TrainingState.Read(checkpoint);
        state.RequireSame(TrainingState.Describe(_backend, _set, _options, state.Step), checkpoint);
        IReadOnlyList<TrainingStep> history = TrainingHistory.Read(checkpoint);
        TrainingCheckpoint.Read(checkpoint, _backend, _network, _optimizer);
        _history.Clear();
        _history.AddRange(history);
        Step = state.Step;
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _loss.Dispose();
        _representations.Dispose();
        _dRepresentations.Dispose();
    }

    /// <summary>
    /// Does all the work of one step and leaves weights and moments as they are, which holds before the first step only:
    /// with a rate and gradients of 0 AdamW adds 0 to both.
    /// </summary>
    internal void Rehearse(int step)
    {
        _network.Weights.ZeroGradients();
        _ = Accumulate(step);
        _ = _optimizer.GradientNorm();
        _optimizer.Step(1, 0.0, 0f);
    }

    /// <summary>The loss and gradients of one step, without an update: for checks of gradients.</summary>
    internal TrainingStep Accumulate(int step)
    {
        double queryFlopsWeight = _queryFlops.At(step);
        double documentFlopsWeight = _documentFlops.At(step);
        double share = 1.0 / _options.AccumulationCount;
        LossParts sum = default;
        double queryNonZeros = 0;
        double documentNonZeros = 0;
        int tokenCount = 0;
        for (int micro = 0; micro < _options.AccumulationCount; micro++)
        {
            _sampler.Fill(((long)(step - 1) * _options.AccumulationCount) + micro, _batch);
            Tensor representations = _representations.Forward(_batch); // [B + C, D]
            Tensor dRepresentations = _dRepresentations.Shape(representations.Rows, representations.Columns);
            sum += _loss.Evaluate(representations, _batch, queryFlopsWeight, documentFlopsWeight, share, dRepresentations);
            tokenCount += _batch.Sequences.TokenCount;
            (double Queries, double Documents) nonZeros = _vectors.NonZeros(representations, _batch.QueryCount);
            queryNonZeros += nonZeros.Queries * share;
            documentNonZeros += nonZeros.Documents * share;
            if (IsCollapseCheckDue(step))
            {
                (Tensor latest, TokenBatch sequences) = _representations.Latest;
                _vectors.CheckCollapse(step, _network, representations, _batch.QueryCount, latest, sequences);
            }

            _representations.Backward(_batch, dRepresentations);
        }

        _optimizer.SumGradients();

        LossParts mean = sum.Scale(share);
        return new TrainingStep
        {
            Step = step,
            Loss = mean.Total,
            InfoNce = mean.InfoNce,
            KlDivergence = mean.KlDivergence,
            MarginMse = mean.MarginMse,
            QueryFlops = mean.QueryFlops,
            DocumentFlops = mean.DocumentFlops,
            QueryNonZeros = queryNonZeros,
            DocumentNonZeros = documentNonZeros,
            LearningRate = _learningRate.At(step),
            TokenCount = tokenCount,
        };
    }

    private TrainingStep Advance(int step)
    {
        TrainingStep done = Accumulate(step);
        done = done with { GradientNorm = _optimizer.GradientNorm() };
        CollapseCheck.Loss(step, done.Loss, done.GradientNorm);
        _optimizer.Step(step, done.LearningRate, _optimizer.ClipScale(done.GradientNorm));
        return done;
    }

    /// <summary>Not during the warm-up: pretrained dense vectors lie close together until they have learned.</summary>
    private bool IsCollapseCheckDue(int step) =>
        _options.CollapseCheckInterval > 0 && step > _options.WarmupSteps && step % _options.CollapseCheckInterval == 0;

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
        if (_ranks is null)
        {
            return;
        }

        TrainingState state = TrainingState.Describe(_backend, _set, _options, Step);
        _ranks.RequireSame("the training set", state.TrainingSet);
        _ranks.RequireSame("the step to go on from", state.Step.ToString(CultureInfo.InvariantCulture));
        _ranks.RequireSame("the precision of products", state.Precision);
        _ranks.RequireSame("the options", (_options with { CheckpointDirectory = null, CheckpointFiles = [] }).ToString());
        foreach (Parameter parameter in _network.Weights.TrainableParameters)
        {
            _ranks.Broadcast(parameter.Value, 0);
        }
    }

    /// <summary>Ranks stop after the same step.</summary>
    private bool IsStopWanted(CancellationToken cancellationToken) =>
        _ranks?.Any(cancellationToken.IsCancellationRequested) ?? cancellationToken.IsCancellationRequested;

    /// <summary>A run never mixes its checkpoints with another's, from which it would later be resumed by mistake.</summary>
    private void RequireOwnDirectory()
    {
        if (Step == 0 && _options.CheckpointDirectory is { } directory && TrainingCheckpoint.List(directory) is [.., (_, string path)])
        {
            throw new InvalidDataException($"{path}: left by an earlier run; resume from it, remove it, or choose another directory");
        }
    }
}
