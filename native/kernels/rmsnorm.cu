// y = x · r · w with r = 1 / sqrt(mean(x²) + epsilon) by row; with a residual addition before it: x += delta first.
// Backward, with n̂ = x · r and g = w ⊙ dy: dx += r · (g − n̂ · mean(g ⊙ n̂)); dw += Σ over rows of dy ⊙ n̂.
// One block a row; the row is read twice, the second time from cache. dw in two steps of fixed order: sums over bands of
// 64 rows, then over the bands. Bytes: forward 2 elements each (4 with residual), backward 4.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int rmsnorm_threads = 256;
constexpr int rmsnorm_band = 64;

// Calls action(i, x) for this thread's elements of a row, 16 bytes at a time where packed.
template <class T, class Action>
TERN_DEVICE void each_element(const T* row, int columns, bool packed, Action action) {
    if (packed) {
        for (int i = threadIdx.x * Pack<T>::count; i < columns; i += rmsnorm_threads * Pack<T>::count) {
            Pack<T> x = load_pack(row + i);
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) action(i + k, x.value[k]);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) action(i, to_float(row[i]));
    }
}

TERN_DEVICE float inverse_rms(float squares, int columns, float epsilon) { return 1.0f / sqrt_rn(squares / (float)columns + epsilon); }

template <class T>
TERN_DEVICE void normalize(const T* row, const float* weight, float r, int columns, bool packed, T* destination) {
    if (packed) {
        for (int i = threadIdx.x * Pack<T>::count; i < columns; i += rmsnorm_threads * Pack<T>::count) {
            Pack<T> x = load_pack(row + i), w = load_as<T>(weight + i);
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) x.value[k] = x.value[k] * r * w.value[k];
            store_pack(destination + i, x);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) destination[i] = from_float<T>(to_float(row[i]) * r * weight[i]);
    }
}

template <class T>
TERN_DEVICE void rmsnorm_forward(const T* input, i64 input_pitch, const float* weight, float epsilon, int columns, i64 destination_pitch, float* inverse, T* destination) {
    TERN_SHARED(float, partial, rmsnorm_threads / 32);
    const T* row = input + blockIdx.x * input_pitch;
    bool packed = in_packs<T>(columns, input_pitch | destination_pitch);
    float squares = 0.0f;
    each_element(row, columns, packed, [&](int, float x) { squares = fmaf(x, x, squares); });
    squares = block_sum<rmsnorm_threads>(squares, partial);
    float r = inverse_rms(squares, columns, epsilon);
    if (threadIdx.x == 0) inverse[blockIdx.x] = r;
    normalize(row, weight, r, columns, packed, destination + blockIdx.x * destination_pitch);
}

// The thread that adds an element also normalises it, so the sum needs no barrier.
template <class T>
TERN_DEVICE void add_rmsnorm_forward(const T* delta, i64 delta_pitch, const float* weight, float epsilon, int columns, i64 residual_pitch, i64 destination_pitch, float* inverse, T* residual, T* destination) {
    TERN_SHARED(float, partial, rmsnorm_threads / 32);
    const T* added = delta + blockIdx.x * delta_pitch;
    T* row = residual + blockIdx.x * residual_pitch;
    bool packed = in_packs<T>(columns, delta_pitch | residual_pitch | destination_pitch);
    float squares = 0.0f;
    if (packed) {
        for (int i = threadIdx.x * Pack<T>::count; i < columns; i += rmsnorm_threads * Pack<T>::count) {
            Pack<T> x = load_pack(row + i), d = load_pack(added + i);
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) {
                x.value[k] = to_float(from_float<T>(x.value[k] + d.value[k]));
                squares = fmaf(x.value[k], x.value[k], squares);
            }
            store_pack(row + i, x);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) {
            T x = from_float<T>(to_float(row[i]) + to_float(added[i]));
            row[i] = x;
            squares = fmaf(to_float(x), to_float(x), squares);
        }
    }
    squares = block_sum<rmsnorm_threads>(squares, partial);
    float r = inverse_rms(squares, columns, epsilon);
    if (threadIdx.x == 0) inverse[blockIdx.x] = r;
    normalize<T>(row, weight, r, columns, packed, destination + blockIdx.x * destination_pitch);
}

