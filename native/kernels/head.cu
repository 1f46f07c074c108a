// The sparse head around its matrix products, which run over blocks of the vocabulary.
// Forward: of a block of logits [T, C], maxima[b, v] = max over rows i of b of scale · logit[i, v] + bias[v] and the first
// row that has it; a NaN stays. A thread a column of a sequence, rows in order; bytes: the logits once.
// Backward, with g = dMaxima[b, v] and i = argMax[b, v]: dH[i] += scale · g · W[v], dW[v] += scale · g · H[i].
// dH by lists of (v, g) for each row, sorted by v, in four steps of fixed order: count for each row and eighth-thousand of
// the vocabulary, exclusive sums, fill, then a block a row and 128 columns that reads only the rows of W it needs. Where
// most entries carry gradient, tern_head_one_hot makes [T, C] blocks of g for a matrix product instead.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int head_threads = 256;
constexpr int head_warps = head_threads / 32;
constexpr int head_chunk = 2048;   // entries of one sequence that one warp lists

template <class T>
TERN_DEVICE void segment_max(const T* logits, i64 logits_pitch, const float* bias, const int* starts, float scale, int first_column, int columns, int vocabulary, float* maxima, int* arg_max) {
    int column = blockIdx.x * head_threads + threadIdx.x;
    if (column >= columns) return;
    int start = starts[blockIdx.y], end = starts[blockIdx.y + 1], best_row = -1;
    float best = bits_float(0xff800000u);
#pragma unroll 4
    for (int row = start; row < end; row++) {
        float logit = to_float(logits[row * logits_pitch + column]);
        if (best_row < 0 || (best == best && !(logit <= best))) {
            best = logit;
            best_row = row;
        }
    }
    i64 at = (i64)blockIdx.y * vocabulary + first_column + column;
    maxima[at] = end > start ? best * scale + (bias ? bias[first_column + column] : 0.0f) : best;
    arg_max[at] = best_row;
}

TERN_KERNEL(256, tern_segment_max_f32)(const float* logits, i64 logits_pitch, const float* bias, const int* sequence_starts, int sequences, float scale, int first_column, int columns, int vocabulary, float* maxima, int* arg_max) {
    segment_max(logits, logits_pitch, bias, sequence_starts, scale, first_column, columns, vocabulary, maxima, arg_max);
}
TERN_EMULATE(tern_segment_max_f32)
TERN_KERNEL(256, tern_segment_max_bf16)(const bf16* logits, i64 logits_pitch, const float* bias, const int* sequence_starts, int sequences, float scale, int first_column, int columns, int vocabulary, float* maxima, int* arg_max) {
    segment_max(logits, logits_pitch, bias, sequence_starts, scale, first_column, columns, vocabulary, maxima, arg_max);
}
TERN_EMULATE(tern_segment_max_bf16)

// Calls action(v, row, below, same) for 32 entries at a time of this warp's chunk: same has the lanes whose entry goes to
// the same row, below those of them before this lane; row is -1 without gradient.
template <class Action>
TERN_DEVICE void each_entry(const float* d_maxima, const int* arg_max, int vocabulary, int chunk, Action action) {
    int lane = threadIdx.x % 32, end = (chunk + 1) * head_chunk < vocabulary ? (chunk + 1) * head_chunk : vocabulary;
    i64 of_sequence = (i64)blockIdx.y * vocabulary;
    for (int first = chunk * head_chunk; first < end; first += 32) {
        int v = first + lane;
        bool active = v < end && d_maxima[of_sequence + v] != 0.0f && arg_max[of_sequence + v] >= 0;
        int row = active ? arg_max[of_sequence + v] : -1;
        u32 same = match_any(all_lanes, row), below = same & ((1u << lane) - 1);
        action(v, row, below, same);
        __syncwarp();
    }
}

