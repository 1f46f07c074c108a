using Tern.Compute;
using Tern.TestKit;
using Xunit;

namespace Tern.Kernels.Tests.Checks;

/// <summary>Top-k of dense and of sparse scores: ids and scores equal to those of a full scan, ties included.</summary>
internal static class SearchChecks
{
    private const int Queries = 3;

    public static void Dense(EmulatedKernels kernels)
    {
        const int Documents = 900, Block = 400, K = 20, Capacity = K + Block;
        // Whole numbers: many ties, also at the k-th place.
        float[] scores = [.. TestValues.Integers(Queries * Documents, 200, 3).Select(x => x - 100f)];
        using TopK top = new(kernels, Capacity, K);
        for (int first = 0; first < Documents; first += Block)
        {
            int columns = Math.Min(Block, Documents - first);
            using HostMatrix block = new(Queries, columns);
            for (int i = 0; i < Queries * columns; i++)
            {
                block[i / columns, i % columns] = scores[(i / columns * Documents) + first + (i % columns)];
            }

            top.Filter(block, first);
            top.Select();
        }

        top.ShouldBe(Best(scores, Documents, K));
    }

    /// <summary>Scores rounded to bf16, twice their error as slack, exact scores of what that leaves: the exact result.</summary>
    public static void DenseRescored(EmulatedKernels kernels)
    {
        const int Documents = 300, K = 5, Size = 40;
        using HostMatrix queries = KernelValues.Normal(1, Queries, Size, pitch: Size + 1), documents = KernelValues.Normal(2, Documents, Size, DType.BFloat16, Size + 2), approximate = new(Queries, Documents);
        float[] exact = new float[Queries * Documents];
        for (int i = 0; i < exact.Length; i++)
        {
            double sum = 0;
            for (int c = 0; c < Size; c++)
            {
                sum += (double)queries[i / Documents, c] * documents[i % Documents, c];
            }

            exact[i] = (float)sum;
            approximate[i / Documents, i % Documents] = TestValues.RoundToBFloat16([exact[i]])[0];
        }

        using TopK top = new(kernels, Documents, K, slack: 0.25f); // scores stay below 32, so their error below 0.125
        top.Filter(approximate, 0);
        top.Select();
        top.Rescore(queries, documents);
        top.Select(slack: false);
        top.ShouldBe(Best(exact, Documents, K), 1e-4f);

        using HostMatrix wide = KernelValues.Of(documents.Floats(), Documents, Size);
        using TopK again = new(kernels, Documents, K, slack: 0.25f);
        again.Filter(approximate, 0);
        again.Select();
        again.Rescore(queries, wide);
        again.Select(slack: false);
        again.ShouldBe(Best(exact, Documents, K), 1e-4f);
    }

    public static void WhatDoesNotFitIsReported(EmulatedKernels kernels)
    {
        using TopK top = new(kernels, capacity: 10, k: 5);
        using HostMatrix scores = KernelValues.Normal(1, Queries, 11);
        top.Filter(scores, 0);
        top.Select();
        Assert.Equal([1, 1, 1], top.Overflow);
        kernels.Digests.Clear(); // which of the candidates fitted is the schedule's choice
    }

    public static unsafe void Sparse(EmulatedKernels kernels)
    {
        const int BlockDocuments = 16384, Blocks = 2, Vocabulary = 12, K = 50;
        Random random = new(4);
        List<(int Document, int Term, int Impact)> postings = [];
        for (int i = 0; i < 3000; i++)
        {
            postings.Add((random.Next(Blocks * BlockDocuments), random.Next(Vocabulary - 1), 1 + random.Next(255)));
        }

        postings = [.. postings.DistinctBy(p => (p.Document, p.Term)).OrderBy(p => p.Document / BlockDocuments).ThenBy(p => p.Term).ThenBy(p => p.Document)];
        int[] offsets = new int[Blocks * (Vocabulary + 1)];
        for (int block = 0; block < Blocks; block++)
        {
            for (int term = 0; term <= Vocabulary; term++)
            {
                offsets[(block * (Vocabulary + 1)) + term] = postings.Count(p => p.Document / BlockDocuments < block || (p.Document / BlockDocuments == block && p.Term < term));
            }
        }

        int[] queryOffsets = [0, 3, 3, 5], terms = [2, 7, 11, 0, 1];
        float[] weights = [0.5f, 1, 2, 1, 1.25f];
        float[] scores = new float[Queries * Blocks * BlockDocuments];
        for (int q = 0; q < Queries; q++)
        {
            for (int t = queryOffsets[q]; t < queryOffsets[q + 1]; t++)
            {
                foreach ((int document, _, int impact) in postings.Where(p => p.Term == terms[t]))
                {
                    scores[(q * Blocks * BlockDocuments) + document] += weights[t] * impact;
                }
            }
        }

        // Two bytes and one byte an element, in whole words.
        using HostMatrix documents = new(1, (postings.Count / 2) + 1, DType.Int32), impacts = new(1, (postings.Count / 4) + 1, DType.Int32);
        for (int i = 0; i < postings.Count; i++)
        {
            ((ushort*)documents.Tensor.Address)[i] = (ushort)(postings[i].Document % BlockDocuments);
            ((byte*)impacts.Tensor.Address)[i] = (byte)postings[i].Impact;
        }

        using HostMatrix starts = HostMatrix.Integers(offsets), queryStarts = HostMatrix.Integers(queryOffsets), queryTerms = HostMatrix.Integers(terms), queryWeights = KernelValues.Of(weights, 1, weights.Length);
        using TopK top = new(kernels, K + BlockDocuments, K);
        for (int block = 0; block < Blocks; block++)
        {
            kernels.Launch("tern_sparse_search", starts, documents, impacts, queryStarts, queryTerms, queryWeights, top.Thresholds, block, 1, Queries, Vocabulary, K + BlockDocuments, top.Counts, top.Keys);
            top.Select();
        }

        top.ShouldBe(Best(scores, Blocks * BlockDocuments, K, positive: true));
    }

