// h = g · σ(g) · u, elementwise on [rows, columns].
// Backward, with s = σ(g): dg = dh · u · s · (1 + g · (1 − s)), du = dh · g · s; gradients may lie where g and u lie.
// A block does 4096 bytes of one row. Bytes: 3 and 5 elements each.
#include "../include/elements.cuh"

constexpr int swiglu_threads = 256;
// Columns of a block: 16 bytes a thread.
template <class T>
constexpr int swiglu_columns = swiglu_threads * Pack<T>::count;

template <class T>
TERN_DEVICE void swiglu_forward(const T* gate, i64 gate_pitch, const T* up, i64 up_pitch, int columns, i64 destination_pitch, T* destination) {
    gate += blockIdx.x * gate_pitch;
    up += blockIdx.x * up_pitch;
    destination += blockIdx.x * destination_pitch;
    int first = blockIdx.y * swiglu_columns<T>, end = first + swiglu_columns<T> < columns ? first + swiglu_columns<T> : columns;
    if (in_packs<T>(columns, gate_pitch | up_pitch | destination_pitch)) {
        for (int i = first + threadIdx.x * Pack<T>::count; i < end; i += swiglu_threads * Pack<T>::count) {
            Pack<T> g = load_pack(gate + i), u = load_pack(up + i), h;
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) h.value[k] = g.value[k] * sigmoid(g.value[k]) * u.value[k];
            store_pack(destination + i, h);
        }
        return;
    }
    for (int i = first + threadIdx.x; i < end; i += swiglu_threads) {
        float g = to_float(gate[i]);
        destination[i] = from_float<T>(g * sigmoid(g) * to_float(up[i]));
    }
}

TERN_DEVICE void swiglu_gradient(float d, float g, float u, float& d_gate, float& d_up) {
    float s = sigmoid(g);
    d_gate = d * u * s * (1.0f + g * (1.0f - s));
    d_up = d * g * s;
}

template <class T>
TERN_DEVICE void swiglu_backward(const T* d_output, i64 d_output_pitch, const T* gate, i64 gate_pitch, const T* up, i64 up_pitch, int columns, i64 d_gate_pitch, i64 d_up_pitch, T* d_gate, T* d_up) {
    d_output += blockIdx.x * d_output_pitch;
    gate += blockIdx.x * gate_pitch;
    up += blockIdx.x * up_pitch;
    d_gate += blockIdx.x * d_gate_pitch;
    d_up += blockIdx.x * d_up_pitch;
    int first = blockIdx.y * swiglu_columns<T>, end = first + swiglu_columns<T> < columns ? first + swiglu_columns<T> : columns;
    if (in_packs<T>(columns, d_output_pitch | gate_pitch | up_pitch | d_gate_pitch | d_up_pitch)) {
        for (int i = first + threadIdx.x * Pack<T>::count; i < end; i += swiglu_threads * Pack<T>::count) {
            Pack<T> d = load_pack(d_output + i), g = load_pack(gate + i), u = load_pack(up + i), dg, du;
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) swiglu_gradient(d.value[k], g.value[k], u.value[k], dg.value[k], du.value[k]);
            store_pack(d_gate + i, dg);
            store_pack(d_up + i, du);
        }
        return;
    }
    for (int i = first + threadIdx.x; i < end; i += swiglu_threads) {
        float dg, du;
        swiglu_gradient(to_float(d_output[i]), to_float(gate[i]), to_float(up[i]), dg, du);
        d_gate[i] = from_float<T>(dg);
        d_up[i] = from_float<T>(du);
    }
}

#define SWIGLU(type, suffix)                                                                                                                                          \
    TERN_KERNEL(256, tern_swiglu_forward_##suffix)                                                                                                                    \
    (const type* gate, i64 gate_pitch, const type* up, i64 up_pitch, int rows, int columns, i64 destination_pitch, type* destination) {                               \
        swiglu_forward(gate, gate_pitch, up, up_pitch, columns, destination_pitch, destination);                                                                      \
    }                                                                                                                                                                 \
    TERN_EMULATE(tern_swiglu_forward_##suffix)                                                                                                                        \
    TERN_KERNEL(256, tern_swiglu_backward_##suffix)                                                                                                                   \
    (const type* d_output, i64 d_output_pitch, const type* gate, i64 gate_pitch, const type* up, i64 up_pitch, int rows, int columns, i64 d_gate_pitch, i64 d_up_pitch, \
     type* d_gate, type* d_up) {                                                                                                                                      \
        swiglu_backward(d_output, d_output_pitch, gate, gate_pitch, up, up_pitch, columns, d_gate_pitch, d_up_pitch, d_gate, d_up);                                   \
    }                                                                                                                                                                 \
    TERN_EMULATE(tern_swiglu_backward_##suffix)

SWIGLU(float, f32)
SWIGLU(bf16, bf16)
