// The k greatest scores of each query, ties by the lower document first. A candidate is one 64-bit key: the score's bits in
// an order-preserving form, then the document's complement; keys are distinct, so "the k-th" is one key.
// filter appends what reaches a query's threshold minus its slack; select finds the k-th key by its bytes, from the top,
// keeps what is within the slack of it and makes it the threshold; sort orders what is left. With approximate scores whose
// error is at most e, a slack of 2e keeps every document that can be among the k; rescore makes their scores exact.
// overflow[q] is set when candidates did not fit: without it the result is proven to be that of a full scan.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int top_k_threads = 256;
constexpr int top_k_sorted = 4096;   // keys that sort takes

TERN_DEVICE u64 candidate(float score, u32 document) {
    u32 bits = float_bits(score + 0.0f);   // −0 becomes 0
    return (u64)(bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u)) << 32 | (0xffffffffu - document);
}
TERN_DEVICE float candidate_score(u64 key) {
    u32 bits = (u32)(key >> 32);
    return bits_float(bits ^ (bits >> 31 ? 0x80000000u : 0xffffffffu));
}

// scores [Q, C] of documents first_document on; keys [Q, capacity], counts [Q].
TERN_KERNEL(256, tern_top_k_filter_f32)(const float* scores, i64 pitch, const float* thresholds, const float* slacks, int first_document, int queries, int columns, int capacity, u32* accumulate_counts, u64* keys) {
    int i = blockIdx.y * top_k_threads + threadIdx.x, q = blockIdx.x;
    if (i >= columns) return;
    float score = scores[q * pitch + i];
    if (!(score >= thresholds[q] - slacks[q])) return;
    u32 at = atomic_add(accumulate_counts + q, 1u);
    if (at < (u32)capacity) keys[(i64)q * capacity + at] = candidate(score, (u32)(first_document + i));
}
TERN_EMULATE(tern_top_k_filter_f32)

// A block a query. What is kept goes to another buffer in any order; with slack 0 that is exactly k keys.
TERN_KERNEL(256, tern_top_k_select)(const u64* keys, const float* slacks, int queries, int k, int capacity, u32* accumulate_counts, float* accumulate_thresholds, int* accumulate_overflow, u64* kept) {
    TERN_SHARED(u32, bins, 256);
    TERN_SHARED(u32, found, 3);   // the bin of the k-th key, how many keys lie above it, how many were kept
    int q = blockIdx.x;
    const u64* of_query = keys + (i64)q * capacity;
    u64* to = kept + (i64)q * capacity;
    u32 count = accumulate_counts[q];
    __syncthreads();
    if (threadIdx.x == 0 && count > (u32)capacity) accumulate_overflow[q] = 1;
    if (count > (u32)capacity) count = (u32)capacity;
    u64 prefix = 0;
    if (count > (u32)k) {
        u32 rank = (u32)k;   // of the wanted key among those that share the prefix
        for (int shift = 56; shift >= 0; shift -= 8) {
            bins[threadIdx.x] = 0;
            __syncthreads();
            for (u32 i = threadIdx.x; i < count; i += top_k_threads)
                if (shift == 56 || of_query[i] >> (shift + 8) == prefix) atomic_add(bins + (int)(of_query[i] >> shift & 255), 1u);
            __syncthreads();
            if (threadIdx.x == 0) {
                u32 above = 0;
                int bin = 255;
                for (; above + bins[bin] < rank; bin--) above += bins[bin];
                found[0] = (u32)bin;
                found[1] = above;
            }
            __syncthreads();
            prefix = prefix << 8 | found[0];
            rank -= found[1];
            __syncthreads();
        }
    }
    float cut = candidate_score(prefix) - slacks[q];
    bool exact = slacks[q] == 0.0f;
    if (threadIdx.x == 0) found[2] = 0;
    __syncthreads();
    for (u32 i = threadIdx.x; i < count; i += top_k_threads) {
        u64 key = of_query[i];
        if (count <= (u32)k || key >= prefix || (!exact && candidate_score(key) >= cut)) to[atomic_add(found + 2, 1u)] = key;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        accumulate_counts[q] = found[2];
        if (count > (u32)k) accumulate_thresholds[q] = candidate_score(prefix);
    }
}
TERN_EMULATE(tern_top_k_select)

