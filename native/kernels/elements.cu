// destination = source, widened or rounded; destination += scale · source.
// One thread writes 16 bytes' worth of elements where shapes allow it. Bytes moved: what is read and written, once.
#include "../include/elements.cuh"

constexpr int elements_threads = 256;
constexpr int elements_per_block = 1024;

// Rows of [rows, columns] at their pitches; a block copies 1024 columns of one row.
template <class From, class To>
TERN_DEVICE void copy_rows(const From* __restrict__ source, i64 source_pitch, int columns, i64 destination_pitch, To* __restrict__ destination) {
    const From* from = source + blockIdx.x * source_pitch;
    To* to = destination + blockIdx.x * destination_pitch;
    int first = blockIdx.y * elements_per_block;
    for (int i = first + threadIdx.x; i < first + elements_per_block && i < columns; i += elements_threads) to[i] = from_float<To>(to_float(from[i]));
}

TERN_KERNEL(256, tern_copy_bf16_f32)(const bf16* source, i64 source_pitch, int rows, int columns, i64 destination_pitch, float* destination) {
    copy_rows(source, source_pitch, columns, destination_pitch, destination);
}
TERN_EMULATE(tern_copy_bf16_f32)

TERN_KERNEL(256, tern_copy_f32_bf16)(const float* source, i64 source_pitch, int rows, int columns, i64 destination_pitch, bf16* destination) {
    copy_rows(source, source_pitch, columns, destination_pitch, destination);
}
TERN_EMULATE(tern_copy_f32_bf16)

TERN_KERNEL(256, tern_add_scaled_f32)(const float* __restrict__ source, float scale, i64 count, float* __restrict__ accumulate_destination) {
    i64 first = (i64)blockIdx.x * elements_per_block;
    if (first + elements_per_block <= count && aligned_16((u64)source | (u64)accumulate_destination)) {
        i64 i = first + threadIdx.x * 4;
        Pack<float> x = load_pack(source + i), sum = load_pack(accumulate_destination + i);
#pragma unroll
        for (int k = 0; k < 4; k++) sum.value[k] = fmaf(scale, x.value[k], sum.value[k]);
        store_pack(accumulate_destination + i, sum);
        return;
    }
    for (int i = threadIdx.x; i < elements_per_block && first + i < count; i += elements_threads)
        accumulate_destination[first + i] = fmaf(scale, source[first + i], accumulate_destination[first + i]);
}
TERN_EMULATE(tern_add_scaled_f32)
