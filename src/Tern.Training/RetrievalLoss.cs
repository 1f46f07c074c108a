using Tern.Compute;

namespace Tern.Training;

/// <summary>The parts of a batch's loss: means over its queries, before weighting; Total is the weighted sum.</summary>
internal readonly record struct LossParts(double InfoNce, double KlDivergence, double MarginMse, double QueryFlops, double DocumentFlops, double Total)
{
    public static LossParts operator +(LossParts left, LossParts right) => new(
        left.InfoNce + right.InfoNce,
        left.KlDivergence + right.KlDivergence,
        left.MarginMse + right.MarginMse,
        left.QueryFlops + right.QueryFlops,
        left.DocumentFlops + right.DocumentFlops,
        left.Total + right.Total);

    public LossParts Scale(double factor) => new(InfoNce * factor, KlDivergence * factor, MarginMse * factor, QueryFlops * factor, DocumentFlops * factor, Total * factor);
}

/// <summary>
/// The loss of one batch and its gradient with respect to the representations. Own candidates' scores are columns of the
/// one score matrix Q Cᵀ. Keeps its memory from batch to batch.
/// </summary>
internal sealed class RetrievalLoss(IBackend backend, TrainingOptions options, TrainingSet set) : IDisposable
{
    /// <summary>Added to a masked score: large enough that its softmax is exactly 0 at any temperature, small enough to stay finite.</summary>
    private const float Masked = -1e30f;

    private readonly TensorMemory _scores = backend.Allocate(DType.Float32);
    private readonly TensorMemory _dScores = backend.Allocate(DType.Float32);
    private readonly TensorMemory _mask = backend.Allocate(DType.Float32);
    private readonly TensorMemory _student = backend.Allocate(DType.Float32);
    private readonly TensorMemory _dStudent = backend.Allocate(DType.Float32);
    private readonly TensorMemory _teacher = backend.Allocate(DType.Float32);
    private readonly TensorMemory _losses = backend.Allocate(DType.Float32);
    private readonly TensorMemory _logSumExp = backend.Allocate(DType.Float32);
    private readonly SparsityRegularizer _regularizer = new(backend, options.Regularizer);
    private readonly TensorMemory _labels = backend.Allocate(DType.Int32);
    private readonly TensorMemory _columns = backend.Allocate(DType.Int32);
    private float[] _hostMask = [];
    private int[] _hostIndices = [];
    private float[] _hostLosses = [];

    /// <summary>
    /// Returns the loss of representations [B + C, D], queries first, and overwrites dRepresentations [B + C, D] with the
    /// gradient of <paramref name="share"/> times it (the part of this batch in an accumulated step).
    /// </summary>
    public LossParts Evaluate(Tensor representations, TrainingBatch batch, double queryFlopsWeight, double documentFlopsWeight, double share, Tensor dRepresentations)
    {
        int queryCount = batch.QueryCount;
        int contextCount = batch.ContextCount;
        Tensor queries = representations.SliceRows(0, queryCount); // [B, D]
        Tensor contexts = representations.SliceRows(queryCount, contextCount); // [C, D]
        Tensor dQueries = dRepresentations.SliceRows(0, queryCount);
        Tensor dContexts = dRepresentations.SliceRows(queryCount, contextCount);

        Tensor scores = _scores.Shape(queryCount, contextCount); // [B, C]
        Tensor dScores = _dScores.Shape(queryCount, contextCount);
        backend.MatMul(queries, false, contexts, true, false, scores);
        backend.Fill(0f, dScores);

        // The own candidates come first: masking for InfoNCE changes the score matrix.
        TrainingObjective objective = options.Objective;
        (double klDivergence, double marginMse) = objective.UsesTeacher ? FollowTeacher(scores, batch, share, dScores) : (0.0, 0.0);
        double infoNce = objective.InfoNceWeight > 0f ? RankAllContexts(scores, batch, share * GatheredShare, dScores) : 0.0;

        backend.MatMul(dScores, false, contexts, false, false, dQueries);
        backend.MatMul(dScores, true, queries, false, false, dContexts);

        queryFlopsWeight *= GatheredShare;
        documentFlopsWeight *= GatheredShare;
        double queryFlops = options.QueryFlopsWeight > 0f ? RegularizeQueries(queries, queryFlopsWeight * share, dQueries) : 0;
        double documentFlops = options.DocumentFlopsWeight > 0f ? RegularizeContexts(contexts, batch, documentFlopsWeight * share, dContexts) : 0;
        double total = (GatheredShare * objective.InfoNceWeight * infoNce) + (objective.KlDivergenceWeight * klDivergence) + (objective.MarginMseWeight * marginMse)
            + (queryFlopsWeight * queryFlops) + (documentFlopsWeight * documentFlops);
        return new LossParts(infoNce, klDivergence, marginMse, queryFlops, documentFlops, total);
    }

