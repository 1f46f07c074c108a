#include "tern_cpu.h"
#include "transpose16.h"

#include <string.h>

static inline __mmask16 low_lanes(int count) { return count >= 16 ? 0xFFFF : (__mmask16)((1u << count) - 1); }

// Two vectors of floats as one of 32 bfloat16, in order.
static inline __m512i round2(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

// Unit j is (low[j], high[j]).
static inline __m512i interleave(__m512 low, __m512 high) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, round2(low, high));
}

// Sixteen units (32 elements) of a row that runs along the inner dimension; beyond count they are zero.
static inline __m512i load_units(const uint8_t* row, int element_size, int count) {
    if (element_size == 2) {
        __mmask32 mask = count >= 32 ? 0xFFFFFFFFu : (1u << count) - 1;
        return _mm512_maskz_loadu_epi16(mask, row);
    }

    const float* floats = (const float*)row;
    __m512 high = count > 16 ? _mm512_maskz_loadu_ps(low_lanes(count - 16), floats + 16) : _mm512_setzero_ps();
    return round2(_mm512_maskz_loadu_ps(low_lanes(count), floats), high);
}

// Sixteen elements of a row that runs along the columns, widened.
static inline __m512 load_columns(const uint8_t* row, int element_size, __mmask16 mask) {
    if (element_size == 2) {
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row)), 16));
    }

    return _mm512_maskz_loadu_ps(mask, row);
}

void tern_bf16_pack_rows(const float* source, intptr_t pitch, int32_t rows, int32_t depth, uint8_t* destination, intptr_t destination_pitch) {
    for (int32_t r = 0; r < rows; r++) {
        const float* from = source + r * pitch;
        uint8_t* to = destination + r * destination_pitch;
        int32_t k = 0;
        for (; k + 32 <= depth; k += 32) {
            _mm512_storeu_si512(to + 2 * k, round2(_mm512_loadu_ps(from + k), _mm512_loadu_ps(from + k + 16)));
        }

        if (k < depth) {
            __mmask16 units = low_lanes((depth - k + 1) / 2);
            _mm512_mask_storeu_epi32(to + 2 * k, units, load_units((const uint8_t*)(from + k), 4, depth - k));
        }
    }
}

void tern_bf16_pack_columns(const float* source, intptr_t pitch, int32_t columns, int32_t depth, uint8_t* destination, intptr_t panel_pitch) {
    intptr_t pairs = depth / 2;
    for (int32_t c = 0; c < columns; c += TERN_TILE_ROWS, destination += panel_pitch) {
        __mmask16 mask = low_lanes(columns - c);
        const float* from = source + c;
        intptr_t unit = 0;
        for (; unit < pairs; unit++, from += 2 * pitch) {
            _mm512_storeu_si512(destination + 64 * unit, interleave(_mm512_maskz_loadu_ps(mask, from), _mm512_maskz_loadu_ps(mask, from + pitch)));
        }

        if (depth & 1) {
            _mm512_storeu_si512(destination + 64 * unit, interleave(_mm512_maskz_loadu_ps(mask, from), _mm512_setzero_ps()));
        }
    }
}

void tern_bf16_pack_panel(const void* source, int32_t element_size, intptr_t pitch, int32_t transposed, int32_t columns, int32_t depth, uint8_t* destination) {
    const uint8_t* from = source;
    pitch *= element_size;
    if (!transposed) {
        for (int32_t k = 0; k < depth; k += 2) {
            const uint8_t* row = from + k * pitch;
            for (int32_t c = 0; c < TERN_TILE_COLUMNS; c += 16) {
                __mmask16 mask = columns > c ? low_lanes(columns - c) : 0;
                __m512 second = k + 1 < depth ? load_columns(row + pitch + c * element_size, element_size, mask) : _mm512_setzero_ps();
                _mm512_storeu_si512(destination + 64 * k + 4 * c, interleave(load_columns(row + c * element_size, element_size, mask), second));
            }
        }

        return;
    }

    for (int32_t k = 0; k < depth; k += 32) {
        int32_t units = (depth - k + 1) / 2;
        for (int32_t c = 0; c < TERN_TILE_COLUMNS; c += 16) {
            __m512i block[16];
            for (int32_t r = 0; r < 16; r++) {
                int32_t column = c + r < columns ? c + r : columns - 1;
                block[r] = load_units(from + column * pitch + k * element_size, element_size, depth - k);
            }

            tern_transpose16(block);
            for (int32_t u = 0; u < 16 && u < units; u++) {
                _mm512_storeu_si512(destination + 64 * (k + 2 * u) + 4 * c, block[u]);
            }
        }
    }
}

// The next requests of what is wanted ahead: the first one's address, the bytes from one to the next, and how many.
static inline intptr_t take(tern_prefetch_queue* queue, intptr_t most, const uint8_t** line, intptr_t* step) {
    tern_prefetch_region* region = queue->panel.strips > 0 ? &queue->panel : &queue->block;
    if (region->strips == 0) {
        return 0;
    }

    intptr_t count = region->rows - region->row;
    count = count < most ? count : most;
    count = count < queue->tile_share ? count : queue->tile_share;
    *line = region->strip + region->row * region->pitch;
    *step = region->pitch;
    region->row += count;
    if (region->row == region->rows) {
        region->row = 0;
        region->strip += 128;
        region->strips--;
    }

    return count;
}

