// What kernels call, on the CPU: the names of include/platform.cuh and include/ptx.cuh over the emulator.
#pragma once
#include <cmath>
#include <utility>
#include <cstring>

#include "scheduler.hpp"
#include "shared_memory.hpp"

#define __host__
#define __device__
#define __global__
#define __constant__ static
#define __launch_bounds__(...)
#define __grid_constant__
#define __forceinline__ inline
#define __restrict__ __restrict

#define threadIdx (::emulator::current->index)
#define blockIdx (::emulator::current->block->index)
#define blockDim (::emulator::current->block->launch->block)
#define gridDim (::emulator::current->block->launch->grid)

using u8 = unsigned char;
using u16 = unsigned short;
using u32 = unsigned int;
using u64 = unsigned long long;
using i64 = long long;
struct bf16 {
    u16 bits;
};

#define TERN_DEVICE static inline
#define TERN_MEMBER inline

// ---- shared memory ----------------------------------------------------------------------------------------------------

template <class T>
using shared = emulator::SharedPointer<T>;
using shared_carver = emulator::SharedCarver;
#define TERN_SHARED(type, name, count)      \
    static const char name##_key = 0;       \
    shared<type> name = ::emulator::static_shared<type>(count, #name, &name##_key)
#define TERN_TAKE(carver, type, name, count) shared<type> name = carver.take<type>(count, #name)

// ---- threads ------------------------------------------------------------------------------------------------------------

inline void __syncthreads(EMULATOR_HERE) { emulator::wait_at_barrier(place); }
inline void __syncwarp(unsigned mask = ~0u, EMULATOR_HERE) {
    emulator::warp_operation("__syncwarp", mask, nullptr, place, [](void**) { emulator::current->warp->epoch++; });
}

namespace emulator {
template <class T>
struct Shuffle {
    T in, out;
    int from;   // lane; outside the mask: keeps its own
};
template <class T>
inline T shuffle(const char* name, unsigned mask, T value, int from, Place place) {
    Shuffle<T> mine{value, value, from};
    warp_operation(name, mask, &mine, place, [mask](void** lanes) {
        for (int i = 0; i < 32; i++) {
            if (!(mask >> i & 1)) continue;
            auto* lane = static_cast<Shuffle<T>*>(lanes[i]);
            if (lane->from < 0 || lane->from > 31) continue;
            if (!(mask >> lane->from & 1)) fail("shuffle reads lane %d, which the mask %08x lacks", lane->from, mask);
            lane->out = static_cast<Shuffle<T>*>(lanes[lane->from])->in;
        }
    });
    return mine.out;
}
}  // namespace emulator

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int lanes, EMULATOR_HERE) {
    return emulator::shuffle("__shfl_xor_sync", mask, value, static_cast<int>(emulator::current->lane) ^ lanes, place);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned lanes, EMULATOR_HERE) {
    return emulator::shuffle("__shfl_up_sync", mask, value, static_cast<int>(emulator::current->lane) - static_cast<int>(lanes), place);
}
template <class T>
inline T __shfl_sync(unsigned mask, T value, int lane, EMULATOR_HERE) {
    return emulator::shuffle("__shfl_sync", mask, value, lane & 31, place);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EMULATOR_HERE) {
    struct Vote {
        int predicate;
        unsigned votes;
    } mine{predicate, 0};
    emulator::warp_operation("__ballot_sync", mask, &mine, place, [mask](void** lanes) {
        unsigned votes = 0;
        for (int i = 0; i < 32; i++)
            if (mask >> i & 1) votes |= static_cast<unsigned>(static_cast<Vote*>(lanes[i])->predicate != 0) << i;
        for (int i = 0; i < 32; i++)
            if (mask >> i & 1) static_cast<Vote*>(lanes[i])->votes = votes;
    });
    return mine.votes;
}
inline u32 match_any(u32 mask, int value, EMULATOR_HERE) {
    struct Match {
        int value;
        u32 same;
    } mine{value, 0};
    emulator::warp_operation("match_any", mask, &mine, place, [mask](void** lanes) {
        for (int i = 0; i < 32; i++)
            for (int j = 0; j < 32; j++)
                if (mask >> i & mask >> j & 1 && static_cast<Match*>(lanes[i])->value == static_cast<Match*>(lanes[j])->value) static_cast<Match*>(lanes[i])->same |= 1u << j;
    });
    return mine.same;
}
inline int __any_sync(unsigned mask, int predicate, EMULATOR_HERE) { return __ballot_sync(mask, predicate, place) != 0; }

// ---- atomics --------------------------------------------------------------------------------------------------------------

