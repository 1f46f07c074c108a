// LoRA's products with the narrow factor A [rank, in], dropout inside; those with B [out, rank] are plain matrix products.
//   projected[t, r] = scale · Σ_k d(t, k) · x[t, k] · A[r, k], with d = 0 or 1 / (1 − rate) from a hash of the row's key, the
//   use's key and the column, the same in every pass;
//   dX[t, k] += d(t, k) · Σ_r dP[t, r] · A[r, k];  dA[r, k] = Σ_t dP[t, r] · d(t, k) · x[t, k], in bands of 256 rows whose sums
//   tern_sum_bands_f32 adds in order.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int lora_threads = 256;
constexpr int lora_rows = lora_threads / 32;   // of a block of the projection, a warp each
constexpr int lora_ranks = 8;                  // at a time, in registers
constexpr int lora_band = 256;

// What an element is multiplied by; keep is 1 / (1 − rate), threshold rate · 2³², and 0 drops nothing.
struct LoraDropout {
    const int* row_keys;
    u32 key, threshold;
    float keep;

    __device__ __forceinline__ float factor(int row, int column) const {
        if (threshold == 0) return 1.0f;
        u32 x = (u32)row_keys[row] ^ (key + (u32)column * 0x9E3779B9u);
        x ^= x >> 16;
        x *= 0x7FEB352Du;
        x ^= x >> 15;
        x *= 0x846CA68Bu;
        x ^= x >> 16;
        return x >= threshold ? keep : 0.0f;
    }
};

template <class T>
TERN_DEVICE void lora_project(const T* input, i64 input_pitch, const float* a, LoraDropout dropout, float scale, int rows, int columns, int rank, i64 projected_pitch, T* projected) {
    int row = blockIdx.x * lora_rows + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    const T* x = input + row * input_pitch;
    for (int first = 0; first < rank; first += lora_ranks) {
        float sums[lora_ranks] = {};
        for (int k = lane; k < columns; k += 32) {
            float value = to_float(x[k]) * dropout.factor(row, k);
#pragma unroll
            for (int r = 0; r < lora_ranks; r++)
                if (first + r < rank) sums[r] = fmaf(value, a[(i64)(first + r) * columns + k], sums[r]);
        }
#pragma unroll
        for (int r = 0; r < lora_ranks; r++) {
            float sum = warp_sum(sums[r]);
            if (lane == 0 && first + r < rank) projected[row * projected_pitch + first + r] = from_float<T>(scale * sum);
        }
    }
}

template <class T>
TERN_DEVICE void lora_input_gradient(const T* d_projected, i64 d_projected_pitch, const float* a, LoraDropout dropout, int columns, int rank, i64 d_input_pitch, T* accumulate_d_input) {
    int row = blockIdx.x, k = blockIdx.y * lora_threads + threadIdx.x;
    if (k >= columns) return;
    const T* d = d_projected + row * d_projected_pitch;
    float sum = 0.0f;
    for (int r = 0; r < rank; r++) sum = fmaf(to_float(d[r]), a[(i64)r * columns + k], sum);
    T* target = accumulate_d_input + row * d_input_pitch + k;
    *target = from_float<T>(fmaf(sum, dropout.factor(row, k), to_float(*target)));
}

template <class T>
TERN_DEVICE void lora_a_bands(const T* d_projected, i64 d_projected_pitch, const T* input, i64 input_pitch, LoraDropout dropout, int rows, int columns, int rank, float* bands) {
    int k = blockIdx.x * lora_threads + threadIdx.x, first = blockIdx.z * lora_ranks;
    if (k >= columns) return;
    int begin = blockIdx.y * lora_band, end = begin + lora_band < rows ? begin + lora_band : rows;
    float sums[lora_ranks] = {};
    for (int row = begin; row < end; row++) {
        float value = to_float(input[row * input_pitch + k]) * dropout.factor(row, k);
#pragma unroll
        for (int r = 0; r < lora_ranks; r++)
            if (first + r < rank) sums[r] = fmaf(to_float(d_projected[row * d_projected_pitch + first + r]), value, sums[r]);
    }
#pragma unroll
    for (int r = 0; r < lora_ranks; r++)
        if (first + r < rank) bands[((i64)blockIdx.y * rank + first + r) * columns + k] = sums[r];
}

#define LORA(type, suffix)                                                                                                                                          \
    TERN_KERNEL(256, tern_lora_project_forward_##suffix)                                                                                                            \
    (const type* input, i64 input_pitch, const float* a, const int* row_keys, u32 key, u32 threshold, float keep, float scale, int rows, int columns, int rank,     \
     i64 projected_pitch, type* projected) {                                                                                                                        \
        lora_project(input, input_pitch, a, LoraDropout{row_keys, key, threshold, keep}, scale, rows, columns, rank, projected_pitch, projected);                   \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_lora_project_forward_##suffix)                                                                                                                \
    TERN_KERNEL(256, tern_lora_project_backward_##suffix)                                                                                                           \
    (const type* d_projected, i64 d_projected_pitch, const float* a, const int* row_keys, u32 key, u32 threshold, float keep, int rows, int columns, int rank,      \
     i64 d_input_pitch, type* accumulate_d_input) {                                                                                                                 \
        lora_input_gradient(d_projected, d_projected_pitch, a, LoraDropout{row_keys, key, threshold, keep}, columns, rank, d_input_pitch, accumulate_d_input);      \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_lora_project_backward_##suffix)                                                                                                               \
    TERN_KERNEL(256, tern_lora_a_backward_bands_##suffix)                                                                                                           \
    (const type* d_projected, i64 d_projected_pitch, const type* input, i64 input_pitch, const int* row_keys, u32 key, u32 threshold, float keep, int rows,         \
     int columns, int rank, float* bands) {                                                                                                                         \
        lora_a_bands(d_projected, d_projected_pitch, input, input_pitch, LoraDropout{row_keys, key, threshold, keep}, rows, columns, rank, bands);                  \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_lora_a_backward_bands_##suffix)

LORA(float, f32)
LORA(bf16, bf16)
