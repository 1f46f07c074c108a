#include "tern_cpu.h"
#include "transpose16.h"

#include <string.h>

// Where the bytes of a row begin, behind its scale.
#define ROW_HEADER 64

static inline __mmask16 low_lanes(int count) { return count >= 16 ? 0xFFFF : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }

static inline __m512 load(const uint8_t* from, int element_size, int count) {
    __mmask16 mask = low_lanes(count);
    if (element_size == 2) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
    }

    return _mm512_maskz_loadu_ps(mask, from);
}

// The largest magnitude over 127, so that it becomes 127; of zeros 0.
static inline float scale_of(const uint8_t* row, int element_size, int depth) {
    __m512 largest = _mm512_setzero_ps();
    for (int k = 0; k < depth; k += 16) {
        largest = _mm512_max_ps(largest, _mm512_abs_ps(load(row + k * element_size, element_size, depth - k)));
    }

    return _mm512_reduce_max_ps(largest) / 127;
}

static inline __m128i quantize(const uint8_t* from, int element_size, int count, __m512 inverse) {
    return _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(load(from, element_size, count), inverse)));
}

// 64 neighbours of a row; zero beyond count.
static inline __m512i quantize64(const uint8_t* from, int element_size, int count, __m512 inverse) {
    __m512i bytes = _mm512_castsi128_si512(quantize(from, element_size, count, inverse));
    bytes = _mm512_inserti32x4(bytes, quantize(from + 16 * element_size, element_size, count - 16, inverse), 1);
    bytes = _mm512_inserti32x4(bytes, quantize(from + 32 * element_size, element_size, count - 32, inverse), 2);
    return _mm512_inserti32x4(bytes, quantize(from + 48 * element_size, element_size, count - 48, inverse), 3);
}

void tern_int8_pack_rows(const float* source, intptr_t pitch, int32_t rows, int32_t depth, uint8_t* destination, intptr_t destination_pitch) {
    __m512i offset = _mm512_set1_epi8((char)128);
    for (int32_t r = 0; r < rows; r++) {
        const uint8_t* from = (const uint8_t*)(source + r * pitch);
        uint8_t* to = destination + r * destination_pitch;
        float scale = scale_of(from, 4, depth);
        memcpy(to, &scale, 4);
        __m512 inverse = _mm512_set1_ps(scale > 0 ? 1 / scale : 0);
        for (int32_t k = 0; k < depth; k += 64) {
            _mm512_storeu_si512(to + ROW_HEADER + k, _mm512_add_epi8(quantize64(from + 4 * k, 4, depth - k, inverse), offset));
        }
    }
}

void tern_int8_pack_panel(const void* source, int32_t element_size, intptr_t pitch, int32_t columns, int32_t depth, uint8_t* destination) {
    const uint8_t* from = source;
    pitch *= element_size;
    int32_t units = (depth + 3) / 4;
    float* scales = (float*)(destination + (intptr_t)128 * units);
    int32_t* corrections = (int32_t*)(scales + TERN_TILE_COLUMNS);
    for (int32_t c = 0; c < TERN_TILE_COLUMNS; c += 16) {
        __m512 inverses[16];
        for (int32_t r = 0; r < 16; r++) {
            int32_t column = c + r < columns ? c + r : columns - 1;
            float scale = scale_of(from + column * pitch, element_size, depth);
            scales[c + r] = scale;
            inverses[r] = _mm512_set1_ps(scale > 0 ? 1 / scale : 0);
        }

        __m512i sums = _mm512_setzero_si512();
        __m512i ones = _mm512_set1_epi8(1);
        for (int32_t k = 0; k < depth; k += 64) {
            __m512i block[16];
            for (int32_t r = 0; r < 16; r++) {
                int32_t column = c + r < columns ? c + r : columns - 1;
                block[r] = quantize64(from + column * pitch + (intptr_t)k * element_size, element_size, depth - k, inverses[r]);
            }

            tern_transpose16(block);
            for (int32_t u = 0; u < 16 && k / 4 + u < units; u++) {
                _mm512_storeu_si512(destination + (intptr_t)128 * (k / 4 + u) + 4 * c, block[u]);
                sums = _mm512_dpbusd_epi32(sums, ones, block[u]);
            }
        }

        _mm512_storeu_si512(corrections + c, _mm512_slli_epi32(sums, 7));
    }
}

