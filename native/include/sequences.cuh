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
