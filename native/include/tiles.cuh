// Tiles of bf16 rows in shared memory, 16-byte chunks swizzled so that ldmatrix meets no bank twice, and their fragments
// for mma.m16n8k16. A tile has 64 or 128 columns.
#pragma once
#include "elements.cuh"

template <int columns>
TERN_DEVICE shared<bf16> tile_chunk(shared<bf16> tile, int row, int chunk) {
    return tile + (row * columns + ((chunk ^ (row & 7)) << 3));
}

// Rows of global memory into a tile, asynchronously; rows from valid on are zeros.
template <int columns, int rows, int threads>
TERN_DEVICE void load_tile(shared<bf16> tile, const bf16* source, i64 pitch, int valid) {
    constexpr int chunks = columns / 8;
    for (int i = threadIdx.x; i < rows * chunks; i += threads) {
        int row = i / chunks, chunk = i % chunks;
        bool inside = row < valid;
        copy_async_16(tile_chunk<columns>(tile, row, chunk), source + (inside ? row : 0) * pitch + chunk * 8, inside ? 16 : 0);
    }
}

// Rows row .. row + 16, columns 16 · step on, as the left operand.
template <int columns>
TERN_DEVICE void left_fragment(u32 (&a)[4], shared<bf16> tile, int row, int step) {
    int lane = threadIdx.x % 32;
    ldmatrix_x4(a, tile_chunk<columns>(tile, row + (lane & 15), step * 2 + (lane >> 4)));
}

// Rows row .. row + 16 as 16 columns of the right operand, their columns 16 · step on as its rows (a product with the
// transposed tile): two fragments of 8 columns.
template <int columns>
TERN_DEVICE void transposed_fragments(u32 (&b)[4], shared<bf16> tile, int row, int step) {
    int lane = threadIdx.x % 32;
    ldmatrix_x4(b, tile_chunk<columns>(tile, row + (lane & 7) + ((lane >> 4) << 3), step * 2 + ((lane >> 3) & 1)));
}

// Rows row .. row + 16 and columns 16 · pair on as they are, as the right operand: two fragments of 8 columns.
template <int columns>
TERN_DEVICE void right_fragments(u32 (&b)[4], shared<bf16> tile, int row, int pair) {
    int lane = threadIdx.x % 32;
    ldmatrix_x4_trans(b, tile_chunk<columns>(tile, row + (lane & 15), pair * 2 + (lane >> 4)));
}

// Sums of two neighbouring 8-column blocks as a left operand, rounded.
TERN_DEVICE void as_left_fragment(u32 (&a)[4], const float (&low)[4], const float (&high)[4]) {
    a[0] = pack_bf16(low[0], low[1]);
    a[1] = pack_bf16(low[2], low[3]);
    a[2] = pack_bf16(high[0], high[1]);
    a[3] = pack_bf16(high[2], high[3]);
}

template <int blocks>
TERN_DEVICE void clear(float (&sums)[blocks][4]) {
#pragma unroll
    for (int i = 0; i < blocks; i++)
#pragma unroll
        for (int k = 0; k < 4; k++) sums[i][k] = 0.0f;
}

// sums[16 rows, 8 · blocks] += left rows · transposed tile rows, over all columns of both tiles.
template <int columns, int blocks>
TERN_DEVICE void add_product_transposed(float (&sums)[blocks][4], shared<bf16> left, int left_row, shared<bf16> right, int right_row = 0) {
#pragma unroll
    for (int step = 0; step < columns / 16; step++) {
        u32 a[4];
        left_fragment<columns>(a, left, left_row, step);
#pragma unroll
        for (int pair = 0; pair < blocks / 2; pair++) {
            u32 b[4];
            transposed_fragments<columns>(b, right, right_row + pair * 16, step);
            mma_16816(sums[2 * pair], a, b[0], b[1]);
            mma_16816(sums[2 * pair + 1], a, b[2], b[3]);
        }
    }
}

// sums[16 rows, columns] += factors[16 rows, 8 · blocks], rounded to bf16, · the tile's rows.
template <int columns, int blocks>
TERN_DEVICE void add_product(float (&sums)[columns / 8][4], const float (&factors)[blocks][4], shared<bf16> right) {
#pragma unroll
    for (int step = 0; step < blocks / 2; step++) {
        u32 a[4];
        as_left_fragment(a, factors[2 * step], factors[2 * step + 1]);
#pragma unroll
        for (int pair = 0; pair < columns / 16; pair++) {
            u32 b[4];
            right_fragments<columns>(b, right, step * 16, pair);
            mma_16816(sums[2 * pair], a, b[0], b[1]);
            mma_16816(sums[2 * pair + 1], a, b[2], b[3]);
        }
    }
}
