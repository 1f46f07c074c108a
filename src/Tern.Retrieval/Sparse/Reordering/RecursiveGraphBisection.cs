using System.Collections.Concurrent;

namespace Tern.Retrieval;

/// <summary>How far <see cref="RecursiveGraphBisection"/> goes.</summary>
public sealed record BisectionOptions
{
    /// <summary>Parts of at most so many documents are not divided.</summary>
    public int LeafSize { get; init; } = 16;

    /// <summary>Rounds of exchanges between two halves; most stop earlier.</summary>
    public int IterationCount { get; init; } = 20;

    /// <summary>Terms in fewer documents say nothing of their order.</summary>
    public int LeastDocumentFrequency { get; init; } = 8;

    /// <summary>Terms in a larger share of the documents are left out: they are everywhere in any order.</summary>
    public double LargestShare { get; init; } = 1.0 / 6;

    /// <summary>0 takes all processors. The order does not depend on it.</summary>
    public int ThreadCount { get; init; }
}

/// <summary>
/// Orders documents so that those which share terms come together (Dhulipala et al., Compressing Graphs and Indexes with
/// Recursive Graph Bisection, KDD 2016): gaps become smaller and the bounds of blocks tighter. Halves exchange the
/// documents that lower the sum over terms of d · log2(n / (d + 1)) most, then each half is divided in turn.
/// </summary>
public static class RecursiveGraphBisection
{
    // Enough parts to keep many threads busy; fixed, so that no result depends on the number of threads.
    private const int SharedLevels = 5;

    /// <summary>
    /// The new order: element i is the present number of the document that becomes number i. Needs 8 to 16 bytes a kept
    /// posting; at most 2^31 of them.
    /// </summary>
    public static int[] Order(IDocumentTerms documents, BisectionOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= new BisectionOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.LeafSize, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(options.IterationCount);
        int threadCount = options.ThreadCount > 0 ? options.ThreadCount : Environment.ProcessorCount;
        var order = new int[documents.DocumentCount];
        float[] steps = BisectionWorkspace.Steps(documents.DocumentCount);
        var workspaces = new ConcurrentBag<BisectionWorkspace>();
        List<BisectionPart> parts = [BisectionPart.Whole(documents, options)];
        for (int level = 0; level < SharedLevels; level++)
        {
            var next = new List<BisectionPart>(2 * parts.Count);
            for (int i = 0; i < parts.Count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (parts[i].DocumentCount <= options.LeafSize)
                {
                    next.Add(parts[i]);
                    continue;
                }

                (BisectionPart left, BisectionPart right) = Divide(parts[i], threadCount);
                // The part's terms are not needed any more, and they are most of the memory.
                parts[i] = left;
                next.Add(left);
                next.Add(right);
            }

            parts = next;
        }

        // Parts are of almost one size, so each thread takes one at a time.
        Parallel.For(0, parts.Count, new ParallelOptions { MaxDegreeOfParallelism = threadCount, CancellationToken = cancellationToken }, i => DivideAll(parts[i]));
        return order;

        (BisectionPart Left, BisectionPart Right) Divide(BisectionPart part, int threads)
        {
            BisectionWorkspace workspace = workspaces.TryTake(out BisectionWorkspace? free) ? free : new BisectionWorkspace(steps);
            workspace.Exchange(part, options.IterationCount, threads);
            (BisectionPart, BisectionPart) halves = (workspace.Half(part, left: true), workspace.Half(part, left: false));
            workspaces.Add(workspace);
            return halves;
        }

        void DivideAll(BisectionPart part)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (part.DocumentCount <= options.LeafSize)
            {
                part.WriteLeaf(order);
                return;
            }

            (BisectionPart left, BisectionPart right) = Divide(part, 1);
            DivideAll(left);
            DivideAll(right);
        }
    }
}
