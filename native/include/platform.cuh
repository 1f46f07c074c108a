// One source, three compilers: clang without a CUDA toolkit, nvcc, and any C++ compiler for the CPU emulator
// (TERN_EMULATED). Kernels use only what is named here, in ptx.cuh and in elements.cuh; nothing from CUDA's headers.
//
// Naming and parameters of kernels (native/kernels/kernels.txt lists them all, and tests hold sources to it):
//   tern_<op>_<forward|backward>_<f32|bf16>, extern "C"; the last part is how activations are stored, sums are Float32.
//   Parameters: sources, saved values, sizes and scalars, destinations last; pointers are raw device addresses, row
//   pitches and counts of elements i64 in elements, numbers of rows, columns and heads i32.
//   Destinations are overwritten, except those named accumulate..., which are added to.
//   Grids are given by the sizes alone, never by the device, so that results have the same bits everywhere.
#pragma once

#if defined(TERN_EMULATED)
#include "../emulator/device.hpp"
#else

#if defined(__clang__) && defined(__CUDA__) && !defined(__CUDACC_VER_MAJOR__)
// What nvcc would bring by itself.
struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
};
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __grid_constant__ __attribute__((grid_constant))
#define __forceinline__ __inline__ __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#include <__clang_cuda_builtin_vars.h>
#define TERN_CLANG_DEVICE static __device__ __forceinline__
TERN_CLANG_DEVICE void __syncwarp(unsigned mask = 0xffffffffu) { __nvvm_bar_warp_sync(mask); }
TERN_CLANG_DEVICE int __shfl_xor_sync(unsigned mask, int value, int lanes) { return __nvvm_shfl_sync_bfly_i32(mask, value, lanes, 0x1f); }
TERN_CLANG_DEVICE int __shfl_sync(unsigned mask, int value, int lane) { return __nvvm_shfl_sync_idx_i32(mask, value, lane, 0x1f); }
TERN_CLANG_DEVICE int __shfl_up_sync(unsigned mask, int value, unsigned lanes) { return __nvvm_shfl_sync_up_i32(mask, value, (int)lanes, 0); }
#define TERN_SHUFFLES(type)                                                                                                          \
    TERN_CLANG_DEVICE type __shfl_xor_sync(unsigned m, type v, int l) { return __builtin_bit_cast(type, __shfl_xor_sync(m, __builtin_bit_cast(int, v), l)); }   \
    TERN_CLANG_DEVICE type __shfl_sync(unsigned m, type v, int l) { return __builtin_bit_cast(type, __shfl_sync(m, __builtin_bit_cast(int, v), l)); }           \
    TERN_CLANG_DEVICE type __shfl_up_sync(unsigned m, type v, unsigned l) { return __builtin_bit_cast(type, __shfl_up_sync(m, __builtin_bit_cast(int, v), l)); }
TERN_SHUFFLES(float)
TERN_SHUFFLES(unsigned)
#undef TERN_SHUFFLES
TERN_CLANG_DEVICE unsigned long long __shfl_xor_sync(unsigned m, unsigned long long v, int l) {
    unsigned low = __shfl_xor_sync(m, (unsigned)v, l), high = __shfl_xor_sync(m, (unsigned)(v >> 32), l);
    return (unsigned long long)high << 32 | low;
}
TERN_CLANG_DEVICE double __shfl_xor_sync(unsigned m, double v, int l) {
    return __builtin_bit_cast(double, __shfl_xor_sync(m, __builtin_bit_cast(unsigned long long, v), l));
}
TERN_CLANG_DEVICE unsigned __ballot_sync(unsigned mask, int predicate) { return __nvvm_vote_ballot_sync(mask, predicate); }
TERN_CLANG_DEVICE int __any_sync(unsigned mask, int predicate) { return __nvvm_vote_any_sync(mask, predicate); }
TERN_CLANG_DEVICE unsigned __match_any_sync(unsigned mask, int value) { return __nvvm_match_any_sync_i32(mask, value); }
TERN_CLANG_DEVICE float atomicAdd(float* address, float value) { return __nvvm_atom_add_gen_f(address, value); }
TERN_CLANG_DEVICE int atomicAdd(int* address, int value) { return __nvvm_atom_add_gen_i(address, value); }
TERN_CLANG_DEVICE unsigned atomicAdd(unsigned* address, unsigned value) { return (unsigned)__nvvm_atom_add_gen_i((int*)address, (int)value); }
TERN_CLANG_DEVICE float fmaxf(float a, float b) { return __builtin_fmaxf(a, b); }
TERN_CLANG_DEVICE float fminf(float a, float b) { return __builtin_fminf(a, b); }
TERN_CLANG_DEVICE float fmaf(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
TERN_CLANG_DEVICE float fabsf(float a) { return __builtin_fabsf(a); }
TERN_CLANG_DEVICE float rintf(float a) { return __builtin_rintf(a); }
TERN_CLANG_DEVICE unsigned __float_as_uint(float f) { return __builtin_bit_cast(unsigned, f); }
TERN_CLANG_DEVICE float __uint_as_float(unsigned u) { return __builtin_bit_cast(float, u); }
TERN_CLANG_DEVICE int __popc(unsigned v) { return __builtin_popcount(v); }
TERN_CLANG_DEVICE int __ffs(int v) { return __builtin_ffs(v); }
#undef TERN_CLANG_DEVICE
#endif

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i64 = long long;
struct bf16 {
    u16 bits;
};

#define TERN_DEVICE static __device__ __forceinline__
#define TERN_MEMBER __device__ __forceinline__
#define TERN_KERNEL(threads, name) extern "C" __global__ void __launch_bounds__(threads) name
#define TERN_EMULATE(name)

// Shared memory: a static array, or arrays cut one after the other, each aligned to 128 bytes, from the launch's dynamic
// part. Under the emulator `shared<T>` knows its array's bounds and who has touched which element since which barrier.
template <class T>
using shared = T*;
#define TERN_SHARED(type, name, count) __shared__ __align__(128) type name[count]
extern __shared__ __align__(1024) unsigned char tern_dynamic_shared[];
struct shared_carver {
    u32 next = 0;
    template <class T>
    __device__ __forceinline__ T* take(u32 count) {
        T* array = (T*)(tern_dynamic_shared + next);
        next = (next + count * (u32)sizeof(T) + 127) / 128 * 128;
        return array;
    }
};
#define TERN_TAKE(carver, type, name, count) shared<type> name = carver.take<type>(count)
template <class T>
TERN_DEVICE T atomic_add(T* address, T value) {
    return atomicAdd(address, value);
}
// The lanes of the mask that have the same value as this one.
TERN_DEVICE u32 match_any(u32 mask, int value) { return __match_any_sync(mask, value); }
TERN_DEVICE u32 float_bits(float f) { return __float_as_uint(f); }
TERN_DEVICE float bits_float(u32 u) { return __uint_as_float(u); }
TERN_DEVICE int count_bits(u32 v) { return __popc(v); }
TERN_DEVICE int first_bit(u32 v) { return __ffs((int)v) - 1; }

#include "ptx.cuh"
#endif