// The integer sums of one tile; inlined with a constant number of rows, so that they are registers.
static inline __attribute__((always_inline)) void add_up(int rows, const uint8_t* upper, intptr_t row_step, intptr_t units, const uint8_t* panel, int32_t* sums, const float* destination, intptr_t pitch) {
    __m512i sum[TERN_TILE_ROWS][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        sum[r][0] = _mm512_setzero_si512();
        sum[r][1] = _mm512_setzero_si512();
    }

    // The destination is asked for row by row, to be there when the sums are.
    intptr_t ahead = rows;
    const uint8_t* lower = upper + 7 * row_step;
    for (; units > 0; units--) {
        __builtin_prefetch(destination, 1);
        __builtin_prefetch(destination + 16, 1);
        destination += --ahead > 0 ? pitch : 0;
        __m512i low = _mm512_loadu_si512(panel);
        __m512i high = _mm512_loadu_si512(panel + 64);
#pragma GCC unroll 14
        for (int r = 0; r < rows; r++) {
            int32_t unit;
            memcpy(&unit, r < 7 ? upper + r * row_step : lower + (r - 7) * row_step, 4);
            __m512i x = _mm512_set1_epi32(unit);
            sum[r][0] = _mm512_dpbusd_epi32(sum[r][0], x, low);
            sum[r][1] = _mm512_dpbusd_epi32(sum[r][1], x, high);
        }

        upper += 4;
        lower += 4;
        panel += 128;
    }

#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_store_si512(sums + r * TERN_TILE_COLUMNS, sum[r][0]);
        _mm512_store_si512(sums + r * TERN_TILE_COLUMNS + 16, sum[r][1]);
    }
}

// destination = start + (sum - correction) * row's scale * column's scale. Apart from add_up, whose registers it would take.
static __attribute__((noinline)) void dequantize(int rows, const int32_t* sums, const uint8_t* left, intptr_t row_step, const uint8_t* scales, const float* start, intptr_t start_pitch, float* destination, intptr_t pitch) {
    for (int r = 0; r < rows; r++) {
        float scale;
        memcpy(&scale, left + r * row_step, 4);
        for (int c = 0; c < TERN_TILE_COLUMNS; c += 16) {
            __m512i sum = _mm512_sub_epi32(_mm512_load_si512(sums + r * TERN_TILE_COLUMNS + c), _mm512_loadu_si512(scales + 128 + 4 * c));
            __m512 factor = _mm512_mul_ps(_mm512_set1_ps(scale), _mm512_loadu_ps(scales + 4 * c));
            __m512 from = start ? _mm512_loadu_ps(start + r * start_pitch + c) : _mm512_setzero_ps();
            _mm512_storeu_ps(destination + r * pitch + c, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), factor, from));
        }
    }
}

void tern_int8_multiply(const uint8_t* left, intptr_t row_step, int32_t rows, int32_t depth, const uint8_t* panel, const float* start, intptr_t start_pitch, float* destination, intptr_t pitch) {
    intptr_t units = (depth + 3) / 4;
    int32_t sums[TERN_TILE_ROWS * TERN_TILE_COLUMNS] __attribute__((aligned(64)));
    for (int32_t row = 0; row < rows; row += TERN_TILE_ROWS) {
        int32_t count = rows - row < TERN_TILE_ROWS ? rows - row : TERN_TILE_ROWS;
#define ROWS(n)                                                                  \
    case n:                                                                      \
        add_up(n, left + ROW_HEADER, row_step, units, panel, sums, destination, pitch); \
        break
        switch (count) {
            ROWS(1); ROWS(2); ROWS(3); ROWS(4); ROWS(5); ROWS(6); ROWS(7);
            ROWS(8); ROWS(9); ROWS(10); ROWS(11); ROWS(12); ROWS(13); ROWS(14);
        }
#undef ROWS
        dequantize(count, sums, left, row_step, panel + 128 * units, start, start_pitch, destination, pitch);
        left += TERN_TILE_ROWS * row_step;
        start = start ? start + TERN_TILE_ROWS * start_pitch : start;
        destination += TERN_TILE_ROWS * pitch;
    }
}

int64_t tern_int8_peak(int64_t rounds) {
    __m512i sum[16];
    for (int i = 0; i < 16; i++) {
        sum[i] = _mm512_set1_epi32(i);
    }

    __m512i x = _mm512_set1_epi8(1), y = _mm512_set1_epi8(2);
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            sum[i] = _mm512_dpbusd_epi32(sum[i], x, y);
        }

        __asm__ volatile("" : "+v"(x), "+v"(y));
    }

    for (int i = 1; i < 16; i++) {
        sum[0] = _mm512_add_epi32(sum[0], sum[i]);
    }

    volatile int sink = _mm512_reduce_add_epi32(sum[0]);
    (void)sink;
    return rounds * 16 * 64;
}
