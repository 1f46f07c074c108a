// destination[b, j] = source[b, columns[b, j]]; backward dSource[b, columns[b, j]] += dOutput[b, j]: the first j of a column
// adds up all of them, in order, so no atomics.
// FLOPS: means[v] = mean over rows of |values[b, v]|, a thread a column; its value is the sum of their squares
// (tern_sum_of_squares_f32); backward d += weight · 2 · means[v] / B · sign(values[b, v]).
#include "../include/elements.cuh"

constexpr int columns_threads = 256;

TERN_KERNEL(256, tern_gather_columns_forward_f32)(const float* source, i64 source_pitch, const int* columns, int rows, int count, float* destination) {
    int j = blockIdx.y * columns_threads + threadIdx.x;
    if (j >= count) return;
    i64 at = (i64)blockIdx.x * count + j;
    destination[at] = source[blockIdx.x * source_pitch + columns[at]];
}
TERN_EMULATE(tern_gather_columns_forward_f32)

TERN_KERNEL(256, tern_gather_columns_backward_f32)(const float* d_output, const int* columns, int rows, int count, i64 source_pitch, float* accumulate_d_source) {
    int j = blockIdx.y * columns_threads + threadIdx.x;
    if (j >= count) return;
    const int* of_row = columns + (i64)blockIdx.x * count;
    const float* d = d_output + (i64)blockIdx.x * count;
    int column = of_row[j];
    for (int i = 0; i < j; i++)
        if (of_row[i] == column) return;
    float* target = accumulate_d_source + blockIdx.x * source_pitch + column;
    float sum = *target;
    for (int i = j; i < count; i++)
        if (of_row[i] == column) sum += d[i];
    *target = sum;
}
TERN_EMULATE(tern_gather_columns_backward_f32)

TERN_KERNEL(256, tern_column_means_f32)(const float* values, i64 pitch, int rows, int columns, float* means) {
    int column = blockIdx.x * columns_threads + threadIdx.x;
    if (column >= columns) return;
    float sum = 0.0f;
    for (int row = 0; row < rows; row++) sum += fabsf(values[row * pitch + column]);
    means[column] = sum * (1.0f / (float)rows);
}
TERN_EMULATE(tern_column_means_f32)

TERN_KERNEL(256, tern_flops_backward_f32)(const float* values, i64 pitch, const float* means, float weight, int rows, int columns, i64 d_values_pitch, float* accumulate_d_values) {
    int column = blockIdx.y * columns_threads + threadIdx.x;
    if (column >= columns) return;
    float value = values[blockIdx.x * pitch + column];
    if (value != 0.0f) {
        float gradient = weight * 2.0f / (float)rows * means[column];
        accumulate_d_values[blockIdx.x * d_values_pitch + column] += value > 0.0f ? gradient : -gradient;
    }
}
TERN_EMULATE(tern_flops_backward_f32)
