// The two heads' ends. Sparse: y = ln(1 + max(0, x)); backward dx = dy / (1 + x) where x > 0, else 0.
// Dense: y[b] = mean over the rows of b of x / max(‖x‖, 1e-12); backward, with r = 1 / ‖x‖ and L rows:
// dx = r / L · (dy − x · r² · (x · dy)), without the second term where the norm was clamped.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"
#include "../include/sequences.cuh"

constexpr int pooling_threads = 256;
constexpr int pooling_elements = 1024;
constexpr float smallest_norm = 1e-12f;

TERN_KERNEL(256, tern_log1p_relu_forward_f32)(const float* maxima, i64 count, float* destination) {
    i64 first = (i64)blockIdx.x * pooling_elements;
    for (int i = threadIdx.x; i < pooling_elements && first + i < count; i += pooling_threads) {
        float x = maxima[first + i];
        destination[first + i] = x <= 0.0f ? 0.0f : log1p_float(x);
    }
}
TERN_EMULATE(tern_log1p_relu_forward_f32)

TERN_KERNEL(256, tern_log1p_relu_backward_f32)(const float* d_output, const float* maxima, i64 count, float* d_maxima) {
    i64 first = (i64)blockIdx.x * pooling_elements;
    for (int i = threadIdx.x; i < pooling_elements && first + i < count; i += pooling_threads) {
        float x = maxima[first + i];
        d_maxima[first + i] = x <= 0.0f ? 0.0f : d_output[first + i] / (1.0f + x);
    }
}
TERN_EMULATE(tern_log1p_relu_backward_f32)

// A block finds one row's norm.
template <class T>
TERN_DEVICE void inverse_norm(const T* hidden, i64 hidden_pitch, int columns, float* inverse_norms) {
    TERN_SHARED(float, partial, pooling_threads / 32);
    const T* row = hidden + blockIdx.x * hidden_pitch;
    float squares = 0.0f;
    for (int i = threadIdx.x; i < columns; i += pooling_threads) squares = fmaf(to_float(row[i]), to_float(row[i]), squares);
    float norm = sqrt_rn(block_sum<pooling_threads>(squares, partial));
    if (threadIdx.x == 0) inverse_norms[blockIdx.x] = 1.0f / (norm < smallest_norm ? smallest_norm : norm);
}

// A thread adds up one column of one sequence, rows in order.
template <class T>
TERN_DEVICE void normalized_mean(const T* hidden, i64 hidden_pitch, const float* inverse_norms, const int* starts, int columns, i64 destination_pitch, float* destination) {
    int column = blockIdx.x * pooling_threads + threadIdx.x;
    if (column >= columns) return;
    int start = starts[blockIdx.y], end = starts[blockIdx.y + 1];
    float sum = 0.0f;
    for (int row = start; row < end; row++) sum = fmaf(to_float(hidden[row * hidden_pitch + column]), inverse_norms[row], sum);
    destination[blockIdx.y * destination_pitch + column] = end > start ? sum / (float)(end - start) : 0.0f;
}

template <class T>
TERN_DEVICE void normalized_mean_backward(const float* d_output, i64 d_output_pitch, const T* hidden, i64 hidden_pitch, const float* inverse_norms, const int* starts, int sequences, int columns, i64 d_hidden_pitch, T* d_hidden) {
    TERN_SHARED(float, partial, pooling_threads / 32);
    int row = blockIdx.x, b = sequence_of(starts, sequences, row);
    const float* dy = d_output + b * d_output_pitch;
    const T* x = hidden + row * hidden_pitch;
    float r = inverse_norms[row], scale = r / (float)(starts[b + 1] - starts[b]);
    float product = 0.0f;
    for (int i = threadIdx.x; i < columns; i += pooling_threads) product = fmaf(to_float(x[i]), dy[i], product);
    product = block_sum<pooling_threads>(product, partial);
    float pull = r >= 1.0f / smallest_norm ? 0.0f : -scale * r * r * product;
    for (int i = threadIdx.x; i < columns; i += pooling_threads) d_hidden[row * d_hidden_pitch + i] = from_float<T>(dy[i] * scale + to_float(x[i]) * pull);
}

#define NORMALIZED_MEAN(type, suffix)                                                                                                                                \
    TERN_KERNEL(256, tern_inverse_norms_##suffix)(const type* hidden, i64 hidden_pitch, int rows, int columns, float* inverse_norms) {                               \
        inverse_norm(hidden, hidden_pitch, columns, inverse_norms);                                                                                                  \
    }                                                                                                                                                                \
    TERN_EMULATE(tern_inverse_norms_##suffix)                                                                                                                        \
    TERN_KERNEL(256, tern_normalized_mean_forward_##suffix)                                                                                                          \
    (const type* hidden, i64 hidden_pitch, const float* inverse_norms, const int* sequence_starts, int sequences, int columns, i64 destination_pitch, float* destination) { \
        normalized_mean(hidden, hidden_pitch, inverse_norms, sequence_starts, columns, destination_pitch, destination);                                              \
    }                                                                                                                                                                \
    TERN_EMULATE(tern_normalized_mean_forward_##suffix)                                                                                                              \
    TERN_KERNEL(256, tern_normalized_mean_backward_##suffix)                                                                                                         \
    (const float* d_output, i64 d_output_pitch, const type* hidden, i64 hidden_pitch, const float* inverse_norms, const int* sequence_starts, int sequences, int rows, \
     int columns, i64 d_hidden_pitch, type* d_hidden) {                                                                                                              \
        normalized_mean_backward(d_output, d_output_pitch, hidden, hidden_pitch, inverse_norms, sequence_starts, sequences, columns, d_hidden_pitch, d_hidden);      \
    }                                                                                                                                                                \
    TERN_EMULATE(tern_normalized_mean_backward_##suffix)

NORMALIZED_MEAN(float, f32)
NORMALIZED_MEAN(bf16, bf16)
