// Exclusive sums of Int32 in place, in three steps: sums of blocks of 4096, their exclusive sums by one block, and the
// sums within the blocks on top. The total stands behind the last element of the blocks' sums.
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int scan_threads = 256;
constexpr int scan_of_thread = 16;
constexpr int scan_block = scan_threads * scan_of_thread;

// The sum of the values of all threads before this one, and of all.
struct Scanned {
    int before, total;
};
TERN_DEVICE Scanned block_scan(int value, shared<int> partial) {
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, through = value;
#pragma unroll
    for (unsigned lanes = 1; lanes < 32; lanes *= 2) {
        int lower = __shfl_up_sync(all_lanes, through, lanes);
        if (lane >= (int)lanes) through += lower;
    }
    if (lane == 31) partial[warp] = through;
    __syncthreads();
    int before = through - value, total = 0;
#pragma unroll
    for (int w = 0; w < scan_threads / 32; w++) {
        int of_warp = partial[w];
        if (w < warp) before += of_warp;
        total += of_warp;
    }
    __syncthreads();
    return {before, total};
}

TERN_KERNEL(256, tern_scan_sums)(const int* values, i64 count, int* sums) {
    TERN_SHARED(int, partial, scan_threads / 32);
    i64 first = (i64)blockIdx.x * scan_block;
    int sum = 0;
    for (int i = threadIdx.x; i < scan_block && first + i < count; i += scan_threads) sum += values[first + i];
    sum = block_sum<scan_threads>(sum, partial);
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}
TERN_EMULATE(tern_scan_sums)

// sums [count + 1]
TERN_KERNEL(256, tern_scan_of_sums)(int count, int* sums) {
    TERN_SHARED(int, partial, scan_threads / 32);
    int carried = 0;
    for (int first = 0; first < count; first += scan_threads) {
        int i = first + threadIdx.x, value = i < count ? sums[i] : 0;
        Scanned scanned = block_scan(value, partial);
        if (i < count) sums[i] = carried + scanned.before;
        carried += scanned.total;
    }
    if (threadIdx.x == 0) sums[count] = carried;
}
TERN_EMULATE(tern_scan_of_sums)

TERN_KERNEL(256, tern_scan_blocks)(const int* sums, i64 count, int* values) {
    TERN_SHARED(int, partial, scan_threads / 32);
    i64 first = (i64)blockIdx.x * scan_block + threadIdx.x * scan_of_thread;
    int own = 0;
    for (int k = 0; k < scan_of_thread && first + k < count; k++) own += values[first + k];
    int before = sums[blockIdx.x] + block_scan(own, partial).before;
    for (int k = 0; k < scan_of_thread && first + k < count; k++) {
        int value = values[first + k];
        values[first + k] = before;
        before += value;
    }
}
TERN_EMULATE(tern_scan_blocks)