template <class T>
TERN_DEVICE void rmsnorm_backward(const T* d_output, i64 d_output_pitch, const T* input, i64 input_pitch, const float* weight, const float* inverse, int columns, i64 d_input_pitch, T* accumulate_d_input) {
    TERN_SHARED(float, partial, rmsnorm_threads / 32);
    const T* dy = d_output + blockIdx.x * d_output_pitch;
    const T* row = input + blockIdx.x * input_pitch;
    T* dx = accumulate_d_input + blockIdx.x * d_input_pitch;
    bool packed = in_packs<T>(columns, d_output_pitch | input_pitch | d_input_pitch);
    float r = inverse[blockIdx.x];
    float product = 0.0f;
    if (packed) {
        for (int i = threadIdx.x * Pack<T>::count; i < columns; i += rmsnorm_threads * Pack<T>::count) {
            Pack<T> x = load_pack(row + i), d = load_pack(dy + i), w = load_as<T>(weight + i);
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) product = fmaf(d.value[k] * w.value[k], x.value[k] * r, product);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) product = fmaf(to_float(dy[i]) * weight[i], to_float(row[i]) * r, product);
    }
    float mean = block_sum<rmsnorm_threads>(product, partial) / (float)columns;
    if (packed) {
        for (int i = threadIdx.x * Pack<T>::count; i < columns; i += rmsnorm_threads * Pack<T>::count) {
            Pack<T> x = load_pack(row + i), d = load_pack(dy + i), sum = load_pack(dx + i), w = load_as<T>(weight + i);
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) sum.value[k] += r * (d.value[k] * w.value[k] - x.value[k] * r * mean);
            store_pack(dx + i, sum);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads)
            dx[i] = from_float<T>(to_float(dx[i]) + r * (to_float(dy[i]) * weight[i] - to_float(row[i]) * r * mean));
    }
}

// bands[band, column] = Σ over the band's rows of dy · x · r: a thread a column, a block 256 columns of one band.
template <class T>
TERN_DEVICE void rmsnorm_backward_bands(const T* d_output, i64 d_output_pitch, const T* input, i64 input_pitch, const float* inverse, int rows, int columns, float* bands) {
    int column = blockIdx.x * rmsnorm_threads + threadIdx.x;
    if (column >= columns) return;
    int first = blockIdx.y * rmsnorm_band, end = first + rmsnorm_band < rows ? first + rmsnorm_band : rows;
    float sum = 0.0f;
    for (int row = first; row < end; row++) sum = fmaf(to_float(d_output[row * d_output_pitch + column]), to_float(input[row * input_pitch + column]) * inverse[row], sum);
    bands[(i64)blockIdx.y * columns + column] = sum;
}

TERN_KERNEL(256, tern_sum_bands_f32)(const float* bands, int band_count, int columns, float* accumulate_destination) {
    int column = blockIdx.x * rmsnorm_threads + threadIdx.x;
    if (column >= columns) return;
    float sum = 0.0f;
    for (int band = 0; band < band_count; band++) sum += bands[(i64)band * columns + column];
    accumulate_destination[column] += sum;
}
TERN_EMULATE(tern_sum_bands_f32)

#define RMSNORM(type, suffix)                                                                                                                                     \
    TERN_KERNEL(256, tern_rmsnorm_forward_##suffix)                                                                                                               \
    (const type* input, i64 input_pitch, const float* weight, float epsilon, int rows, int columns, i64 destination_pitch, float* inverse_rms, type* destination) { \
        rmsnorm_forward(input, input_pitch, weight, epsilon, columns, destination_pitch, inverse_rms, destination);                                               \
    }                                                                                                                                                             \
    TERN_EMULATE(tern_rmsnorm_forward_##suffix)                                                                                                                   \
    TERN_KERNEL(256, tern_add_rmsnorm_forward_##suffix)                                                                                                           \
    (const type* delta, i64 delta_pitch, const float* weight, float epsilon, int rows, int columns, i64 residual_pitch, i64 destination_pitch, float* inverse_rms, \
     type* accumulate_residual, type* destination) {                                                                                                              \
        add_rmsnorm_forward(delta, delta_pitch, weight, epsilon, columns, residual_pitch, destination_pitch, inverse_rms, accumulate_residual, destination);      \
    }                                                                                                                                                             \
    TERN_EMULATE(tern_add_rmsnorm_forward_##suffix)                                                                                                               \
    TERN_KERNEL(256, tern_rmsnorm_backward_##suffix)                                                                                                              \
    (const type* d_output, i64 d_output_pitch, const type* input, i64 input_pitch, const float* weight, const float* inverse_rms, int rows, int columns,          \
     i64 d_input_pitch, type* accumulate_d_input) {                                                                                                               \
        rmsnorm_backward(d_output, d_output_pitch, input, input_pitch, weight, inverse_rms, columns, d_input_pitch, accumulate_d_input);                          \
    }                                                                                                                                                             \
    TERN_EMULATE(tern_rmsnorm_backward_##suffix)                                                                                                                  \
    TERN_KERNEL(256, tern_rmsnorm_backward_bands_##suffix)                                                                                                        \
    (const type* d_output, i64 d_output_pitch, const type* input, i64 input_pitch, const float* inverse_rms, int rows, int columns, float* bands) {               \
        rmsnorm_backward_bands(d_output, d_output_pitch, input, input_pitch, inverse_rms, rows, columns, bands);                                                  \
    }                                                                                                                                                             \
    TERN_EMULATE(tern_rmsnorm_backward_bands_##suffix)

RMSNORM(float, f32)
RMSNORM(bf16, bf16)