    private static List<(float Score, int Document)>[] Best(float[] scores, int documents, int k, bool positive = false) =>
        [.. Enumerable.Range(0, Queries).Select(q => Enumerable.Range(0, documents).Select(d => (Score: scores[(q * documents) + d], Document: d)).Where(s => !positive || s.Score > 0).OrderByDescending(s => s.Score).ThenBy(s => s.Document).Take(k).ToList())];

    /// <summary>The state of a running top-k.</summary>
    private sealed class TopK : IDisposable
    {
        private readonly EmulatedKernels _kernels;
        private readonly int _capacity;
        private readonly int _k;
        private readonly HostMatrix _slacks;
        private readonly HostMatrix _noSlack = KernelValues.Of(new float[Queries], 1, Queries);
        private readonly HostMatrix _overflow = HostMatrix.Integers(new int[Queries]);
        private HostMatrix _other;

        public TopK(EmulatedKernels kernels, int capacity, int k, float slack = 0)
        {
            (_kernels, _capacity, _k) = (kernels, capacity, k);
            _slacks = KernelValues.Of([.. Enumerable.Repeat(slack, Queries)], 1, Queries);
            Keys = new HostMatrix(Queries, 2 * capacity, DType.Int32); // 64 bits each
            _other = new HostMatrix(Queries, 2 * capacity, DType.Int32);
        }

        public HostMatrix Keys { get; private set; }

        public HostMatrix Counts { get; } = HostMatrix.Integers(new int[Queries]);

        public HostMatrix Thresholds { get; } = KernelValues.Of([.. Enumerable.Repeat(float.NegativeInfinity, Queries)], 1, Queries);

        public int[] Overflow => _overflow.Bits();

        public void Filter(HostMatrix scores, int firstDocument) =>
            _kernels.Launch("tern_top_k_filter_f32", scores, scores.Tensor.Columns, Thresholds, _slacks, firstDocument, Queries, scores.Tensor.Columns, _capacity, Counts, Keys);

        public void Select(bool slack = true)
        {
            _kernels.Launch("tern_top_k_select", Keys, slack ? _slacks : _noSlack, Queries, _k, _capacity, Counts, Thresholds, _overflow, _other);
            (Keys, _other) = (_other, Keys);
        }

        public void Rescore(HostMatrix queries, HostMatrix documents) =>
            _kernels.Launch($"tern_top_k_rescore_{documents.Tensor.DType.Suffix()}", queries, queries.Tensor.RowPitch, documents, documents.Tensor.RowPitch, Counts, Queries, queries.Tensor.Columns, _capacity, Keys);

        public void ShouldBe(List<(float Score, int Document)>[] expected, float tolerance = 0)
        {
            using HostMatrix scores = new(Queries, _k), documents = new(Queries, _k, DType.Int32);
            _kernels.Launch("tern_top_k_sort", Keys, Counts, Queries, _k, _capacity, scores, documents);
            Assert.Equal([0, 0, 0], Overflow);
            for (int q = 0; q < Queries; q++)
            {
                for (int i = 0; i < _k; i++)
                {
                    (float score, int document) = i < expected[q].Count ? expected[q][i] : (float.NegativeInfinity, -1);
                    Assert.True(documents.Integer(q, i) == document && (scores[q, i] == score || Math.Abs(scores[q, i] - score) <= tolerance), $"query {q}, place {i}: document {documents.Integer(q, i)} with {scores[q, i]}, expected {document} with {score}");
                }
            }

            Keys.AssertGapsUntouched();
            _other.AssertGapsUntouched();
        }

        public void Dispose()
        {
            foreach (HostMatrix matrix in new[] { _slacks, _noSlack, _overflow, _other, Keys, Counts, Thresholds })
            {
                matrix.Dispose();
            }
        }
    }
}
