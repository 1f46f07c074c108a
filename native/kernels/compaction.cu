// Rows [B, V] of representations as lists of (term, weight), terms ascending: counts of what is not zero, their exclusive
// sums (scan.cu), and the lists. A block a row, 256 entries at a time. Bytes: the rows twice.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int compaction_threads = 256;

TERN_KERNEL(256, tern_compaction_count_f32)(const float* values, i64 pitch, int rows, int columns, int* counts) {
    TERN_SHARED(int, partial, compaction_threads / 32);
    const float* row = values + blockIdx.x * pitch;
    int count = 0;
    for (int i = threadIdx.x; i < columns; i += compaction_threads) count += row[i] != 0.0f;
    count = block_sum<compaction_threads>(count, partial);
    if (threadIdx.x == 0) counts[blockIdx.x] = count;
}
TERN_EMULATE(tern_compaction_count_f32)

TERN_KERNEL(256, tern_compaction_fill_f32)(const float* values, i64 pitch, const int* offsets, int rows, int columns, int* terms, float* weights) {
    TERN_SHARED(u32, votes, compaction_threads / 32);
    const float* row = values + blockIdx.x * pitch;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, next = offsets[blockIdx.x];
    for (int first = 0; first < columns; first += compaction_threads) {
        int i = first + threadIdx.x;
        float value = i < columns ? row[i] : 0.0f;
        u32 of_warp = __ballot_sync(all_lanes, value != 0.0f);
        if (lane == 0) votes[warp] = of_warp;
        __syncthreads();
        int at = next;
        for (int w = 0; w < compaction_threads / 32; w++) {
            int count = count_bits(votes[w]);
            if (w < warp) at += count;
            next += count;
        }
        __syncthreads();
        if (value != 0.0f) {
            at += count_bits(of_warp & ((1u << lane) - 1));
            terms[at] = i;
            weights[at] = value;
        }
    }
}
TERN_EMULATE(tern_compaction_fill_f32)