// Exact scores of the candidates: a warp each. queries [Q, columns], documents [N, columns].
template <class T>
TERN_DEVICE void rescore(const float* queries, i64 queries_pitch, const T* documents, i64 documents_pitch, const u32* counts, int columns, int capacity, u64* keys) {
    int q = blockIdx.y, lane = threadIdx.x % 32;
    u32 i = blockIdx.x * (top_k_threads / 32) + threadIdx.x / 32;
    if (i >= counts[q] || i >= (u32)capacity) return;
    u64* key = keys + (i64)q * capacity + i;
    u32 document = 0xffffffffu - (u32)*key;
    const T* d = documents + document * documents_pitch;
    float sum = 0.0f;
    for (int c = lane; c < columns; c += 32) sum = fmaf(queries[q * queries_pitch + c], to_float(d[c]), sum);
    sum = warp_sum(sum);
    __syncwarp();
    if (lane == 0) *key = candidate(sum, document);
}
TERN_KERNEL(256, tern_top_k_rescore_f32)(const float* queries, i64 queries_pitch, const float* documents, i64 documents_pitch, const u32* counts, int query_count, int columns, int capacity, u64* keys) {
    rescore(queries, queries_pitch, documents, documents_pitch, counts, columns, capacity, keys);
}
TERN_EMULATE(tern_top_k_rescore_f32)
TERN_KERNEL(256, tern_top_k_rescore_bf16)(const float* queries, i64 queries_pitch, const bf16* documents, i64 documents_pitch, const u32* counts, int query_count, int columns, int capacity, u64* keys) {
    rescore(queries, queries_pitch, documents, documents_pitch, counts, columns, capacity, keys);
}
TERN_EMULATE(tern_top_k_rescore_bf16)

// scores and documents [Q, k], best first; places without a candidate have −∞ and −1. counts and k up to 4096.
TERN_KERNEL(256, tern_top_k_sort)(const u64* keys, const u32* counts, int queries, int k, int capacity, float* scores, int* documents) {
    shared_carver carver;
    TERN_TAKE(carver, u64, sorted, top_k_sorted);
    int q = blockIdx.x;
    u32 count = counts[q], size = 2;
    while (size < count) size *= 2;
    for (u32 i = threadIdx.x; i < size; i += top_k_threads) sorted[i] = i < count ? keys[(i64)q * capacity + i] : 0;
    __syncthreads();
    for (u32 length = 2; length <= size; length *= 2)
        for (u32 step = length / 2; step; step /= 2) {
            for (u32 i = threadIdx.x; i < size; i += top_k_threads) {
                u32 other = i ^ step;
                if (other <= i) continue;
                u64 left = sorted[i], right = sorted[other];
                if ((left < right) == ((i & length) == 0)) {
                    sorted[i] = right;
                    sorted[other] = left;
                }
            }
            __syncthreads();
        }
    for (u32 i = threadIdx.x; i < (u32)k; i += top_k_threads) {
        u64 key = i < size ? (u64)sorted[i] : 0;
        bool there = i < count;
        scores[(i64)q * k + i] = there ? candidate_score(key) : bits_float(0xff800000u);
        documents[(i64)q * k + i] = there ? (int)(0xffffffffu - (u32)key) : -1;
    }
}
TERN_EMULATE(tern_top_k_sort)

// Sparse: postings of blocks of 16384 documents, term by term: offsets [blocks, V + 1], documents within the block (u16),
// impacts (u8). A block of threads scores one document block for one query, in shared memory: terms one after the other,
// so that no document is met twice at once and every score is the sum in the query's order. Queries are lists
// (query_offsets [Q + 1], terms, weights). What reaches the threshold becomes a candidate.
constexpr int sparse_documents = 16384;
TERN_KERNEL(256, tern_sparse_search)(const u32* offsets, const u16* documents, const u8* impacts, const int* query_offsets, const int* terms, const float* weights, const float* thresholds, int first_block, int block_count, int queries, int vocabulary, int capacity, u32* accumulate_counts, u64* keys) {
    shared_carver carver;
    TERN_TAKE(carver, float, scores, sparse_documents);
    int q = blockIdx.x, block = first_block + blockIdx.y;
    for (int i = threadIdx.x; i < sparse_documents; i += top_k_threads) scores[i] = 0.0f;
    const u32* of_block = offsets + (i64)block * (vocabulary + 1);
    for (int t = query_offsets[q]; t < query_offsets[q + 1]; t++) {
        __syncthreads();
        u32 end = of_block[terms[t] + 1];
        float weight = weights[t];
        for (u32 i = of_block[terms[t]] + threadIdx.x; i < end; i += top_k_threads) scores[documents[i]] = fmaf(weight, (float)impacts[i], scores[documents[i]]);
    }
    __syncthreads();
    float threshold = thresholds[q];
    for (int i = threadIdx.x; i < sparse_documents; i += top_k_threads) {
        float score = scores[i];
        if (score > 0.0f && score >= threshold) {
            u32 at = atomic_add(accumulate_counts + q, 1u);
            if (at < (u32)capacity) keys[(i64)q * capacity + at] = candidate(score, (u32)(block * sparse_documents + i));
        }
    }
}
TERN_EMULATE(tern_sparse_search)
