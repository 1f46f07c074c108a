// y = x · r · w with r = 1 / sqrt(mean(x²) + epsilon) by row. The residual stream is Float32 where activations are bf16, and
// the product before it adds to it in place: a norm that did so would move as many bytes.
// Backward, with n̂ = x · r and g = w ⊙ dy: dx += r · (g − n̂ · mean(g ⊙ n̂)); dw += Σ over rows of dy ⊙ n̂.
// One block a row; the row is read twice, the second time from cache. dw in two steps of fixed order: sums over bands of
// 64 rows, then over the bands. Bytes: forward 2 elements each, backward 4.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int rmsnorm_threads = 256;
constexpr int rmsnorm_band = 64;

// Calls action(i, x) for this thread's elements of a row, a pack of W at a time where packed.
template <class W, class T, class Action>
TERN_DEVICE void each_element(const T* row, int columns, bool packed, Action action) {
    if (packed) {
        for (int i = threadIdx.x * Pack<W>::count; i < columns; i += rmsnorm_threads * Pack<W>::count) {
            Pack<W> x = load_wide<W>(row + i);
#pragma unroll
            for (int k = 0; k < Pack<W>::count; k++) action(i + k, x.value[k]);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) action(i, to_float(row[i]));
    }
}

TERN_DEVICE float inverse_rms(float squares, int columns, float epsilon) { return 1.0f / sqrt_rn(squares / (float)columns + epsilon); }

// T is how rows come, U how they leave: the same, or Float32 and bf16.
template <class T, class U>
TERN_DEVICE void rmsnorm_forward(const T* input, i64 input_pitch, const float* weight, float epsilon, int columns, i64 destination_pitch, float* inverse, U* destination) {
    TERN_SHARED(float, partial, rmsnorm_threads / 32);
    const T* row = input + blockIdx.x * input_pitch;
    U* to = destination + blockIdx.x * destination_pitch;
    bool packed = in_packs<U>(columns, input_pitch | destination_pitch);
    float squares = 0.0f;
    each_element<U>(row, columns, packed, [&](int, float x) { squares = fmaf(x, x, squares); });
    squares = block_sum<rmsnorm_threads>(squares, partial);
    float r = inverse_rms(squares, columns, epsilon);
    if (threadIdx.x == 0) inverse[blockIdx.x] = r;
    if (packed) {
        for (int i = threadIdx.x * Pack<U>::count; i < columns; i += rmsnorm_threads * Pack<U>::count) {
            Pack<U> x = load_wide<U>(row + i), w = load_as<U>(weight + i);
#pragma unroll
            for (int k = 0; k < Pack<U>::count; k++) x.value[k] = x.value[k] * r * w.value[k];
            store_pack(to + i, x);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) to[i] = from_float<U>(to_float(row[i]) * r * weight[i]);
    }
}

// D is the type of the gradient that comes, T that of the rows and of the gradient that leaves.
template <class D, class T>
TERN_DEVICE void rmsnorm_backward(const D* d_output, i64 d_output_pitch, const T* input, i64 input_pitch, const float* weight, const float* inverse, int columns, i64 d_input_pitch, T* accumulate_d_input) {
    TERN_SHARED(float, partial, rmsnorm_threads / 32);
    const D* dy = d_output + blockIdx.x * d_output_pitch;
    const T* row = input + blockIdx.x * input_pitch;
    T* dx = accumulate_d_input + blockIdx.x * d_input_pitch;
    bool packed = in_packs<D>(columns, d_output_pitch | input_pitch | d_input_pitch);
    float r = inverse[blockIdx.x];
    float product = 0.0f;
    if (packed) {
        for (int i = threadIdx.x * Pack<D>::count; i < columns; i += rmsnorm_threads * Pack<D>::count) {
            Pack<D> x = load_wide<D>(row + i), d = load_pack(dy + i), w = load_as<D>(weight + i);
#pragma unroll
            for (int k = 0; k < Pack<D>::count; k++) product = fmaf(d.value[k] * w.value[k], x.value[k] * r, product);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads) product = fmaf(to_float(dy[i]) * weight[i], to_float(row[i]) * r, product);
    }
    float mean = block_sum<rmsnorm_threads>(product, partial) / (float)columns;
    if (packed) {
        for (int i = threadIdx.x * Pack<D>::count; i < columns; i += rmsnorm_threads * Pack<D>::count) {
            Pack<D> x = load_wide<D>(row + i), d = load_pack(dy + i), sum = load_wide<D>(dx + i), w = load_as<D>(weight + i);
#pragma unroll
            for (int k = 0; k < Pack<D>::count; k++) sum.value[k] += r * (d.value[k] * w.value[k] - x.value[k] * r * mean);
            store_wide<D>(dx + i, sum);
        }
    } else {
        for (int i = threadIdx.x; i < columns; i += rmsnorm_threads)
            dx[i] = from_float<T>(to_float(dx[i]) + r * (to_float(dy[i]) * weight[i] - to_float(row[i]) * r * mean));
    }
}

// bands[band, column] = Σ over the band's rows of dy · x · r: a thread a column, a block 256 columns of one band.
template <class D, class T>
TERN_DEVICE void rmsnorm_backward_bands(const D* d_output, i64 d_output_pitch, const T* input, i64 input_pitch, const float* inverse, int rows, int columns, float* bands) {
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

#define RMSNORM_FORWARD(in, out, suffix)                                                                                                                            \
    TERN_KERNEL(256, tern_rmsnorm_forward_##suffix)                                                                                                                 \
    (const in* input, i64 input_pitch, const float* weight, float epsilon, int rows, int columns, i64 destination_pitch, float* inverse_rms, out* destination) {     \
        rmsnorm_forward(input, input_pitch, weight, epsilon, columns, destination_pitch, inverse_rms, destination);                                                 \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_rmsnorm_forward_##suffix)

#define RMSNORM_BACKWARD(d, type, suffix)                                                                                                                           \
    TERN_KERNEL(256, tern_rmsnorm_backward_##suffix)                                                                                                                \
    (const d* d_output, i64 d_output_pitch, const type* input, i64 input_pitch, const float* weight, const float* inverse_rms, int rows, int columns,               \
     i64 d_input_pitch, type* accumulate_d_input) {                                                                                                                 \
        rmsnorm_backward(d_output, d_output_pitch, input, input_pitch, weight, inverse_rms, columns, d_input_pitch, accumulate_d_input);                            \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_rmsnorm_backward_##suffix)                                                                                                                    \
    TERN_KERNEL(256, tern_rmsnorm_backward_bands_##suffix)                                                                                                          \
    (const d* d_output, i64 d_output_pitch, const type* input, i64 input_pitch, const float* inverse_rms, int rows, int columns, float* bands) {                    \
        rmsnorm_backward_bands(d_output, d_output_pitch, input, input_pitch, inverse_rms, rows, columns, bands);                                                    \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_rmsnorm_backward_bands_##suffix)

RMSNORM_FORWARD(float, float, f32)
RMSNORM_FORWARD(bf16, bf16, bf16)
RMSNORM_FORWARD(float, bf16, f32_bf16)
RMSNORM_BACKWARD(float, float, f32)
RMSNORM_BACKWARD(bf16, bf16, bf16)
RMSNORM_BACKWARD(bf16, float, bf16_f32)
