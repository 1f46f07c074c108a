// Rotary position embedding in place, rotate-half: (a, b) = (v[i], v[i + D/2]) becomes (a · cos − b · sin, b · cos + a · sin)
// with the angles of the row's position in its sequence; the backward is the inverse rotation.
// A block turns one row of all heads. Bytes: each element read and written once.
#include "../include/elements.cuh"
#include "../include/sequences.cuh"

constexpr int rope_threads = 256;

// rotations [positions, D]: cos of D/2 angles, then sin of D/2 angles.
template <class T>
TERN_DEVICE void rotate(const int* starts, const float* rotations, float direction, int sequences, int columns, int head_size, i64 pitch, T* values) {
    int row = blockIdx.x, half = head_size / 2;
    const float* angles = rotations + (i64)(row - starts[sequence_of(starts, sequences, row)]) * head_size;
    T* of_row = values + row * pitch;
    if (in_packs<T>(half, pitch)) {
        for (int i = threadIdx.x * Pack<T>::count; i < columns / 2; i += rope_threads * Pack<T>::count) {
            int angle = i % half, first = i / half * head_size + angle;
            Pack<T> cosine = load_as<T>(angles + angle), sine = load_as<T>(angles + half + angle), a = load_pack(of_row + first), b = load_pack(of_row + first + half);
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) {
                float x = a.value[k], y = b.value[k];
                a.value[k] = x * cosine.value[k] - y * direction * sine.value[k];
                b.value[k] = y * cosine.value[k] + x * direction * sine.value[k];
            }
            store_pack(of_row + first, a);
            store_pack(of_row + first + half, b);
        }
        return;
    }
    for (int i = threadIdx.x; i < columns / 2; i += rope_threads) {
        int angle = i % half, first = i / half * head_size + angle;
        float cosine = angles[angle], sine = direction * angles[half + angle];
        float a = to_float(of_row[first]), b = to_float(of_row[first + half]);
        of_row[first] = from_float<T>(a * cosine - b * sine);
        of_row[first + half] = from_float<T>(b * cosine + a * sine);
    }
}

#define ROPE(type, suffix)                                                                                                                                 \
    TERN_KERNEL(256, tern_rope_forward_##suffix)                                                                                                           \
    (const int* sequence_starts, const float* rotations, int sequences, int rows, int columns, int head_size, i64 pitch, type* values) {                   \
        rotate(sequence_starts, rotations, 1.0f, sequences, columns, head_size, pitch, values);                                                            \
    }                                                                                                                                                      \
    TERN_EMULATE(tern_rope_forward_##suffix)                                                                                                               \
    TERN_KERNEL(256, tern_rope_backward_##suffix)                                                                                                          \
    (const int* sequence_starts, const float* rotations, int sequences, int rows, int columns, int head_size, i64 pitch, type* d_values) {                 \
        rotate(sequence_starts, rotations, -1.0f, sequences, columns, head_size, pitch, d_values);                                                         \
    }                                                                                                                                                      \
    TERN_EMULATE(tern_rope_backward_##suffix)

ROPE(float, f32)
ROPE(bf16, bf16)
