// A 16 x 16 transposition of 32-bit units in registers.
#pragma once

#include <immintrin.h>

static inline void tern_transpose16(__m512i* r) {
    __m512i t[16];
    for (int i = 0; i < 16; i += 4) {
        __m512i ab_low = _mm512_unpacklo_epi32(r[i], r[i + 1]), ab_high = _mm512_unpackhi_epi32(r[i], r[i + 1]);
        __m512i cd_low = _mm512_unpacklo_epi32(r[i + 2], r[i + 3]), cd_high = _mm512_unpackhi_epi32(r[i + 2], r[i + 3]);
        t[i] = _mm512_unpacklo_epi64(ab_low, cd_low);
        t[i + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        t[i + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        t[i + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }

    // Lane l of t[4 q + j] holds column 4 l + j of rows 4 q to 4 q + 3.
    for (int j = 0; j < 4; j++) {
        __m512i ab_even = _mm512_shuffle_i32x4(t[j], t[4 + j], 0x88), ab_odd = _mm512_shuffle_i32x4(t[j], t[4 + j], 0xDD);
        __m512i cd_even = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0x88), cd_odd = _mm512_shuffle_i32x4(t[8 + j], t[12 + j], 0xDD);
        r[j] = _mm512_shuffle_i32x4(ab_even, cd_even, 0x88);
        r[4 + j] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0x88);
        r[8 + j] = _mm512_shuffle_i32x4(ab_even, cd_even, 0xDD);
        r[12 + j] = _mm512_shuffle_i32x4(ab_odd, cd_odd, 0xDD);
    }
}
