// Forward: destination[t] = table[tokens[t]]. Backward: dTable[tokens[t]] += dOutput[t], for equal tokens in order of t.
// The backward's block t does nothing unless t is the first row of its token; then it looks for the token in all later
// rows, 256 at a time, and adds them in order: no sort, no atomics, each table row written once. It reads T²/2 tokens, all
// from cache.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int embedding_threads = 256;

template <class From, class To>
TERN_DEVICE void gather_rows(const From* table, i64 table_pitch, const int* tokens, int columns, i64 destination_pitch, To* destination) {
    const From* from = table + tokens[blockIdx.x] * table_pitch;
    To* to = destination + blockIdx.x * destination_pitch;
    if (sizeof(From) == sizeof(To) && in_packs<From>(columns, table_pitch | destination_pitch)) {
        for (int i = threadIdx.x * Pack<From>::count; i < columns; i += embedding_threads * Pack<From>::count) *(Words*)(to + i) = *(const Words*)(from + i);
        return;
    }
    for (int i = threadIdx.x; i < columns; i += embedding_threads) to[i] = from_float<To>(to_float(from[i]));
}

TERN_KERNEL(256, tern_embedding_forward_f32)(const float* table, i64 table_pitch, const int* tokens, int rows, int columns, i64 destination_pitch, float* destination) {
    gather_rows(table, table_pitch, tokens, columns, destination_pitch, destination);
}
TERN_EMULATE(tern_embedding_forward_f32)

TERN_KERNEL(256, tern_embedding_forward_bf16_f32)(const bf16* table, i64 table_pitch, const int* tokens, int rows, int columns, i64 destination_pitch, float* destination) {
    gather_rows(table, table_pitch, tokens, columns, destination_pitch, destination);
}
TERN_EMULATE(tern_embedding_forward_bf16_f32)

TERN_KERNEL(256, tern_embedding_forward_bf16)(const bf16* table, i64 table_pitch, const int* tokens, int rows, int columns, i64 destination_pitch, bf16* destination) {
    gather_rows(table, table_pitch, tokens, columns, destination_pitch, destination);
}
TERN_EMULATE(tern_embedding_forward_bf16)

template <class T>
TERN_DEVICE void scatter_add(const T* d_output, i64 d_output_pitch, const int* tokens, int rows, int columns, i64 table_pitch, float* accumulate_d_table) {
    TERN_SHARED(u32, matches, embedding_threads / 32);
    TERN_SHARED(int, earlier, embedding_threads / 32);
    int first = blockIdx.x, token = tokens[first], lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int seen = 0;
    for (int t = threadIdx.x; t < first; t += embedding_threads) seen |= tokens[t] == token;
    int seen_by_warp = __any_sync(all_lanes, seen);
    if (lane == 0) earlier[warp] = seen_by_warp;
    __syncthreads();
    int any = 0;
    for (int w = 0; w < embedding_threads / 32; w++) any |= earlier[w];
    if (any) return;   // the whole block
    float* row = accumulate_d_table + token * table_pitch;
    for (int begin = first; begin < rows; begin += embedding_threads) {
        int t = begin + threadIdx.x;
        u32 votes = __ballot_sync(all_lanes, t < rows && tokens[t] == token);
        if (lane == 0) matches[warp] = votes;
        __syncthreads();
        for (int w = 0; w < embedding_threads / 32; w++)
            for (u32 left = matches[w]; left; left &= left - 1) {
                const T* d = d_output + (begin + w * 32 + first_bit(left)) * d_output_pitch;
                for (int i = threadIdx.x; i < columns; i += embedding_threads) row[i] += to_float(d[i]);
            }
        __syncthreads();
    }
}

TERN_KERNEL(256, tern_embedding_backward_f32)(const float* d_output, i64 d_output_pitch, const int* tokens, int rows, int columns, i64 table_pitch, float* accumulate_d_table) {
    scatter_add(d_output, d_output_pitch, tokens, rows, columns, table_pitch, accumulate_d_table);
}
TERN_EMULATE(tern_embedding_backward_f32)

TERN_KERNEL(256, tern_embedding_backward_bf16)(const bf16* d_output, i64 d_output_pitch, const int* tokens, int rows, int columns, i64 table_pitch, float* accumulate_d_table) {
    scatter_add(d_output, d_output_pitch, tokens, rows, columns, table_pitch, accumulate_d_table);
}
TERN_EMULATE(tern_embedding_backward_bf16)
