// softmax(scale · Q Kᵀ) V within each sequence, grouped queries, bidirectional or causal, head sizes 64 and 128, on tensor
// cores; bf16 operands, Float32 sums. Forward: one block a head and 64 rows, keys and values pass through two buffers,
// softmax is kept online; saves log Σ exp. Backward, with P the probabilities and δ = rowsum(dO ⊙ O):
//   dV = Pᵀ dO,  dS = P ⊙ (dO Vᵀ − δ),  dQ = scale · dS K,  dK = scale · dSᵀ Q,
// in two kernels, one that owns rows of dQ and one that owns rows of dK and dV: no atomics, one order of additions.
// Grids are upper bounds of the number of tiles; blocks past the last tile leave. After Dao et al., FlashAttention-2.
#include "../include/reduce.cuh"
#include "../include/sequences.cuh"
#include "../include/tiles.cuh"

constexpr int attention_threads = 128;
constexpr int attention_rows = 64;
constexpr float log2_e = 1.44269504088896f;

// A key or value head's rows, and a query head's.
struct Heads {
    int head, key_head;
};
TERN_DEVICE Heads heads_of_block(int heads, int key_heads) { return {(int)blockIdx.y, (int)blockIdx.y / (heads / key_heads)}; }

// Keys and values of a sequence, row_count rows at a time, through two buffers each.
template <int size, int row_count>
struct KeyValueTiles {
    shared<bf16> keys, values;
    const bf16 *key, *value;   // the first row
    i64 key_pitch, value_pitch;
    int length;                // rows of the sequence

    // Where tile t is, from its first element on.
    TERN_MEMBER int buffer(int t) const { return t % 2 * row_count * size; }

    TERN_MEMBER void load(int t) const {
        int from = t * row_count;
        load_tile<size, row_count, attention_threads>(keys + buffer(t), key + from * key_pitch, key_pitch, length - from);
        load_tile<size, row_count, attention_threads>(values + buffer(t), value + from * value_pitch, value_pitch, length - from);
        copy_async_commit();
    }

    // Tile t is there for all threads, and the next of so many is on its way.
    TERN_MEMBER void advance(int t, int tiles) const {
        if (t + 1 < tiles) {
            load(t + 1);
            copy_async_wait<1>();
        } else {
            copy_async_wait<0>();
        }
        __syncthreads();
    }
};

