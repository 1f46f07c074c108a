// Attention as in attention.cu with Float32 operands, products in Float32 on CUDA cores, for any head size up to 256.
// A block does 16 rows of one head, a warp 4 of them; 32 rows of the other side pass by in shared memory, one a lane.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"
#include "../include/sequences.cuh"

constexpr int exact_threads = 128;
constexpr int exact_rows = 16;
constexpr int exact_rows_of_warp = exact_rows / (exact_threads / 32);
constexpr int exact_columns = 8;   // elements of a row that one lane sums: head sizes up to 256

// Rows of one head; a row takes pitch elements, so that lanes reading one column of 32 rows meet different banks.
TERN_DEVICE void load_rows(shared<float> rows, int count, int pitch, const float* source, i64 source_pitch, int size, int valid) {
    for (int i = threadIdx.x; i < count * size; i += exact_threads) {
        int row = i / size, column = i % size;
        rows[row * pitch + column] = row < valid ? source[row * source_pitch + column] : 0.0f;
    }
}

TERN_DEVICE float row_product(shared<float> left, shared<float> right, int size) {
    float sum = 0.0f;
    for (int d = 0; d < size; d++) sum = fmaf(left[d], right[d], sum);
    return sum;
}

// sums += Σ over lanes of factor · the lane's row.
TERN_DEVICE void add_rows(float (&sums)[exact_columns], float factor, shared<float> rows, int pitch, int size) {
    int lane = threadIdx.x % 32;
    for (int j = 0; j < 32; j++) {
        float of_row = __shfl_sync(all_lanes, factor, j);
#pragma unroll
        for (int c = 0; c < exact_columns; c++)
            if (lane + 32 * c < size) sums[c] = fmaf(of_row, rows[j * pitch + lane + 32 * c], sums[c]);
    }
}

TERN_DEVICE void store_row(float* destination, const float (&sums)[exact_columns], float factor, int size) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int c = 0; c < exact_columns; c++)
        if (lane + 32 * c < size) destination[lane + 32 * c] = sums[c] * factor;
}

