// Packed sequences: sequence b has rows starts[b] .. starts[b + 1].
#pragma once
#include "platform.cuh"

// The sequence that a row belongs to, among those that have rows.
TERN_DEVICE int sequence_of(const int* starts, int sequences, int row) {
    int low = 0, high = sequences;   // starts[low] <= row < starts[high]
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (starts[middle] <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

// Rows first .. of a sequence of that length that begins at start; length 0: no such tile.
struct SequenceTile {
    int start, length, first;
};

// The tile-th of the sequences' tiles of tile_rows rows each; there are at most rows / tile_rows + sequences of them.
// Every warp finds it for itself.
TERN_DEVICE SequenceTile sequence_tile(const int* starts, int sequences, int tile, int tile_rows) {
    int lane = threadIdx.x % 32, before = 0;
    for (int group = 0; group < sequences; group += 32) {
        int b = group + lane;
        int start = b < sequences ? starts[b] : 0, length = b < sequences ? starts[b + 1] - start : 0;
        int tiles = (length + tile_rows - 1) / tile_rows, through = tiles;
#pragma unroll
        for (unsigned lanes = 1; lanes < 32; lanes *= 2) {
            int lower = __shfl_up_sync(0xffffffffu, through, lanes);
            if (lane >= (int)lanes) through += lower;
        }
        through += before;
        u32 votes = __ballot_sync(0xffffffffu, through > tile);
        if (votes) {
            int found = first_bit(votes);
            int first_tile = __shfl_sync(0xffffffffu, through - tiles, found);
            start = __shfl_sync(0xffffffffu, start, found);
            length = __shfl_sync(0xffffffffu, length, found);
            return {start, length, (tile - first_tile) * tile_rows};
        }
        before = __shfl_sync(0xffffffffu, through, 31);
    }
    return {0, 0, 0};
}
