namespace Tern.Compute;

/// <summary>A backend that keeps many rows and finds those of the greatest inner products with a query.</summary>
public interface ICandidateBackend
{
    /// <summary>Copies rows [N, D], Float32 on the host, to the device; the caller disposes them before or after the backend.</summary>
    ICandidateRows KeepRows(Tensor rows);
}

/// <summary>Rows on a device. One caller at a time, and none on the backend meanwhile.</summary>
public interface ICandidateRows : IDisposable
{
    /// <summary>
    /// For each of the queries, row-major [Q, D], every row that can be among the <paramref name="k"/> of the greatest inner products when one
    /// that is calculated here is off by at most half of <paramref name="slacks"/>[q]; in no order, and as a rule little more than k.
    /// Null for a query that has more of them than there is room for.
    /// </summary>
    int[]?[] Candidates(ReadOnlySpan<float> queries, int k, ReadOnlySpan<float> slacks);
}