// counts [T, chunks], zero before: entries of each row in each chunk of the vocabulary.
TERN_KERNEL(256, tern_head_count)(const float* d_maxima, const int* arg_max, int sequences, int vocabulary, int chunks, int* accumulate_counts) {
    int chunk = blockIdx.x * head_warps + threadIdx.x / 32;
    if (chunk >= chunks) return;
    each_entry(d_maxima, arg_max, vocabulary, chunk, [&](int, int row, u32 below, u32 same) {
        if (row >= 0 && below == 0) accumulate_counts[(i64)row * chunks + chunk] += count_bits(same);
    });
}
TERN_EMULATE(tern_head_count)

// next [T, chunks]: where each row's entries of each chunk go (the exclusive sums of the counts); moved on by one for each.
TERN_KERNEL(256, tern_head_fill)(const float* d_maxima, const int* arg_max, int sequences, int vocabulary, int chunks, int* accumulate_next, int* terms, float* gradients) {
    int chunk = blockIdx.x * head_warps + threadIdx.x / 32;
    if (chunk >= chunks) return;
    each_entry(d_maxima, arg_max, vocabulary, chunk, [&](int v, int row, u32 below, u32 same) {
        int at = row >= 0 ? accumulate_next[(i64)row * chunks + chunk] : 0;
        __syncwarp();
        if (row < 0) return;
        terms[at + count_bits(below)] = v;
        gradients[at + count_bits(below)] = d_maxima[(i64)blockIdx.y * vocabulary + v];
        if (below == 0) accumulate_next[(i64)row * chunks + chunk] = at + count_bits(same);
    });
}
TERN_EMULATE(tern_head_fill)

// ends [T, chunks] as tern_head_fill leaves them. A warp adds up an eighth of the row's list for 128 columns, 4 a lane.
template <class W, class H>
TERN_DEVICE void head_gather(const int* ends, const int* terms, const float* gradients, const W* weight, i64 weight_pitch, float scale, int chunks, int columns, i64 d_hidden_pitch, H* accumulate_d_hidden) {
    constexpr int lane_columns = 4, block_columns = 32 * lane_columns;
    TERN_SHARED(float, partial, head_warps * block_columns);
    int row = blockIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32, first = blockIdx.y * block_columns + lane * lane_columns;
    int begin = row == 0 ? 0 : ends[(i64)row * chunks - 1], end = ends[(i64)row * chunks + chunks - 1];
    if (begin == end) return;   // the whole block
    int share = (end - begin + head_warps - 1) / head_warps, from = begin + warp * share, to = from + share < end ? from + share : end;
    float sums[lane_columns] = {};
    bool in_fours = columns % lane_columns == 0 && weight_pitch % lane_columns == 0;
    for (int group = from; group < to; group += 32) {
        // Past the end: the last entry with gradient 0, so that four can be read at a time.
        int term_of_lane = terms[group + lane < to ? group + lane : to - 1], count = to - group < 32 ? to - group : 32;
        float gradient_of_lane = group + lane < to ? gradients[group + lane] : 0.0f;
        for (int four = 0; four < count; four += 4) {
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const W* of_term = weight + __shfl_sync(all_lanes, term_of_lane, four + j) * weight_pitch + first;
                float g = __shfl_sync(all_lanes, gradient_of_lane, four + j);
                if (in_fours && first < columns) {
                    Four w = load_four(of_term);
#pragma unroll
                    for (int c = 0; c < lane_columns; c++) sums[c] = fmaf(g, w.value[c], sums[c]);
                } else {
#pragma unroll
                    for (int c = 0; c < lane_columns; c++)
                        if (first + c < columns) sums[c] = fmaf(g, to_float(of_term[c]), sums[c]);
                }
            }
        }
    }
#pragma unroll
    for (int c = 0; c < lane_columns; c++) partial[warp * block_columns + lane * lane_columns + c] = sums[c];
    __syncthreads();
    int column = blockIdx.y * block_columns + threadIdx.x;
    if (threadIdx.x >= block_columns || column >= columns) return;
    float sum = 0.0f;
    for (int w = 0; w < head_warps; w++) sum += partial[w * block_columns + threadIdx.x];
    H* target = accumulate_d_hidden + row * d_hidden_pitch + column;
    *target = from_float<H>(to_float(*target) + scale * sum);
}

