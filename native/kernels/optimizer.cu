// AdamW: g = gradient · scale; m = β₁ m + (1 − β₁) g; v = β₂ v + (1 − β₂) g²;
// p = p · decay − step · m / (√v · correction + ε), with step = η / (1 − β₁ᵗ), correction = 1 / √(1 − β₂ᵗ),
// decay = 1 − η · weight decay from the host. The gradient leaves as zeros. Bytes: 16 read, 16 written an element.
// Sums of squares in double precision, in one order whatever the device: chunks of 1024 elements are dealt to at most 1024
// blocks in turn, from one tensor on to the next; then one block adds up theirs.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int optimizer_threads = 256;
constexpr int optimizer_elements = 1024;

TERN_KERNEL(256, tern_adamw_f32)(float gradient_scale, float beta1, float beta2, float decay, float step_size, float correction, float epsilon, i64 count, float* gradient, float* first_moment, float* second_moment, float* parameter) {
    auto update = [=](float g, float& m, float& v, float& p) {
        g *= gradient_scale;
        m = fmaf(beta1, m, (1.0f - beta1) * g);
        v = fmaf(beta2, v, (1.0f - beta2) * g * g);
        p = fmaf(-step_size, m / fmaf(sqrt_rn(v), correction, epsilon), p * decay);
    };
    i64 first = (i64)blockIdx.x * optimizer_elements;
    if (first + optimizer_elements <= count && aligned_16((u64)gradient | (u64)first_moment | (u64)second_moment | (u64)parameter)) {
        i64 i = first + threadIdx.x * 4;
        Pack<float> g = load_pack(gradient + i), m = load_pack(first_moment + i), v = load_pack(second_moment + i), p = load_pack(parameter + i);
#pragma unroll
        for (int k = 0; k < 4; k++) update(g.value[k], m.value[k], v.value[k], p.value[k]);
        store_pack(first_moment + i, m);
        store_pack(second_moment + i, v);
        store_pack(parameter + i, p);
        store_pack(gradient + i, Pack<float>{});
        return;
    }
    for (int k = threadIdx.x; k < optimizer_elements && first + k < count; k += optimizer_threads) {
        i64 i = first + k;
        update(gradient[i], first_moment[i], second_moment[i], parameter[i]);
        gradient[i] = 0.0f;
    }
}
TERN_EMULATE(tern_adamw_f32)

// Of the chunks first, first + blocks, ... of a tensor.
TERN_DEVICE double squares_of_chunks(const float* values, i64 count, i64 first, i64 blocks) {
    bool packed = aligned_16((u64)values);
    double sum = 0.0;
    for (i64 chunk = first; chunk * optimizer_elements < count; chunk += blocks) {
        i64 i = chunk * optimizer_elements + threadIdx.x * 4;
        if (packed && i + 4 <= count) {
            Pack<float> x = load_pack(values + i);
#pragma unroll
            for (int k = 0; k < 4; k++) sum += (double)x.value[k] * (double)x.value[k];
        } else {
            for (int k = 0; k < 4 && i + k < count; k++) sum += (double)values[i + k] * (double)values[i + k];
        }
    }
    return sum;
}

TERN_KERNEL(256, tern_sum_of_squares_f32)(const float* values, i64 count, double* partials) {
    TERN_SHARED(double, partial, optimizer_threads / 32);
    double sum = block_sum<optimizer_threads>(squares_of_chunks(values, count, blockIdx.x, gridDim.x), partial);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}
TERN_EMULATE(tern_sum_of_squares_f32)

TERN_KERNEL(256, tern_sums_of_squares_f32)(const u64* addresses, const i64* counts, int tensors, int blocks, double* partials) {
    TERN_SHARED(double, partial, optimizer_threads / 32);
    double sum = 0.0;
    i64 first = blockIdx.x;   // of this block in the tensor
    for (int t = 0; t < tensors; t++) {
        i64 count = counts[t], chunks = (count + optimizer_elements - 1) / optimizer_elements;
        sum += squares_of_chunks((const float*)addresses[t], count, first, blocks);
        first = (first - chunks % blocks + blocks) % blocks;
    }
    sum = block_sum<optimizer_threads>(sum, partial);
    if (threadIdx.x == 0) partials[blockIdx.x] = sum;
}
TERN_EMULATE(tern_sums_of_squares_f32)

TERN_KERNEL(256, tern_sum_f64)(const double* values, i64 count, double* destination) {
    TERN_SHARED(double, partial, optimizer_threads / 32);
    double sum = 0.0;
    for (i64 i = threadIdx.x; i < count; i += optimizer_threads) sum += values[i];
    sum = block_sum<optimizer_threads>(sum, partial);
    if (threadIdx.x == 0) *destination = sum;
}
TERN_EMULATE(tern_sum_f64)