    public void Dispose()
    {
        foreach (TensorMemory memory in (ReadOnlySpan<TensorMemory>)[_scores, _dScores, _mask, _student, _dStudent, _teacher, _losses, _logSumExp, _labels, _columns])
        {
            memory.Dispose();
        }

        _regularizer.Dispose();
    }

    /// <summary>What averaging over the paper's GPUs leaves of a loss that each of them counts whole.</summary>
    private double GatheredShare => options.ReferenceRankCount > 0 && options.Objective.InfoNceWeight > 0f ? 1.0 / options.ReferenceRankCount : 1;

    /// <summary>Into how many GPUs' own vectors regularisers are divided: gathered vectors are one.</summary>
    private int RegularizedParts => options.ReferenceRankCount > 0 && options.Objective.InfoNceWeight == 0f ? options.ReferenceRankCount : 1;

    private double RankAllContexts(Tensor scores, TrainingBatch batch, double share, Tensor dScores)
    {
        if (options.MaskKnownPositives && BuildMask(batch))
        {
            Tensor mask = _mask.Shape(scores.Rows, scores.Columns); // [B, C]
            backend.Upload<float>(_hostMask.AsSpan(0, scores.Rows * scores.Columns), mask);
            backend.AddScaled(mask, 1f, scores);
        }

        Span<int> own = Indices(batch.QueryCount);
        for (int query = 0; query < own.Length; query++)
        {
            own[query] = query;
        }

        Tensor labels = _labels.Shape(1, batch.QueryCount);
        Tensor logSumExp = _logSumExp.Shape(1, batch.QueryCount);
        Tensor losses = _losses.Shape(1, batch.QueryCount);
        backend.Upload<int>(own, labels);
        float inverseTemperature = 1f / options.Temperature;
        backend.InfoNceForward(scores, labels, inverseTemperature, logSumExp, losses);
        backend.InfoNceBackward(scores, labels, logSumExp, inverseTemperature, Weight(options.Objective.InfoNceWeight, share, batch), dScores);
        return Mean(losses);
    }

    private (double KlDivergence, double MarginMse) FollowTeacher(Tensor scores, TrainingBatch batch, double share, Tensor dScores)
    {
        int candidateCount = 1 + batch.NegativeCount;
        Span<int> candidates = Indices(batch.QueryCount * candidateCount);
        for (int i = 0; i < candidates.Length; i++)
        {
            candidates[i] = batch.CandidateColumn(i / candidateCount, i % candidateCount);
        }

        Tensor columns = _columns.Shape(batch.QueryCount, candidateCount); // [B, 1 + n]
        Tensor student = _student.Shape(batch.QueryCount, candidateCount);
        Tensor dStudent = _dStudent.Shape(batch.QueryCount, candidateCount);
        Tensor teacher = _teacher.Shape(batch.QueryCount, candidateCount);
        Tensor losses = _losses.Shape(1, batch.QueryCount);
        backend.Upload<int>(candidates, columns);
        backend.Upload<float>(batch.TeacherScores, teacher);
        backend.GatherColumnsForward(scores, columns, student);
        backend.Fill(0f, dStudent);

        float inverseTemperature = 1f / options.Temperature;
        double klDivergence = 0;
        double marginMse = 0;
        if (options.Objective.KlDivergenceWeight > 0f)
        {
            backend.KlDivergenceForward(student, teacher, inverseTemperature, losses);
            klDivergence = Mean(losses);
            backend.KlDivergenceBackward(student, teacher, inverseTemperature, Weight(options.Objective.KlDivergenceWeight, share, batch), dStudent);
        }

        if (options.Objective.MarginMseWeight > 0f)
        {
            backend.MarginMseForward(student, teacher, inverseTemperature, losses);
            marginMse = Mean(losses);
            backend.MarginMseBackward(student, teacher, inverseTemperature, Weight(options.Objective.MarginMseWeight, share, batch), dStudent);
        }

        backend.GatherColumnsBackward(dStudent, columns, dScores);
        return (klDivergence, marginMse);
    }

