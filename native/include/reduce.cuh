// Sums and maxima over a warp and over a block, in one fixed order.
#pragma once
#include "platform.cuh"

constexpr u32 all_lanes = 0xffffffffu;

template <class T>
TERN_DEVICE T warp_sum(T value) {
#pragma unroll
    for (int lanes = 16; lanes; lanes /= 2) value += __shfl_xor_sync(all_lanes, value, lanes);
    return value;
}

TERN_DEVICE float warp_max(float value) {
#pragma unroll
    for (int lanes = 16; lanes; lanes /= 2) value = fmaxf(value, __shfl_xor_sync(all_lanes, value, lanes));
    return value;
}

// Every thread gets the result. partial has one element a warp; it is free again for the next reduction.
template <int threads, class T>
TERN_DEVICE T block_sum(T value, shared<T> partial) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_sum(value);
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    T sum = partial[0];
#pragma unroll
    for (int w = 1; w < threads / 32; w++) sum += partial[w];
    __syncthreads();
    return sum;
}

template <int threads>
TERN_DEVICE float block_max(float value, shared<float> partial) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    value = warp_max(value);
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    float maximum = partial[0];
#pragma unroll
    for (int w = 1; w < threads / 32; w++) maximum = fmaxf(maximum, partial[w]);
    __syncthreads();
    return maximum;
}