template <int size>
TERN_DEVICE void attention_forward(const bf16* query, i64 query_pitch, const bf16* key, i64 key_pitch, const bf16* value, i64 value_pitch, const int* starts, int sequences, int heads, int key_heads, float scale, int causal, i64 destination_pitch, float* log_sum_exp, bf16* destination) {
    constexpr int blocks = attention_rows / 8;
    shared_carver carver;
    TERN_TAKE(carver, bf16, queries, attention_rows * size);
    TERN_TAKE(carver, bf16, keys, 2 * attention_rows * size);
    TERN_TAKE(carver, bf16, values, 2 * attention_rows * size);
    SequenceTile tile = sequence_tile(starts, sequences, blockIdx.x, attention_rows);
    if (tile.length == 0) return;
    Heads h = heads_of_block(heads, key_heads);
    int lane = threadIdx.x % 32, row_of_warp = threadIdx.x / 32 * 16;
    const bf16* q = query + (tile.start + tile.first) * query_pitch + h.head * size;
    KeyValueTiles<size, attention_rows> passing = {keys, values, key + tile.start * key_pitch + h.key_head * size, value + tile.start * value_pitch + h.key_head * size, key_pitch, value_pitch, tile.length};
    int end = causal && tile.first + attention_rows < tile.length ? tile.first + attention_rows : tile.length;
    int tiles = (end + attention_rows - 1) / attention_rows;

    load_tile<size, attention_rows, attention_threads>(queries, q, query_pitch, tile.length - tile.first);
    passing.load(0);

    float sums[size / 8][4], greatest[2] = {bits_float(0xff800000u), bits_float(0xff800000u)}, total[2] = {0.0f, 0.0f};
    clear(sums);
    for (int t = 0; t < tiles; t++) {
        int buffer = passing.buffer(t), first_key = t * attention_rows;
        passing.advance(t, tiles);
        float scores[blocks][4];
        clear(scores);
        add_product_transposed<size>(scores, queries, row_of_warp, keys + buffer);
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int row = tile.first + row_of_warp + lane / 4 + half * 8;
            float maximum = greatest[half];
#pragma unroll
            for (int i = 0; i < blocks; i++)
#pragma unroll
                for (int j = 0; j < 2; j++) {
                    int column = first_key + i * 8 + lane % 4 * 2 + j;
                    float& score = scores[i][half * 2 + j];
                    score = column >= tile.length || (causal && column > row) ? bits_float(0xff800000u) : score * (scale * log2_e);
                    maximum = fmaxf(maximum, score);
                }
            maximum = fmaxf(maximum, __shfl_xor_sync(all_lanes, maximum, 1));
            maximum = fmaxf(maximum, __shfl_xor_sync(all_lanes, maximum, 2));
            float base = maximum == bits_float(0xff800000u) ? 0.0f : maximum;   // rows past the end of the sequence
            float shrink = exp2_approx(greatest[half] - base), sum = 0.0f;
#pragma unroll
            for (int i = 0; i < blocks; i++)
#pragma unroll
                for (int j = 0; j < 2; j++) {
                    float& score = scores[i][half * 2 + j];
                    score = exp2_approx(score - base);
                    sum += score;
                }
#pragma unroll
            for (int i = 0; i < size / 8; i++) {
                sums[i][half * 2] *= shrink;
                sums[i][half * 2 + 1] *= shrink;
            }
            sum += __shfl_xor_sync(all_lanes, sum, 1);
            sum += __shfl_xor_sync(all_lanes, sum, 2);
            total[half] = total[half] * shrink + sum;
            greatest[half] = maximum;
        }
        add_product<size>(sums, scores, values + buffer);
        __syncthreads();   // the next round's copies overwrite the other buffer
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = tile.first + row_of_warp + lane / 4 + half * 8;
        if (row >= tile.length) continue;
        float inverse = 1.0f / total[half];
        bf16* to = destination + (tile.start + row) * destination_pitch + h.head * size;
#pragma unroll
        for (int i = 0; i < size / 8; i++) *(u32*)(to + i * 8 + lane % 4 * 2) = pack_bf16(sums[i][half * 2] * inverse, sums[i][half * 2 + 1] * inverse);
        if (lane % 4 == 0) log_sum_exp[(i64)(tile.start + row) * heads + h.head] = greatest[half] / log2_e + log_float(total[half]);
    }
}

// delta[row, head] = Σ dO ⊙ O over the head; a warp a row and head.
template <class T>
TERN_DEVICE void attention_delta(const T* d_output, i64 d_output_pitch, const T* output, i64 output_pitch, int heads, int size, float* delta) {
    int row = blockIdx.x, lane = threadIdx.x % 32;
    for (int head = threadIdx.x / 32; head < heads; head += attention_threads / 32) {
        float sum = 0.0f;
        for (int i = lane; i < size; i += 32) sum = fmaf(to_float(d_output[row * d_output_pitch + head * size + i]), to_float(output[row * output_pitch + head * size + i]), sum);
        sum = warp_sum(sum);
        if (lane == 0) delta[(i64)row * heads + head] = sum;
    }
}

TERN_KERNEL(128, tern_attention_delta_f32)(const float* d_output, i64 d_output_pitch, const float* output, i64 output_pitch, int rows, int heads, int head_size, float* delta) {
    attention_delta(d_output, d_output_pitch, output, output_pitch, heads, head_size, delta);
}
TERN_EMULATE(tern_attention_delta_f32)
TERN_KERNEL(128, tern_attention_delta_bf16)(const bf16* d_output, i64 d_output_pitch, const bf16* output, i64 output_pitch, int rows, int heads, int head_size, float* delta) {
    attention_delta(d_output, d_output_pitch, output, output_pitch, heads, head_size, delta);
}
TERN_EMULATE(tern_attention_delta_bf16)

