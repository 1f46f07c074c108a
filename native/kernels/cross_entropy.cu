// losses[m] = −log softmax(logits[m])[label] over blocks of the vocabulary's logits, which matrix products make one after
// the other. State [3, M] by row: greatest logit so far, Σ exp above it, the label's logit; and the greatest one's entry.
// Backward, in place: logit becomes weight · (softmax − [label]), for the products that follow.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int entropy_threads = 256;

// A block a row. The block that begins at column 0 starts the state.
TERN_KERNEL(256, tern_cross_entropy_forward_f32)(const float* logits, i64 pitch, const int* labels, int first_column, int rows, int columns, float* accumulate_state, int* accumulate_best) {
    TERN_SHARED(float, partial, entropy_threads / 32);
    TERN_SHARED(int, partial_at, entropy_threads / 32);
    int m = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const float* row = logits + m * pitch;
    float best = bits_float(0xff800000u);
    int best_at = 0x7fffffff;
    for (int i = threadIdx.x; i < columns; i += entropy_threads) {
        float logit = row[i];
        if (!(logit <= best) || best_at == 0x7fffffff) {
            best = logit;
            best_at = first_column + i;
        }
    }
#pragma unroll
    for (int lanes = 16; lanes; lanes /= 2) {
        float other = __shfl_xor_sync(all_lanes, best, lanes);
        int other_at = __shfl_xor_sync(all_lanes, best_at, lanes);
        if (other > best || (other == best && other_at < best_at)) {
            best = other;
            best_at = other_at;
        }
    }
    if (lane == 0) {
        partial[warp] = best;
        partial_at[warp] = best_at;
    }
    __syncthreads();
    best = partial[0];
    best_at = partial_at[0];
    for (int w = 1; w < entropy_threads / 32; w++) {
        float other = partial[w];
        int other_at = partial_at[w];
        if (other > best || (other == best && other_at < best_at)) {
            best = other;
            best_at = other_at;
        }
    }
    __syncthreads();
    bool begins = first_column == 0;
    float before = begins ? bits_float(0xff800000u) : accumulate_state[m];
    float greatest = fmaxf(before, best), sum = 0.0f;
    for (int i = threadIdx.x; i < columns; i += entropy_threads) sum += exp_float(row[i] - greatest);
    sum = block_sum<entropy_threads>(sum, partial);
    if (threadIdx.x == 0) {
        int label = labels[m] - first_column;
        accumulate_state[m] = greatest;
        accumulate_state[rows + m] = (begins ? 0.0f : accumulate_state[rows + m] * exp_float(before - greatest)) + sum;
        if (label >= 0 && label < columns) accumulate_state[2 * rows + m] = row[label];
        if (begins || best > before) accumulate_best[m] = best_at;
    }
}
TERN_EMULATE(tern_cross_entropy_forward_f32)

TERN_KERNEL(256, tern_cross_entropy_finish_f32)(const float* state, int rows, float* log_sum_exp, float* losses) {
    int m = blockIdx.x * entropy_threads + threadIdx.x;
    if (m >= rows) return;
    float above = log_float(state[rows + m]);
    log_sum_exp[m] = state[m] + above;
    losses[m] = above - (state[2 * rows + m] - state[m]);
}
TERN_EMULATE(tern_cross_entropy_finish_f32)

TERN_KERNEL(256, tern_cross_entropy_backward_f32)(const int* labels, const float* log_sum_exp, float weight, int first_column, int rows, int columns, i64 pitch, float* logits) {
    int m = blockIdx.x, first = blockIdx.y * entropy_threads, i = first + threadIdx.x;
    if (i >= columns) return;
    float p = exp_float(logits[m * pitch + i] - log_sum_exp[m]);
    logits[m * pitch + i] = weight * (p - (labels[m] == first_column + i ? 1.0f : 0.0f));
}
TERN_EMULATE(tern_cross_entropy_backward_f32)