TERN_KERNEL(128, tern_attention_forward_f32)(const float* query, i64 query_pitch, const float* key, i64 key_pitch, const float* value, i64 value_pitch, const int* sequence_starts, int sequences, int rows, int heads, int key_heads, int head_size, float scale, int causal, i64 destination_pitch, float* log_sum_exp, float* destination) {
    int pitch = head_size + 1, head = blockIdx.y, key_head = head / (heads / key_heads), lane = threadIdx.x % 32, first_of_warp = threadIdx.x / 32 * exact_rows_of_warp;
    shared_carver carver;
    TERN_TAKE(carver, float, queries, exact_rows * pitch);
    TERN_TAKE(carver, float, keys, 32 * pitch);
    TERN_TAKE(carver, float, values, 32 * pitch);
    SequenceTile tile = sequence_tile(sequence_starts, sequences, blockIdx.x, exact_rows);
    if (tile.length == 0) return;
    load_rows(queries, exact_rows, pitch, query + (tile.start + tile.first) * query_pitch + head * head_size, query_pitch, head_size, tile.length - tile.first);
    float sums[exact_rows_of_warp][exact_columns] = {}, greatest[exact_rows_of_warp], total[exact_rows_of_warp] = {};
    for (int r = 0; r < exact_rows_of_warp; r++) greatest[r] = bits_float(0xff800000u);
    int end = causal && tile.first + exact_rows < tile.length ? tile.first + exact_rows : tile.length;
    for (int first = 0; first < end; first += 32) {
        load_rows(keys, 32, pitch, key + (tile.start + first) * key_pitch + key_head * head_size, key_pitch, head_size, tile.length - first);
        load_rows(values, 32, pitch, value + (tile.start + first) * value_pitch + key_head * head_size, value_pitch, head_size, tile.length - first);
        __syncthreads();
#pragma unroll
        for (int r = 0; r < exact_rows_of_warp; r++) {
            int row = tile.first + first_of_warp + r, column = first + lane;
            float score = scale * row_product(queries + (first_of_warp + r) * pitch, keys + lane * pitch, head_size);
            bool seen = column < tile.length && !(causal && column > row);
            float maximum = fmaxf(greatest[r], warp_max(seen ? score : bits_float(0xff800000u)));
            float base = maximum == bits_float(0xff800000u) ? 0.0f : maximum;
            float shrink = exp_float(greatest[r] - base), p = seen ? exp_float(score - base) : 0.0f;
            greatest[r] = maximum;
            total[r] = total[r] * shrink + warp_sum(p);
#pragma unroll
            for (int c = 0; c < exact_columns; c++) sums[r][c] *= shrink;
            add_rows(sums[r], p, values, pitch, head_size);
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < exact_rows_of_warp; r++) {
        int row = tile.first + first_of_warp + r;
        if (row >= tile.length) continue;
        store_row(destination + (tile.start + row) * destination_pitch + head * head_size, sums[r], 1.0f / total[r], head_size);
        if (lane == 0) log_sum_exp[(i64)(tile.start + row) * heads + head] = greatest[r] + log_float(total[r]);
    }
}
TERN_EMULATE(tern_attention_forward_f32)

TERN_KERNEL(128, tern_attention_backward_query_f32)(const float* d_output, i64 d_output_pitch, const float* query, i64 query_pitch, const float* key, i64 key_pitch, const float* value, i64 value_pitch, const float* log_sum_exp, const float* delta, const int* sequence_starts, int sequences, int rows, int heads, int key_heads, int head_size, float scale, int causal, i64 d_query_pitch, float* d_query) {
    int pitch = head_size + 1, head = blockIdx.y, key_head = head / (heads / key_heads), lane = threadIdx.x % 32, first_of_warp = threadIdx.x / 32 * exact_rows_of_warp;
    shared_carver carver;
    TERN_TAKE(carver, float, queries, exact_rows * pitch);
    TERN_TAKE(carver, float, d_outputs, exact_rows * pitch);
    TERN_TAKE(carver, float, keys, 32 * pitch);
    TERN_TAKE(carver, float, values, 32 * pitch);
    SequenceTile tile = sequence_tile(sequence_starts, sequences, blockIdx.x, exact_rows);
    if (tile.length == 0) return;
    int first_row = tile.start + tile.first;
    load_rows(queries, exact_rows, pitch, query + first_row * query_pitch + head * head_size, query_pitch, head_size, tile.length - tile.first);
    load_rows(d_outputs, exact_rows, pitch, d_output + first_row * d_output_pitch + head * head_size, d_output_pitch, head_size, tile.length - tile.first);
    float sums[exact_rows_of_warp][exact_columns] = {};
    int end = causal && tile.first + exact_rows < tile.length ? tile.first + exact_rows : tile.length;
    for (int first = 0; first < end; first += 32) {
        load_rows(keys, 32, pitch, key + (tile.start + first) * key_pitch + key_head * head_size, key_pitch, head_size, tile.length - first);
        load_rows(values, 32, pitch, value + (tile.start + first) * value_pitch + key_head * head_size, value_pitch, head_size, tile.length - first);
        __syncthreads();
#pragma unroll
        for (int r = 0; r < exact_rows_of_warp; r++) {
            int row = tile.first + first_of_warp + r, column = first + lane;
            bool seen = row < tile.length && column < tile.length && !(causal && column > row);
            i64 at = (i64)(tile.start + (row < tile.length ? row : 0)) * heads + head;
            float score = scale * row_product(queries + (first_of_warp + r) * pitch, keys + lane * pitch, head_size);
            float d_p = row_product(d_outputs + (first_of_warp + r) * pitch, values + lane * pitch, head_size);
            float p = seen ? exp_float(score - log_sum_exp[at]) : 0.0f;
            add_rows(sums[r], p * (d_p - delta[at]), keys, pitch, head_size);
        }
        __syncthreads();
    }
#pragma unroll
    for (int r = 0; r < exact_rows_of_warp; r++) {
        int row = tile.first + first_of_warp + r;
        if (row < tile.length) store_row(d_query + (tile.start + row) * d_query_pitch + head * head_size, sums[r], scale, head_size);
    }
}
TERN_EMULATE(tern_attention_backward_query_f32)

// A block owns 16 keys of one key head; queries of all heads of its group pass by, in order.
TERN_KERNEL(128, tern_attention_backward_key_f32)(const float* d_output, i64 d_output_pitch, const float* query, i64 query_pitch, const float* key, i64 key_pitch, const float* value, i64 value_pitch, const float* log_sum_exp, const float* delta, const int* sequence_starts, int sequences, int rows, int heads, int key_heads, int head_size, float scale, int causal, i64 d_key_pitch, i64 d_value_pitch, float* d_key, float* d_value) {
    int pitch = head_size + 1, key_head = blockIdx.y, group = heads / key_heads, lane = threadIdx.x % 32, first_of_warp = threadIdx.x / 32 * exact_rows_of_warp;
    shared_carver carver;
    TERN_TAKE(carver, float, keys, exact_rows * pitch);
    TERN_TAKE(carver, float, values, exact_rows * pitch);
    TERN_TAKE(carver, float, queries, 32 * pitch);
    TERN_TAKE(carver, float, d_outputs, 32 * pitch);
    SequenceTile tile = sequence_tile(sequence_starts, sequences, blockIdx.x, exact_rows);
    if (tile.length == 0) return;
    int first_row = tile.start + tile.first;
    load_rows(keys, exact_rows, pitch, key + first_row * key_pitch + key_head * head_size, key_pitch, head_size, tile.length - tile.first);
    load_rows(values, exact_rows, pitch, value + first_row * value_pitch + key_head * head_size, value_pitch, head_size, tile.length - tile.first);
    float d_keys[exact_rows_of_warp][exact_columns] = {}, d_values[exact_rows_of_warp][exact_columns] = {};
    for (int head = key_head * group; head < (key_head + 1) * group; head++)
        for (int first = causal ? tile.first / 32 * 32 : 0; first < tile.length; first += 32) {
            load_rows(queries, 32, pitch, query + (tile.start + first) * query_pitch + head * head_size, query_pitch, head_size, tile.length - first);
            load_rows(d_outputs, 32, pitch, d_output + (tile.start + first) * d_output_pitch + head * head_size, d_output_pitch, head_size, tile.length - first);
            __syncthreads();
            int row = first + lane;
            i64 at = (i64)(tile.start + (row < tile.length ? row : 0)) * heads + head;
            float total = log_sum_exp[at], of_row = delta[at];
#pragma unroll
            for (int r = 0; r < exact_rows_of_warp; r++) {
                int column = tile.first + first_of_warp + r;
                bool seen = row < tile.length && column < tile.length && !(causal && column > row);
                float score = scale * row_product(queries + lane * pitch, keys + (first_of_warp + r) * pitch, head_size);
                float d_p = row_product(d_outputs + lane * pitch, values + (first_of_warp + r) * pitch, head_size);
                float p = seen ? exp_float(score - total) : 0.0f;
                add_rows(d_values[r], p, d_outputs, pitch, head_size);
                add_rows(d_keys[r], p * (d_p - of_row), queries, pitch, head_size);
            }
            __syncthreads();
        }
#pragma unroll
    for (int r = 0; r < exact_rows_of_warp; r++) {
        int row = tile.first + first_of_warp + r;
        if (row >= tile.length) continue;
        store_row(d_key + (tile.start + row) * d_key_pitch + key_head * head_size, d_keys[r], scale, head_size);
        store_row(d_value + (tile.start + row) * d_value_pitch + key_head * head_size, d_values[r], 1.0f, head_size);
    }
}
TERN_EMULATE(tern_attention_backward_key_f32)