// One tile; inlined with a constant number of rows, so that the sums are registers.
static inline __attribute__((always_inline)) void tile(int rows, const uint8_t* left, intptr_t row_step, intptr_t depth_step, intptr_t units, const uint8_t* panel, const float* start, intptr_t start_pitch, float* destination, intptr_t pitch, const float* after, tern_prefetch_queue* ahead) {
    __m512 sum[TERN_TILE_ROWS][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        sum[r][0] = start ? _mm512_loadu_ps(start + r * start_pitch) : _mm512_setzero_ps();
        sum[r][1] = start ? _mm512_loadu_ps(start + r * start_pitch + 16) : _mm512_setzero_ps();
    }

    // The rows of the destination that comes next are asked for one by one, so that the requests do not queue; then what
    // will be packed. The requests that follow repeat the last one, which costs nothing.
    const uint8_t *line = (const uint8_t*)after, *ahead_line = line;
    intptr_t line_step = 4 * pitch, ahead_step = 0;
    intptr_t part = rows < units ? rows : units;
    intptr_t ahead_count = ahead ? take(ahead, units - part, &ahead_line, &ahead_step) : 0;
    const uint8_t* lower = left + 7 * row_step;
    while (part > 0) {
        units -= part;
        for (; part > 0; part--) {
            __builtin_prefetch(line, 0);
            __builtin_prefetch(line + 64, 0);
            line += line_step;
            __m512bh low = (__m512bh)_mm512_loadu_si512(panel);
            __m512bh high = (__m512bh)_mm512_loadu_si512(panel + 64);
#pragma GCC unroll 14
            for (int r = 0; r < rows; r++) {
                int32_t unit;
                memcpy(&unit, r < 7 ? left + r * row_step : lower + (r - 7) * row_step, 4);
                __m512bh x = (__m512bh)_mm512_set1_epi32(unit);
                sum[r][0] = _mm512_dpbf16_ps(sum[r][0], x, low);
                sum[r][1] = _mm512_dpbf16_ps(sum[r][1], x, high);
            }

            left += depth_step;
            lower += depth_step;
            panel += 128;
        }

        part = ahead_count > 0 ? ahead_count : units;
        line_step = ahead_count > 0 ? ahead_step : 0;
        line = ahead_count > 0 ? ahead_line : line;
        ahead_count = 0;
    }

#pragma GCC unroll 14
    for (int r = 0; r < rows; r++) {
        _mm512_storeu_ps(destination + r * pitch, sum[r][0]);
        _mm512_storeu_ps(destination + r * pitch + 16, sum[r][1]);
    }
}

void tern_bf16_multiply(const uint8_t* left, intptr_t row_step, intptr_t depth_step, int32_t rows, int32_t depth, const uint8_t* panel, const float* start, intptr_t start_pitch, float* destination, intptr_t pitch, const float* after, tern_prefetch_queue* ahead) {
    intptr_t units = (depth + 1) / 2;
    for (; rows >= TERN_TILE_ROWS; rows -= TERN_TILE_ROWS) {
        tile(TERN_TILE_ROWS, left, row_step, depth_step, units, panel, start, start_pitch, destination, pitch, rows > TERN_TILE_ROWS ? destination + TERN_TILE_ROWS * pitch : after, ahead);
        left += TERN_TILE_ROWS * row_step;
        start = start ? start + TERN_TILE_ROWS * start_pitch : start;
        destination += TERN_TILE_ROWS * pitch;
    }

#define EDGE(n)                                                                                            \
    case n:                                                                                                \
        tile(n, left, row_step, depth_step, units, panel, start, start_pitch, destination, pitch, after, ahead);  \
        break
    switch (rows) {
        EDGE(1); EDGE(2); EDGE(3); EDGE(4); EDGE(5); EDGE(6); EDGE(7);
        EDGE(8); EDGE(9); EDGE(10); EDGE(11); EDGE(12); EDGE(13);
    }
#undef EDGE
}

int64_t tern_bf16_peak(int64_t rounds) {
    __m512 sum[16];
    for (int i = 0; i < 16; i++) {
        sum[i] = _mm512_set1_ps((float)i);
    }

    __m512bh x = (__m512bh)_mm512_set1_epi32(0x3C003C00), y = (__m512bh)_mm512_set1_epi32(0x3F003F00);
    for (int64_t round = 0; round < rounds; round++) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            sum[i] = _mm512_dpbf16_ps(sum[i], x, y);
        }

        __asm__ volatile("" : "+v"(x), "+v"(y));
    }

    for (int i = 1; i < 16; i++) {
        sum[0] = _mm512_add_ps(sum[0], sum[i]);
    }

    volatile float sink = _mm512_reduce_add_ps(sum[0]);
    (void)sink;
    return rounds * 16 * 32;
}