template <int size>
TERN_DEVICE void attention_backward_query(const bf16* d_output, i64 d_output_pitch, const bf16* query, i64 query_pitch, const bf16* key, i64 key_pitch, const bf16* value, i64 value_pitch, const float* log_sum_exp, const float* delta, const int* starts, int sequences, int heads, int key_heads, float scale, int causal, i64 d_query_pitch, bf16* d_query) {
    constexpr int key_rows = 32, blocks = key_rows / 8;
    shared_carver carver;
    TERN_TAKE(carver, bf16, queries, attention_rows * size);
    TERN_TAKE(carver, bf16, d_outputs, attention_rows * size);
    TERN_TAKE(carver, bf16, keys, 2 * key_rows * size);
    TERN_TAKE(carver, bf16, values, 2 * key_rows * size);
    SequenceTile tile = sequence_tile(starts, sequences, blockIdx.x, attention_rows);
    if (tile.length == 0) return;
    Heads h = heads_of_block(heads, key_heads);
    int lane = threadIdx.x % 32, row_of_warp = threadIdx.x / 32 * 16, first_row = tile.start + tile.first;
    KeyValueTiles<size, key_rows> passing = {keys, values, key + tile.start * key_pitch + h.key_head * size, value + tile.start * value_pitch + h.key_head * size, key_pitch, value_pitch, tile.length};
    int end = causal && tile.first + attention_rows < tile.length ? tile.first + attention_rows : tile.length;
    int tiles = (end + key_rows - 1) / key_rows;
    load_tile<size, attention_rows, attention_threads>(queries, query + first_row * query_pitch + h.head * size, query_pitch, tile.length - tile.first);
    load_tile<size, attention_rows, attention_threads>(d_outputs, d_output + first_row * d_output_pitch + h.head * size, d_output_pitch, tile.length - tile.first);
    passing.load(0);

    float total[2] = {0.0f, 0.0f}, of_row[2] = {0.0f, 0.0f};   // log Σ exp in powers of two, δ
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = tile.first + row_of_warp + lane / 4 + half * 8;
        if (row < tile.length) {
            total[half] = log_sum_exp[(i64)(tile.start + row) * heads + h.head] * log2_e;
            of_row[half] = delta[(i64)(tile.start + row) * heads + h.head];
        }
    }
    float sums[size / 8][4];
    clear(sums);
    for (int t = 0; t < tiles; t++) {
        int buffer = passing.buffer(t), first_key = t * key_rows;
        passing.advance(t, tiles);
        float scores[blocks][4], d_scores[blocks][4];
        clear(scores);
        clear(d_scores);
        add_product_transposed<size>(scores, queries, row_of_warp, keys + buffer);
        add_product_transposed<size>(d_scores, d_outputs, row_of_warp, values + buffer);
#pragma unroll
        for (int i = 0; i < blocks; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int row = tile.first + row_of_warp + lane / 4 + j / 2 * 8, column = first_key + i * 8 + lane % 4 * 2 + j % 2;
                float p = column >= tile.length || (causal && column > row) ? 0.0f : exp2_approx(scores[i][j] * (scale * log2_e) - total[j / 2]);
                d_scores[i][j] = p * (d_scores[i][j] - of_row[j / 2]);
            }
        add_product<size>(sums, d_scores, keys + buffer);
        __syncthreads();
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = tile.first + row_of_warp + lane / 4 + half * 8;
        if (row >= tile.length) continue;
        bf16* to = d_query + (tile.start + row) * d_query_pitch + h.head * size;
#pragma unroll
        for (int i = 0; i < size / 8; i++) *(u32*)(to + i * 8 + lane % 4 * 2) = pack_bf16(sums[i][half * 2] * scale, sums[i][half * 2 + 1] * scale);
    }
}