template <class T>
inline T atomic_add(T* address, T value) {
    T seen = *const_cast<volatile T*>(address), wanted;
    do {
        wanted = seen + value;
    } while (!__atomic_compare_exchange(address, &seen, &wanted, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return seen;
}
// On shared memory: fibers of a block take turns, so the operation itself needs no lock.
template <class T>
inline T atomic_add(shared<T> address, T value) {
    auto* at = reinterpret_cast<T*>(address.checked(sizeof(T)));
    emulator::current->block->shadow->write(address.offset(), sizeof(T), address.name(), true);
    T before = *at;
    *at = before + value;
    return before;
}

// ---- numbers --------------------------------------------------------------------------------------------------------------

inline u32 float_bits(float f) { return __builtin_bit_cast(u32, f); }
inline float bits_float(u32 u) { return __builtin_bit_cast(float, u); }
inline int count_bits(u32 v) { return __builtin_popcount(v); }
inline int first_bit(u32 v) { return __builtin_ctz(v); }

namespace emulator {
// An approximate instruction is allowed a few units in the last place: it gets them, either way, by a hash of its input.
inline float blur(float exact, float input, int ulps) {
    if (!std::isfinite(exact) || exact == 0) return exact;
    u32 hash = __builtin_bit_cast(u32, input) * 2654435761u >> 16;
    return __builtin_bit_cast(float, __builtin_bit_cast(u32, exact) + static_cast<u32>(static_cast<int>(hash % static_cast<u32>(2 * ulps + 1)) - ulps));
}
inline float flush(float x) { return std::fabs(x) < 1.17549435e-38f ? std::copysign(0.0f, x) : x; }
}  // namespace emulator

inline float exp2_approx(float x) { return emulator::flush(emulator::blur(exp2f(emulator::flush(x)), x, 2)); }
inline float log2_approx(float x) {
    float exact = log2f(emulator::flush(x));
    if (x > 0.5f && x < 2.0f) return exact + ((__builtin_bit_cast(u32, x) * 2654435761u >> 31) ? 1 : -1) * 1.4e-7f;   // absolute error 2^-22.6 near 1
    return emulator::blur(exact, x, 2);
}
inline float reciprocal_approx(float x) { return emulator::blur(1.0f / emulator::flush(x), x, 1); }
inline float rsqrt_approx(float x) { return emulator::blur(1.0f / std::sqrt(emulator::flush(x)), x, 2); }
inline float sqrt_rn(float x) { return std::sqrt(x); }
inline u16 round_bf16(float f) {
    u32 u = float_bits(f);
    if ((u & 0x7fffffff) > 0x7f800000) return 0x7fff;
    return static_cast<u16>((u + 0x7fff + (u >> 16 & 1)) >> 16);
}
inline u32 pack_bf16(float low, float high) { return round_bf16(low) | static_cast<u32>(round_bf16(high)) << 16; }

// ---- tensor cores and asynchronous copies -----------------------------------------------------------------------------------

#include "tensor_core.hpp"
#include "hopper.hpp"

// ---- registration ------------------------------------------------------------------------------------------------------------

namespace emulator {
template <class T>
struct TypeName;
#define EMULATOR_TYPE_NAME(type, text)                         \
    template <>                                                \
    struct TypeName<type> {                                    \
        static std::string get() { return text; }              \
    };
EMULATOR_TYPE_NAME(float, "f32")
EMULATOR_TYPE_NAME(double, "f64")
EMULATOR_TYPE_NAME(int, "i32")
EMULATOR_TYPE_NAME(u32, "u32")
EMULATOR_TYPE_NAME(i64, "i64")
EMULATOR_TYPE_NAME(u64, "u64")
EMULATOR_TYPE_NAME(u16, "u16")
EMULATOR_TYPE_NAME(u8, "u8")
EMULATOR_TYPE_NAME(bf16, "bf16")
EMULATOR_TYPE_NAME(TensorMap, "tensor_map")
#undef EMULATOR_TYPE_NAME
template <class T>
struct TypeName<T*> {
    static std::string get() { return TypeName<T>::get() + "*"; }
};
template <class T>
struct TypeName<const T> {
    static std::string get() { return "const " + TypeName<T>::get(); }
};

template <class... A, size_t... I>
inline void call(void (*function)(A...), void** arguments, std::index_sequence<I...>) {
    function(*static_cast<std::remove_reference_t<A>*>(arguments[I])...);
}
template <class... A>
bool add_kernel(const char* name, unsigned threads, void (*function)(A...)) {
    Kernel kernel;
    kernel.name = name;
    kernel.threads = threads;
    kernel.function = reinterpret_cast<void*>(function);
    kernel.invoke = [](void* f, void** arguments) { call(reinterpret_cast<void (*)(A...)>(f), arguments, std::index_sequence_for<A...>{}); };
    ((kernel.signature += (kernel.signature.empty() ? "" : ",") + TypeName<A>::get()), ...);
    kernels().push_back(kernel);
    return true;
}
}  // namespace emulator

// TERN_KERNEL(threads, name)(parameters) { ... } TERN_EMULATE(name)
#define TERN_KERNEL(threads, name)                  \
    static constexpr unsigned name##_threads = threads; \
    extern "C" void name
#define TERN_EMULATE(name) static const bool name##_added = ::emulator::add_kernel(#name, name##_threads, name);
