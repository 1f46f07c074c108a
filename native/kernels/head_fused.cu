// The sparse head's forward without logits in memory, for sm_90a: maxima[b, v] = max over rows i of b of
// scale · (H[i] · W[v]) + bias[v], and the first row that has it. The product is transposed, W Hᵀ: a block owns 128 rows of W
// (64 a warpgroup) and one sequence, whose rows pass by in tiles of 64, 96 or 128 columns, so that the maximum over a tile
// is one over a thread's registers; four lanes meet at the end. No atomics, nothing of size [T, V].
// A producer warp has boxes of 64 of the K columns copied into three stages; each consumer warp tells when it is done with
// a stage; one product stays in flight while the next is issued. Launch: 288 threads, maps of W with boxes of 128 rows and
// of H with boxes of the tile's rows, K a multiple of 64. Whether it beats matrix products and tern_segment_max decides
// whether it is used: 3 % faster at H = 2048 and no more than 1 % slower at H = 4096.
#define TERN_HOPPER
#include "../include/elements.cuh"
#include "../include/reduce.cuh"

constexpr int fused_rows = 128;
constexpr int fused_stages = 3;
constexpr int fused_step = 64;
constexpr int fused_consumers = 8;   // warps, two warpgroups; the producer is the warp after them

// A running maximum and its row; a NaN stays.
struct Best {
    float value;
    int row;
};
constexpr int no_row = 0x7fffffff;
TERN_DEVICE void take(Best& best, float value, int row) {
    bool better = best.row == no_row || (best.value == best.value && !(value <= best.value));
    best.value = better ? value : best.value;
    best.row = better ? row : best.row;
}
// That of two sets of rows: the greater, the first on a tie, the first NaN if there is one.
TERN_DEVICE Best merged(Best a, Best b) {
    bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    bool first = a_nan == b_nan ? (a_nan || a.value == b.value ? a.row < b.row : a.value > b.value) : a_nan;
    if (a.row == no_row || b.row == no_row) first = b.row == no_row;
    return {first ? a.value : b.value, first ? a.row : b.row};
}

template <int tokens>
TERN_DEVICE void head_fused(const TensorMap* weight, const TensorMap* hidden, const float* bias, const int* starts, float scale, int columns, int vocabulary, float* maxima, int* arg_max) {
    shared_carver carver;
    TERN_TAKE(carver, bf16, weights, fused_stages * fused_rows * fused_step);
    TERN_TAKE(carver, bf16, hiddens, fused_stages * tokens * fused_step);
    TERN_TAKE(carver, u64, full, fused_stages);
    TERN_TAKE(carver, u64, empty, fused_stages);
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first_row = blockIdx.x * fused_rows;
    int start = starts[blockIdx.y], length = starts[blockIdx.y + 1] - start, tiles = (length + tokens - 1) / tokens, steps = columns / fused_step;
    if (threadIdx.x == 0) {
        for (int s = 0; s < fused_stages; s++) {
            mbarrier_init(full + s, 1);
            mbarrier_init(empty + s, fused_consumers);
        }
        mbarrier_init_fence();
    }
    __syncthreads();
    int stage = 0;
    u32 parity = 0;
    if (warp == fused_consumers) {
        if (lane != 0) return;
        for (int t = 0; t < tiles; t++)
            for (int k = 0; k < steps; k++) {
                mbarrier_wait(empty + stage, parity ^ 1);
                mbarrier_arrive_expect(full + stage, (fused_rows + tokens) * fused_step * 2);
                load_box(weights + stage * fused_rows * fused_step, weight, full + stage, k * fused_step, first_row);
                load_box(hiddens + stage * tokens * fused_step, hidden, full + stage, k * fused_step, start + t * tokens);
                if (++stage == fused_stages) {
                    stage = 0;
                    parity ^= 1;
                }
            }
        return;
    }
    int group = warp / 4;
    Best best[2] = {{bits_float(0xff800000u), no_row}, {bits_float(0xff800000u), no_row}};
    for (int t = 0; t < tiles; t++) {
        float sums[tokens / 2];
#pragma unroll
        for (int i = 0; i < tokens / 2; i++) sums[i] = 0.0f;
        wgmma_settle(sums);
        int last = stage;
        for (int k = 0; k < steps; k++) {
            mbarrier_wait(full + stage, parity);
            u64 a = wgmma_descriptor(weights + (stage * fused_rows + group * 64) * fused_step), b = wgmma_descriptor(hiddens + stage * tokens * fused_step);
            wgmma_fence();
#pragma unroll
            for (int part = 0; part < fused_step / 16; part++) wgmma_64_16(sums, a + part * 2, b + part * 2);
            wgmma_commit();
            if (k > 0) {
                wgmma_wait<1>();
                __syncwarp();
                if (lane == 0) mbarrier_arrive(empty + last);
            }
            last = stage;
            if (++stage == fused_stages) {
                stage = 0;
                parity ^= 1;
            }
        }
        wgmma_wait<0>();
        wgmma_settle(sums);
        __syncwarp();
        if (lane == 0) mbarrier_arrive(empty + last);
#pragma unroll
        for (int i = 0; i < tokens / 8; i++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                int row = t * tokens + i * 8 + lane % 4 * 2 + j;
                if (row < length) {
                    take(best[0], sums[i * 4 + j], row);
                    take(best[1], sums[i * 4 + 2 + j], row);
                }
            }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int lanes = 1; lanes < 4; lanes *= 2) {
            Best other = {__shfl_xor_sync(all_lanes, best[half].value, lanes), __shfl_xor_sync(all_lanes, best[half].row, lanes)};
            best[half] = merged(best[half], other);
        }
        int v = first_row + group * 64 + warp % 4 * 16 + lane / 4 + half * 8;
        if (lane % 4 == 0 && v < vocabulary) {
            i64 at = (i64)blockIdx.y * vocabulary + v;
            bool none = best[half].row == no_row;
            maxima[at] = none ? best[half].value : best[half].value * scale + (bias ? bias[v] : 0.0f);
            arg_max[at] = none ? -1 : start + best[half].row;
        }
    }
}

#define HEAD_FUSED(tokens)                                                                                                                                          \
    TERN_KERNEL(288, tern_head_fused_forward_##tokens##_bf16)                                                                                                       \
    (const __grid_constant__ TensorMap weight, const __grid_constant__ TensorMap hidden, const float* bias, const int* sequence_starts, int sequences, float scale, \
     int columns, int vocabulary, float* maxima, int* arg_max) {                                                                                                    \
        head_fused<tokens>(&weight, &hidden, bias, sequence_starts, scale, columns, vocabulary, maxima, arg_max);                                                   \
    }                                                                                                                                                               \
    TERN_EMULATE(tern_head_fused_forward_##tokens##_bf16)

HEAD_FUSED(64)
HEAD_FUSED(96)
HEAD_FUSED(128)