// A block an entry v of the vocabulary: its sequences in order.
template <class H>
TERN_DEVICE void head_weight_gradient(const float* d_maxima, const int* arg_max, const H* hidden, i64 hidden_pitch, float scale, int sequences, int vocabulary, int columns, i64 d_weight_pitch, float* accumulate_d_weight) {
    int v = blockIdx.x;
    for (int column = blockIdx.y * head_threads + threadIdx.x; column < columns && column < (int)(blockIdx.y + 1) * head_threads; column += head_threads) {
        float sum = 0.0f;
        for (int b = 0; b < sequences; b++) {
            float g = d_maxima[(i64)b * vocabulary + v];
            if (g != 0.0f) sum = fmaf(g, to_float(hidden[arg_max[(i64)b * vocabulary + v] * hidden_pitch + column]), sum);
        }
        if (sum != 0.0f) accumulate_d_weight[v * d_weight_pitch + column] += scale * sum;
    }
}

// gradients [T, C], zero before: scale · g of the block's entries at their rows; no two sequences share a row.
template <class T>
TERN_DEVICE void head_one_hot(const float* d_maxima, const int* arg_max, float scale, int first_column, int columns, int vocabulary, i64 pitch, T* gradients) {
    int column = blockIdx.x * head_threads + threadIdx.x;
    if (column >= columns) return;
    i64 at = (i64)blockIdx.y * vocabulary + first_column + column;
    float g = d_maxima[at];
    if (g != 0.0f) gradients[arg_max[at] * pitch + column] = from_float<T>(scale * g);
}

TERN_KERNEL(256, tern_head_bias_gradient_f32)(const float* d_maxima, int sequences, int vocabulary, float* accumulate_d_bias) {
    int v = blockIdx.x * head_threads + threadIdx.x;
    if (v >= vocabulary) return;
    float sum = 0.0f;
    for (int b = 0; b < sequences; b++) sum += d_maxima[(i64)b * vocabulary + v];
    accumulate_d_bias[v] += sum;
}
TERN_EMULATE(tern_head_bias_gradient_f32)

#define HEAD_GATHER(w, h, suffix)                                                                                                                                  \
    TERN_KERNEL(256, tern_head_gather_##suffix)                                                                                                                    \
    (const int* ends, const int* terms, const float* gradients, const w* weight, i64 weight_pitch, float scale, int rows, int chunks, int columns,                 \
     i64 d_hidden_pitch, h* accumulate_d_hidden) {                                                                                                                 \
        head_gather(ends, terms, gradients, weight, weight_pitch, scale, chunks, columns, d_hidden_pitch, accumulate_d_hidden);                                    \
    }                                                                                                                                                              \
    TERN_EMULATE(tern_head_gather_##suffix)
HEAD_GATHER(float, float, f32)
HEAD_GATHER(bf16, float, bf16_f32)
HEAD_GATHER(bf16, bf16, bf16)

#define HEAD_ROWS(h, suffix)                                                                                                                                       \
    TERN_KERNEL(256, tern_head_weight_gradient_##suffix)                                                                                                           \
    (const float* d_maxima, const int* arg_max, const h* hidden, i64 hidden_pitch, float scale, int sequences, int vocabulary, int columns, i64 d_weight_pitch,    \
     float* accumulate_d_weight) {                                                                                                                                 \
        head_weight_gradient(d_maxima, arg_max, hidden, hidden_pitch, scale, sequences, vocabulary, columns, d_weight_pitch, accumulate_d_weight);                 \
    }                                                                                                                                                              \
    TERN_EMULATE(tern_head_weight_gradient_##suffix)                                                                                                               \
    TERN_KERNEL(256, tern_head_one_hot_##suffix)                                                                                                                   \
    (const float* d_maxima, const int* arg_max, int sequences, float scale, int first_column, int columns, int vocabulary, i64 pitch, h* gradients) {              \
        head_one_hot(d_maxima, arg_max, scale, first_column, columns, vocabulary, pitch, gradients);                                                               \
    }                                                                                                                                                              \
    TERN_EMULATE(tern_head_one_hot_##suffix)
HEAD_ROWS(float, f32)
HEAD_ROWS(bf16, bf16)
