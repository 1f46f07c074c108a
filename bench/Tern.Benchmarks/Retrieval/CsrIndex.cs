using System.Runtime.InteropServices;
using Tern.Retrieval;
using Tern.Retrieval.Exchange;

namespace Tern.Benchmarks.Retrieval;

/// <summary>An index of PREFIX.docs.csr, in the order of PREFIX.bp.u32 where that is there.</summary>
internal static class CsrIndex
{
    public static void Build(string prefix, string directory, PostingLayout layout, ImpactPrecision precision)
    {
        string documents = prefix + ".docs.csr";
        (_, long columns, _) = SparseCsr.ReadHeader(documents);
        using var builder = new SparseIndexBuilder(directory, new SparseIndexOptions { VocabularySize = (int)Math.Max(1, columns), Layout = layout, Precision = precision });
        foreach (SparseDocument row in SparseCsr.Read(documents))
        {
            builder.Add(row.Id, row.Vector);
        }

        if (File.Exists(prefix + ".bp.u32"))
        {
            builder.Reorder(MemoryMarshal.Cast<byte, int>(File.ReadAllBytes(prefix + ".bp.u32")));
        }

        builder.Complete();
    }

    public static SparseVector[] Queries(string prefix) => [.. SparseCsr.Read(prefix + ".queries.csr").Select(row => row.Vector)];
}
