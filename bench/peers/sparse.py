"""For bench/peers/sparse.sh: the paper's own scan over a set in numba, and the same set as PISA reads it.

    sparse.py scan PREFIX PASSES K...      rows "numba K MEAN P50 P99", milliseconds of each query's fastest pass
    sparse.py pisa PREFIX DIRECTORY        DIRECTORY/set.{docs,freqs,sizes} and DIRECTORY/queries

PREFIX.docs.csr and PREFIX.queries.csr are BigANN CSR files, PREFIX.bp.u32 the documents' order.
"""
import sys
import time

import numpy as np
from scipy import sparse


def read_csr(path):
    with open(path, "rb") as file:
        rows, columns, count = np.fromfile(file, np.int64, 3)
        starts = np.fromfile(file, np.int64, rows + 1)
        terms = np.fromfile(file, np.int32, count)
        weights = np.fromfile(file, np.float32, count)
    return sparse.csr_matrix((weights, terms, starts), shape=(rows, columns))


def read_lists(prefix):
    """The documents in their order, by term: starts, documents, weights."""
    documents = read_csr(prefix + ".docs.csr")
    order = np.fromfile(prefix + ".bp.u32", np.uint32)
    lists = documents[order].tocsc()
    return documents.shape[0], lists.indptr, lists.indices, lists.data


def scan(prefix, passes, ks):
    import numba

    @numba.njit(nogil=True, fastmath=False)
    def accumulate(starts, documents, weights, terms, query, count):
        scores = np.zeros(count, np.float32)
        for i in range(len(terms)):
            for at in range(starts[terms[i]], starts[terms[i] + 1]):
                scores[documents[at]] += query[i] * weights[at]
        return np.nonzero(scores > np.float32(0))[0], scores

    count, starts, documents, weights = read_lists(prefix)
    queries = read_csr(prefix + ".queries.csr")
    for k in ks:
        best = np.full(queries.shape[0], np.inf)
        # The first pass compiles and is not counted.
        for turn in range(passes + 1):
            for q in range(queries.shape[0]):
                row = slice(queries.indptr[q], queries.indptr[q + 1])
                began = time.thread_time_ns()
                found, scores = accumulate(starts, documents, weights, queries.indices[row], queries.data[row], count)
                scores = scores[found]
                if len(found) > k:
                    kept = np.argpartition(-scores, k)[:k]
                    found, scores = found[kept], scores[kept]
                spent = (time.thread_time_ns() - began) / 1e6
                if turn > 0:
                    best[q] = min(best[q], spent)
        print(f"numba {k} {best.mean():.4f} {np.percentile(best, 50):.4f} {np.percentile(best, 99):.4f}", flush=True)


def to_pisa(prefix, directory):
    """Impacts as Tern makes them, as term frequencies; a query's weights as repetitions of its terms, 63 at the most."""
    count, starts, documents, weights = read_lists(prefix)
    impacts = np.clip(np.rint(weights / (weights.max() / np.float32(255))), 1, 255).astype(np.uint32)
    present = np.nonzero(np.diff(starts))[0]
    numbers = np.full(len(starts) - 1, -1)
    numbers[present] = np.arange(len(present))
    with open(directory + "/set.docs", "wb") as ids, open(directory + "/set.freqs", "wb") as freqs:
        np.array([1, count], np.uint32).tofile(ids)
        for term in present:
            part = slice(starts[term], starts[term + 1])
            header = np.array([starts[term + 1] - starts[term]], np.uint32)
            header.tofile(ids)
            documents[part].astype(np.uint32).tofile(ids)
            header.tofile(freqs)
            impacts[part].tofile(freqs)
    with open(directory + "/set.sizes", "wb") as sizes:
        np.concatenate([[count], np.full(count, 100)]).astype(np.uint32).tofile(sizes)
    queries = read_csr(prefix + ".queries.csr")
    with open(directory + "/queries", "w", encoding="utf-8") as lines:
        for q in range(queries.shape[0]):
            row = slice(queries.indptr[q], queries.indptr[q + 1])
            data = queries.data[row]
            times = np.clip(np.rint(data / data.max() * 63), 1, 63).astype(int)
            words = [str(numbers[term]) for term, n in zip(queries.indices[row], times) if numbers[term] >= 0 for _ in range(n)]
            lines.write(f"{q}:{' '.join(words)}\n")

if __name__ == "__main__":
    if sys.argv[1] == "scan":
        scan(sys.argv[2], int(sys.argv[3]), [int(k) for k in sys.argv[4:]])
    else:
        to_pisa(sys.argv[2], sys.argv[3])