    private double RegularizeQueries(Tensor queries, double weight, Tensor dQueries)
    {
        int parts = RegularizedParts;
        int count = queries.Rows / parts;
        double sum = 0;
        for (int part = 0; part < parts; part++)
        {
            sum += _regularizer.Apply(queries, [(part * count, count)], weight / parts, dQueries);
        }

        return sum / parts;
    }

    /// <summary>Of all contexts together; of the paper's GPUs' own, and with Margin-MSE there the mean of positives and negatives apart.</summary>
    private double RegularizeContexts(Tensor contexts, TrainingBatch batch, double weight, Tensor dContexts)
    {
        int parts = RegularizedParts;
        if (options.ReferenceRankCount == 0 || options.Objective.InfoNceWeight > 0f)
        {
            return _regularizer.Apply(contexts, [(0, contexts.Rows)], weight, dContexts);
        }

        int positiveCount = batch.QueryCount / parts;
        int negativeCount = positiveCount * batch.NegativeCount;
        double sum = 0;
        for (int part = 0; part < parts; part++)
        {
            (int Start, int Count) positives = (part * positiveCount, positiveCount), negatives = (batch.QueryCount + (part * negativeCount), negativeCount);
            sum += options.Objective.MarginMseWeight > 0f
                ? (0.5 * _regularizer.Apply(contexts, [positives], 0.5 * weight / parts, dContexts)) + (0.5 * _regularizer.Apply(contexts, [negatives], 0.5 * weight / parts, dContexts))
                : _regularizer.Apply(contexts, [positives, negatives], weight / parts, dContexts);
        }

        return sum / parts;
    }

    /// <summary>Marks contexts that are known to be relevant to a query but are not its label; false when there are none.</summary>
    private bool BuildMask(TrainingBatch batch)
    {
        int contextCount = batch.ContextCount;
        if (_hostMask.Length < batch.QueryCount * contextCount)
        {
            _hostMask = new float[batch.QueryCount * contextCount];
        }

        bool any = false;
        for (int query = 0; query < batch.QueryCount; query++)
        {
            Span<float> row = _hostMask.AsSpan(query * contextCount, contextCount);
            for (int context = 0; context < contextCount; context++)
            {
                bool masked = context != query && set.IsKnownPositive(batch.Examples[query], batch.Documents[context]);
                row[context] = masked ? Masked : 0f;
                any |= masked;
            }
        }

        return any;
    }

    /// <summary>The gradient of the mean over queries, as a weight on every query's own loss.</summary>
    private static float Weight(float lossWeight, double share, TrainingBatch batch) => (float)(lossWeight * share / batch.QueryCount);

    private double Mean(Tensor losses)
    {
        if (_hostLosses.Length != losses.Columns)
        {
            _hostLosses = new float[losses.Columns];
        }

        backend.Download<float>(losses, _hostLosses);
        double sum = 0;
        foreach (float loss in _hostLosses)
        {
            sum += loss;
        }

        return sum / _hostLosses.Length;
    }

    private Span<int> Indices(int count)
    {
        if (_hostIndices.Length < count)
        {
            _hostIndices = new int[count];
        }

        return _hostIndices.AsSpan(0, count);
    }
}
