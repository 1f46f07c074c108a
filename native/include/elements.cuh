// Elements as they are stored and as they are computed with: float or bf16 in memory, float in registers.
#pragma once
#include "platform.cuh"

TERN_DEVICE float to_float(float x) { return x; }
TERN_DEVICE float to_float(bf16 x) { return bits_float((u32)x.bits << 16); }

template <class T>
TERN_DEVICE T from_float(float x) {
    if constexpr (sizeof(T) == 4)
        return x;
    else
        return T{round_bf16(x)};
}

struct alignas(16) Words {
    u32 word[4];
};

// 16 bytes of elements as floats: 4 of Float32 or 8 of bf16.
template <class T>
struct Pack {
    static constexpr int count = 16 / (int)sizeof(T);
    float value[count];
};

#if defined(TERN_EMULATED)
#define TERN_CHECK_ALIGNED(pointer) \
    if ((u64)(pointer) % 16) ::emulator::fail("16-byte access to an address that is not aligned to 16 bytes")
#else
#define TERN_CHECK_ALIGNED(pointer)
#endif

TERN_DEVICE Pack<float> load_pack(const float* source) {
    TERN_CHECK_ALIGNED(source);
    Words words = *(const Words*)source;
    Pack<float> pack;
#pragma unroll
    for (int i = 0; i < 4; i++) pack.value[i] = bits_float(words.word[i]);
    return pack;
}
TERN_DEVICE Pack<bf16> load_pack(const bf16* source) {
    TERN_CHECK_ALIGNED(source);
    Words words = *(const Words*)source;
    Pack<bf16> pack;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        pack.value[2 * i] = bits_float(words.word[i] << 16);
        pack.value[2 * i + 1] = bits_float(words.word[i] & 0xffff0000u);
    }
    return pack;
}
// As many floats as a pack of T has.
template <class T>
TERN_DEVICE Pack<T> load_as(const float* source) {
    Pack<T> pack;
#pragma unroll
    for (int i = 0; i < Pack<T>::count; i += 4) {
        Pack<float> part = load_pack(source + i);
#pragma unroll
        for (int k = 0; k < 4; k++) pack.value[i + k] = part.value[k];
    }
    return pack;
}
TERN_DEVICE void store_pack(float* destination, const Pack<float>& pack) {
    TERN_CHECK_ALIGNED(destination);
    Words words;
#pragma unroll
    for (int i = 0; i < 4; i++) words.word[i] = float_bits(pack.value[i]);
    *(Words*)destination = words;
}
TERN_DEVICE void store_pack(bf16* destination, const Pack<bf16>& pack) {
    TERN_CHECK_ALIGNED(destination);
    Words words;
#pragma unroll
    for (int i = 0; i < 4; i++) words.word[i] = pack_bf16(pack.value[2 * i], pack.value[2 * i + 1]);
    *(Words*)destination = words;
}

// As many elements as a pack of W has, as they are stored in a tensor of T: of the same type, or Float32 beside bf16.
template <class W, class T>
TERN_DEVICE Pack<W> load_wide(const T* source) {
    if constexpr (sizeof(W) == sizeof(T))
        return load_pack(source);
    else
        return load_as<W>(source);
}
template <class W, class T>
TERN_DEVICE void store_wide(T* destination, const Pack<W>& pack) {
    if constexpr (sizeof(W) == sizeof(T)) {
        store_pack(destination, pack);
    } else {
#pragma unroll
        for (int i = 0; i < Pack<W>::count; i += Pack<T>::count) {
            Pack<T> part;
#pragma unroll
            for (int k = 0; k < Pack<T>::count; k++) part.value[k] = pack.value[i + k];
            store_pack(destination + i, part);
        }
    }
}

// Four elements that follow each other.
struct Four {
    float value[4];
};
struct alignas(8) TwoWords {
    u32 word[2];
};
TERN_DEVICE Four load_four(const float* source) {
    Pack<float> pack = load_pack(source);
    return {{pack.value[0], pack.value[1], pack.value[2], pack.value[3]}};
}
TERN_DEVICE Four load_four(const bf16* source) {
    TwoWords words = *(const TwoWords*)source;
    return {{bits_float(words.word[0] << 16), bits_float(words.word[0] & 0xffff0000u), bits_float(words.word[1] << 16), bits_float(words.word[1] & 0xffff0000u)}};
}

// Whether all of these addresses, or'ed together, are aligned to 16 bytes: enough where elements do not meet.
TERN_DEVICE bool aligned_16(u64 addresses) { return addresses % 16 == 0; }

// Whether rows of this many elements at these pitches can be read 16 bytes at a time; their addresses are then aligned.
template <class T>
TERN_DEVICE bool in_packs(i64 columns, i64 pitches = 0) {
    return (columns | pitches) % Pack<T>::count == 0;
}

// exp(x) to about 2 units in the last place: x · log2(e) is split, and the power of two of its whole part made exactly,
// in two factors so that neither leaves the range. A NaN stays one.
TERN_DEVICE float exp_float(float x) {
    x = x < -104.0f ? -104.0f : x > 104.0f ? 104.0f : x;
    float whole = rintf(x * 1.44269504088896f);
    float broken = fmaf(x, 1.44269504088896f, -whole);
    broken = fmaf(x, 1.92596299e-8f, broken);
    int power = (int)whole, half = power / 2;
    return exp2_approx(broken) * bits_float((u32)(half + 127) << 23) * bits_float((u32)(power - half + 127) << 23);
}

// 2 · artanh(s) for |s| up to 1/3
TERN_DEVICE float artanh_twice(float s) {
    float z = s * s;
    return 2.0f * s * (1.0f + z * (1.0f / 3 + z * (1.0f / 5 + z * (1.0f / 7 + z * (1.0f / 9 + z * (1.0f / 11 + z * (1.0f / 13)))))));
}

// ln(x); lg2.approx has an absolute error only near 1, so the series takes over there.
TERN_DEVICE float log_float(float x) { return x > 0.5f && x < 2.0f ? artanh_twice((x - 1.0f) / (x + 1.0f)) : log2_approx(x) * 0.69314718055994531f; }

// ln(1 + x) for x >= 0; the series keeps the relative accuracy of small x.
TERN_DEVICE float log1p_float(float x) { return x < 1.0f ? artanh_twice(x / (2.0f + x)) : log2_approx(1.0f + x) * 0.69314718055994531f; }

// 1 / (1 + exp(-x))
TERN_DEVICE float sigmoid(float x) { return 1.0f / (1.0f + exp_float(-x)); }
