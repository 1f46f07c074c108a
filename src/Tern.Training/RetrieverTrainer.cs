using Tern.Compute;
using Tern.Compute.Collectives;
using Tern.Model;
using Tern.Text;

namespace Tern.Training;

/// <summary>
/// Trains one network on one set, whatever its head and objective. Queries and contexts of a batch go through the network together.
/// </summary>
public sealed class RetrieverTrainer : Trainer
{
    private readonly RetrieverNetwork _network;
    private readonly TrainingOptions _options;
    private readonly BatchSampler _sampler;
    private readonly TrainingBatch _batch;
    private readonly RetrievalLoss _loss;
    private readonly BatchVectors _vectors;
    private readonly BatchRepresentations _representations;
    private readonly TensorMemory _dRepresentations;
    private readonly SparsityController _queryControl;
    private readonly SparsityController _documentControl;
    private readonly RegularizerSchedule _queryFlops;
    private readonly RegularizerSchedule _documentFlops;

    /// <exception cref="ArgumentException">An option is out of its range, or does not suit the network or the set.</exception>
    /// <exception cref="InvalidDataException">An example lacks negatives or teacher scores; it is named.</exception>
    public RetrieverTrainer(IBackend backend, RetrieverNetwork network, TrainingSet set, TrainingOptions options, ICollective? ranks = null)
        : base(backend, network, set.Fingerprint, options, ranks)
    {
        if (network.Contract.Kind != RepresentationKind.Sparse && (options.QueryFlopsWeight > 0f || options.DocumentFlopsWeight > 0f))
        {
            throw new ArgumentException($"{nameof(options.QueryFlopsWeight)} and {nameof(options.DocumentFlopsWeight)} must be 0 for a dense head, which has no zeros to gain");
        }

        _network = network;
        _options = options;
        _sampler = new BatchSampler(set, options);
        _batch = new TrainingBatch(options.BatchSize, options.NegativeCount);
        _loss = new RetrievalLoss(backend, options, set);
        _vectors = new BatchVectors(backend);
        _representations = new BatchRepresentations(backend, network, options, Ranks);
        _dRepresentations = backend.Allocate(DType.Float32);
        _queryControl = new SparsityController(options.QueryNonZeroTarget, step => step.QueryNonZeros);
        _documentControl = new SparsityController(options.DocumentNonZeroTarget, step => step.DocumentNonZeros);
        _queryFlops = new RegularizerSchedule(options.QueryFlopsWeight, options.RampSteps);
        _documentFlops = new RegularizerSchedule(options.DocumentFlopsWeight, options.RampSteps);
    }

    /// <summary>False: vectors are neither counted nor checked, as by a plan, which has none.</summary>
    internal bool LooksAtVectors { get; init; } = true;

    public override void Dispose()
    {
        _loss.Dispose();
        _representations.Dispose();
        _dRepresentations.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    private protected override TrainingStep AccumulateOwn(int step)
    {
        double queryFactor = _queryControl.After(History);
        double documentFactor = _documentControl.After(History);
        double queryFlopsWeight = 0;
        double documentFlopsWeight = 0;
        double share = 1.0 / _options.AccumulationCount;
        LossParts sum = default;
        double queryNonZeros = 0;
        double documentNonZeros = 0;
        int tokenCount = 0;
        for (int micro = 0; micro < _options.AccumulationCount; micro++)
        {
            // The paper's system advances its ramp, a third of the steps long, with every batch: accumulation shortens it.
            int ramped = _options.ReferenceRankCount > 0 ? ((step - 1) * _options.AccumulationCount) + micro + 1 : step;
            queryFlopsWeight = _queryFlops.At(ramped) * queryFactor;
            documentFlopsWeight = _documentFlops.At(ramped) * documentFactor;
            _sampler.Fill(((long)(step - 1) * _options.AccumulationCount) + micro, _batch);
            Tensor representations = _representations.Forward(_batch); // [B + C, D]
            Tensor dRepresentations = _dRepresentations.Shape(representations.Rows, representations.Columns);
            sum += _loss.Evaluate(representations, _batch, queryFlopsWeight, documentFlopsWeight, share, dRepresentations);
            tokenCount += _batch.Sequences.TokenCount;
            if (LooksAtVectors)
            {
                (double Queries, double Documents) nonZeros = _vectors.NonZeros(representations, _batch.QueryCount);
                queryNonZeros += nonZeros.Queries * share;
                documentNonZeros += nonZeros.Documents * share;
            }

            if (LooksAtVectors && IsCollapseCheckDue(step))
            {
                (Tensor latest, TokenBatch sequences) = _representations.Latest;
                _vectors.CheckCollapse(step, _network, representations, _batch.QueryCount, latest, sequences);
            }

            _representations.Backward(_batch, dRepresentations);
        }

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
            QueryFlopsWeight = queryFlopsWeight,
            DocumentFlopsWeight = documentFlopsWeight,
            QueryNonZeros = queryNonZeros,
            DocumentNonZeros = documentNonZeros,
            TokenCount = tokenCount,
        };
    }

    /// <summary>Not during the warm-up: pretrained dense vectors lie close together until they have learned.</summary>
    private bool IsCollapseCheckDue(int step) =>
        _options.CollapseCheckInterval > 0 && step > _options.WarmupSteps && step % _options.CollapseCheckInterval == 0;
}