// A block owns 64 keys of one key head, a warp 16 of them; queries of all heads of its group pass by, 32 at a time.
template <int size>
TERN_DEVICE void attention_backward_key(const bf16* d_output, i64 d_output_pitch, const bf16* query, i64 query_pitch, const bf16* key, i64 key_pitch, const bf16* value, i64 value_pitch, const float* log_sum_exp, const float* delta, const int* starts, int sequences, int heads, int key_heads, float scale, int causal, i64 d_key_pitch, i64 d_value_pitch, bf16* d_key, bf16* d_value) {
    constexpr int query_rows = 32, blocks = query_rows / 8;
    shared_carver carver;
    TERN_TAKE(carver, bf16, keys, attention_rows * size);
    TERN_TAKE(carver, bf16, values, attention_rows * size);
    TERN_TAKE(carver, bf16, queries, 2 * query_rows * size);
    TERN_TAKE(carver, bf16, d_outputs, 2 * query_rows * size);
    TERN_TAKE(carver, float, totals, 2 * query_rows);
    TERN_TAKE(carver, float, deltas, 2 * query_rows);
    SequenceTile tile = sequence_tile(starts, sequences, blockIdx.x, attention_rows);
    if (tile.length == 0) return;
    int group = heads / key_heads, key_head = blockIdx.y, lane = threadIdx.x % 32, row_of_warp = threadIdx.x / 32 * 16;
    int first_key_row = tile.start + tile.first;
    int first_tile = causal ? tile.first / query_rows : 0;
    int tiles_of_head = (tile.length + query_rows - 1) / query_rows - first_tile, tiles = tiles_of_head * group;
    auto load_queries = [&](int t) {
        int head = key_head * group + t / tiles_of_head, from = (first_tile + t % tiles_of_head) * query_rows, buffer = t % 2;
        int row = tile.start + from;
        load_tile<size, query_rows, attention_threads>(queries + buffer * query_rows * size, query + row * query_pitch + head * size, query_pitch, tile.length - from);
        load_tile<size, query_rows, attention_threads>(d_outputs + buffer * query_rows * size, d_output + row * d_output_pitch + head * size, d_output_pitch, tile.length - from);
        copy_async_commit();
        if (threadIdx.x < query_rows) {
            bool inside = from + (int)threadIdx.x < tile.length;
            i64 at = (i64)(row + (inside ? (int)threadIdx.x : 0)) * heads + head;
            totals[buffer * query_rows + threadIdx.x] = inside ? log_sum_exp[at] * log2_e : 0.0f;
            deltas[buffer * query_rows + threadIdx.x] = inside ? delta[at] : 0.0f;
        }
    };
    load_tile<size, attention_rows, attention_threads>(keys, key + first_key_row * key_pitch + key_head * size, key_pitch, tile.length - tile.first);
    load_tile<size, attention_rows, attention_threads>(values, value + first_key_row * value_pitch + key_head * size, value_pitch, tile.length - tile.first);
    load_queries(0);

    float d_keys[size / 8][4], d_values[size / 8][4];
    clear(d_keys);
    clear(d_values);
    for (int t = 0; t < tiles; t++) {
        int buffer = t % 2, first_query = (first_tile + t % tiles_of_head) * query_rows;
        if (t + 1 < tiles) {
            load_queries(t + 1);
            copy_async_wait<1>();
        } else {
            copy_async_wait<0>();
        }
        __syncthreads();
        float scores[blocks][4], d_scores[blocks][4];   // [16 keys, 32 queries]
        clear(scores);
        clear(d_scores);
        add_product_transposed<size>(scores, keys, row_of_warp, queries + buffer * query_rows * size);
        add_product_transposed<size>(d_scores, values, row_of_warp, d_outputs + buffer * query_rows * size);
#pragma unroll
        for (int i = 0; i < blocks; i++)
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int k = tile.first + row_of_warp + lane / 4 + j / 2 * 8, in_tile = i * 8 + lane % 4 * 2 + j % 2, q = first_query + in_tile;
                float total = totals[buffer * query_rows + in_tile], of_row = deltas[buffer * query_rows + in_tile];
                float p = q >= tile.length || (causal && k > q) ? 0.0f : exp2_approx(scores[i][j] * (scale * log2_e) - total);
                scores[i][j] = p;
                d_scores[i][j] = p * (d_scores[i][j] - of_row);
            }
        add_product<size>(d_values, scores, d_outputs + buffer * query_rows * size);
        add_product<size>(d_keys, d_scores, queries + buffer * query_rows * size);
        __syncthreads();
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        int row = tile.first + row_of_warp + lane / 4 + half * 8;
        if (row >= tile.length) continue;
        bf16* to_key = d_key + (tile.start + row) * d_key_pitch + key_head * size;
        bf16* to_value = d_value + (tile.start + row) * d_value_pitch + key_head * size;
#pragma unroll
        for (int i = 0; i < size / 8; i++) {
            *(u32*)(to_key + i * 8 + lane % 4 * 2) = pack_bf16(d_keys[i][half * 2] * scale, d_keys[i][half * 2 + 1] * scale);
            *(u32*)(to_value + i * 8 + lane % 4 * 2) = pack_bf16(d_values[i][half * 2], d_values[i][half * 2 + 1]);
        }
    }
}

