namespace Tern.Retrieval;

/// <summary>
/// The hits of a float32 scan over the vectors as they were added, found through the impacts: the best k by impacts are
/// scored in float32, which bounds the k-th best score from below; then every document is scored whose impacts allow that
/// score, given how far the quantisers can be off.
/// </summary>
internal static unsafe class Float32Search
{
    // Half a step, and what rounding the quotient itself can add to it.
    private const double HalfStep = 0.5001;

    public static void Search(Postings postings, ForwardIndex forward, SearchContext context, ReadOnlySpan<int> documentOfRank, ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, SearchAlgorithm algorithm, float minScore)
    {
        using var scorer = new Scorer(postings, forward, context, terms, weights);
        double unit = (double)context.QueryScale * postings.Parameters.ImpactScale;
        double error = LargestUnderestimate(postings, context, terms.Length);
        algorithm.Search(postings, context);
        double least = minScore;
        int* collected = (int*)context.Buffers.Collected.Ensure(postings.DocumentCount);
        if (context.Queue.GetBest(new Span<int>(collected, context.K)) == context.K)
        {
            float worst = float.PositiveInfinity;
            for (int i = 0; i < context.K; i++)
            {
                worst = Math.Min(worst, scorer.Score(documentOfRank[collected[i]]));
            }

            least = Math.Max(least, worst);
        }

        context.Restart((uint)Math.Clamp(Math.Floor((least - error) / unit), 1, int.MaxValue), collecting: true);
        algorithm.Search(postings, context);
        context.Queue.Reset(context.K);
        for (int i = 0; i < context.CollectedCount; i++)
        {
            int document = (int)context.Buffers.Collected.Pointer[i];
            float score = scorer.Score(document);
            if (score > 0f && score >= minScore)
            {
                context.Queue.Push(score, postings.Ranks[document]);
            }
        }
    }

    /// <summary>The best k by impacts that an approximate search finds, by their float32 scores.</summary>
    public static void SearchApproximately(Postings postings, ForwardIndex forward, SearchContext context, ReadOnlySpan<int> documentOfRank, ReadOnlySpan<int> terms, ReadOnlySpan<float> weights, SearchAlgorithm algorithm, float minScore)
    {
        using var scorer = new Scorer(postings, forward, context, terms, weights);
        algorithm.Search(postings, context);
        int* found = (int*)context.Buffers.Collected.Ensure(context.K);
        int count = context.Queue.GetBest(new Span<int>(found, context.K));
        context.Queue.Reset(context.K);
        for (int i = 0; i < count; i++)
        {
            float score = scorer.Score(documentOfRank[found[i]]);
            if (score > 0f && score >= minScore)
            {
                context.Queue.Push(score, found[i]);
            }
        }
    }

    /// <summary>
    /// By how much a float32 score can exceed the score of the impacts: each quantised weight is at most half a step too
    /// small on either side, and float32 sums round.
    /// </summary>
    private static double LargestUnderestimate(Postings postings, SearchContext context, int termCount)
    {
        double impactScale = postings.Parameters.ImpactScale;
        double queryScale = context.QueryScale;
        double error = 0;
        double most = 0;
        ReadOnlySpan<int> rows = context.Rows(termCount);
        ReadOnlySpan<int> quantized = context.QuantizedWeights(termCount);
        for (int i = 0; i < termCount; i++)
        {
            if (rows[i] >= 0)
            {
                double largest = postings.Entry(rows[i])->LargestImpact;
                error += queryScale * impactScale * HalfStep * (quantized[i] + largest + HalfStep);
                most += queryScale * impactScale * (quantized[i] + 1) * (largest + 1);
            }
        }

        return error + (most * (termCount + 1) * Math.Pow(2, -23));
    }

    /// <summary>Scores documents of one query through the forward index; the context's places are zero again once disposed.</summary>
    private readonly ref struct Scorer
    {
        private readonly ForwardIndex _forward;
        private readonly SearchContext _context;
        private readonly ReadOnlySpan<float> _weights;
        private readonly int* _placeOfRank;

        public Scorer(Postings postings, ForwardIndex forward, SearchContext context, ReadOnlySpan<int> terms, ReadOnlySpan<float> weights)
        {
            _forward = forward;
            _context = context;
            _weights = weights;
            _placeOfRank = context.Buffers.PlaceOfRank.Ensure(postings.Parameters.TermCount);
            ReadOnlySpan<int> rows = context.Rows(terms.Length);
            Span<int> places = context.Places(terms.Length);
            ReadOnlySpan<int> rankOfRow = forward.RankOfRow;
            for (int i = 0; i < rows.Length; i++)
            {
                places[i] = -1;
                if (rows[i] >= 0)
                {
                    // A term that is given twice has one place and counts twice.
                    ref int place = ref _placeOfRank[rankOfRow[rows[i]]];
                    place = place == 0 ? i + 1 : place;
                    places[i] = place - 1;
                }
            }
        }

        public float Score(int document)
        {
            int count = _weights.Length;
            return _forward.Score(document, _context.Kernels, _context.Buffers.ForwardRanks, _placeOfRank, _context.Places(count), _weights, _context.Found(count));
        }

        public void Dispose()
        {
            ReadOnlySpan<int> rankOfRow = _forward.RankOfRow;
            foreach (int row in _context.Rows(_weights.Length))
            {
                if (row >= 0)
                {
                    _placeOfRank[rankOfRow[row]] = 0;
                }
            }
        }
    }
}