#define ATTENTION(size)                                                                                                                                                 \
    TERN_KERNEL(128, tern_attention_forward_##size##_bf16)                                                                                                              \
    (const bf16* query, i64 query_pitch, const bf16* key, i64 key_pitch, const bf16* value, i64 value_pitch, const int* sequence_starts, int sequences, int rows,       \
     int heads, int key_heads, float scale, int causal, i64 destination_pitch, float* log_sum_exp, bf16* destination) {                                                 \
        attention_forward<size>(query, query_pitch, key, key_pitch, value, value_pitch, sequence_starts, sequences, heads, key_heads, scale, causal, destination_pitch, \
                                log_sum_exp, destination);                                                                                                              \
    }                                                                                                                                                                   \
    TERN_EMULATE(tern_attention_forward_##size##_bf16)                                                                                                                  \
    TERN_KERNEL(128, tern_attention_backward_query_##size##_bf16)                                                                                                       \
    (const bf16* d_output, i64 d_output_pitch, const bf16* query, i64 query_pitch, const bf16* key, i64 key_pitch, const bf16* value, i64 value_pitch,                  \
     const float* log_sum_exp, const float* delta, const int* sequence_starts, int sequences, int rows, int heads, int key_heads, float scale, int causal,              \
     i64 d_query_pitch, bf16* d_query) {                                                                                                                                \
        attention_backward_query<size>(d_output, d_output_pitch, query, query_pitch, key, key_pitch, value, value_pitch, log_sum_exp, delta, sequence_starts, sequences, \
                                       heads, key_heads, scale, causal, d_query_pitch, d_query);                                                                        \
    }                                                                                                                                                                   \
    TERN_EMULATE(tern_attention_backward_query_##size##_bf16)                                                                                                           \
    TERN_KERNEL(128, tern_attention_backward_key_##size##_bf16)                                                                                                         \
    (const bf16* d_output, i64 d_output_pitch, const bf16* query, i64 query_pitch, const bf16* key, i64 key_pitch, const bf16* value, i64 value_pitch,                  \
     const float* log_sum_exp, const float* delta, const int* sequence_starts, int sequences, int rows, int heads, int key_heads, float scale, int causal,              \
     i64 d_key_pitch, i64 d_value_pitch, bf16* d_key, bf16* d_value) {                                                                                                  \
        attention_backward_key<size>(d_output, d_output_pitch, query, query_pitch, key, key_pitch, value, value_pitch, log_sum_exp, delta, sequence_starts, sequences,  \
                                     heads, key_heads, scale, causal, d_key_pitch, d_value_pitch, d_key, d_value);                                                      \
    }                                                                                                                                                                   \
    TERN_EMULATE(tern_attention_backward_key_##size##_bf16)

ATTENTION(64)
ATTENTION(128)
