// Products in bfloat16 and int8 for processors that have instructions for them, beside the managed Float32 ones. The
// loops around, threads and memory are the caller's (src/Tern.Compute/Cpu/NativeKernels.cs states the same functions).
// Every function but tern_cpu_features needs the processor to have the features that its name asks for.
#pragma once

#include <stdint.h>

#if defined(_WIN32)
#define TERN_EXPORT __declspec(dllexport)
#else
#define TERN_EXPORT __attribute__((visibility("default")))
#endif

// Rows of a register tile and columns of a panel, the same for both types.
#define TERN_TILE_ROWS 14
#define TERN_TILE_COLUMNS 32

// What tern_cpu_features answers.
#define TERN_HAS_BF16 1 // AVX512_BF16 with AVX512F, BW, VL and DQ
#define TERN_HAS_INT8 2 // AVX512_VNNI with the same

TERN_EXPORT int32_t tern_cpu_features(void);

// ---- bfloat16: operands are rounded to nearest even, products of pairs are added up in Float32 ------------------------
// A unit is two neighbours in the inner dimension; depth counts elements, and an odd last one is paired with zero.

// Rows of a Float32 matrix: destination row r begins at r * destination_pitch bytes.
TERN_EXPORT void tern_bf16_pack_rows(const float* source, intptr_t pitch, int32_t rows, int32_t depth, uint8_t* destination, intptr_t destination_pitch);

// Columns of a Float32 matrix [depth, columns], in panels of TERN_TILE_ROWS columns, sixteen units for each pair of rows;
// a panel begins panel_pitch bytes after the one before.
TERN_EXPORT void tern_bf16_pack_columns(const float* source, intptr_t pitch, int32_t columns, int32_t depth, uint8_t* destination, intptr_t panel_pitch);

// Up to TERN_TILE_COLUMNS columns of op(right), right [columns, depth] if transposed, else [depth, columns], as one panel.
// Elements are 4 bytes (Float32) or 2 (bfloat16); pitch counts elements. Missing columns repeat the last one.
TERN_EXPORT void tern_bf16_pack_panel(const void* source, int32_t element_size, intptr_t pitch, int32_t transposed, int32_t columns, int32_t depth, uint8_t* destination);

// What will be packed soon (src/Tern.Compute/Cpu/PrefetchQueue.cs): rows at a pitch in bytes, asked for in strips of 128 bytes.
typedef struct {
    const uint8_t* strip;
    intptr_t pitch, row, rows, strips;
} tern_prefetch_region;

typedef struct {
    tern_prefetch_region panel, block;
    intptr_t tile_share;
} tern_prefetch_queue;

// destination = start + left * panel, for any number of rows; row_step and depth_step count bytes between units of left.
// after is the destination of the call that follows: it is on its way to the cache meanwhile, and so is part of ahead, unless that is null.
TERN_EXPORT void tern_bf16_multiply(const uint8_t* left, intptr_t row_step, intptr_t depth_step, int32_t rows, int32_t depth, const uint8_t* panel, const float* start, intptr_t start_pitch, float* destination, intptr_t pitch, const float* after, tern_prefetch_queue* ahead);

// ---- int8: one scale for each row of the left operand and each column of the right one, exact integer sums ------------

// Rows of a Float32 matrix: 64 bytes with the row's scale, then depth unsigned bytes (128 is zero), padded with 128.
TERN_EXPORT void tern_int8_pack_rows(const float* source, intptr_t pitch, int32_t rows, int32_t depth, uint8_t* destination, intptr_t destination_pitch);

// Up to TERN_TILE_COLUMNS rows of right [columns, depth] as one panel, then their scales and 128 times their sums.
TERN_EXPORT void tern_int8_pack_panel(const void* source, int32_t element_size, intptr_t pitch, int32_t columns, int32_t depth, uint8_t* destination);

// As tern_bf16_multiply; row_step counts bytes between rows.
TERN_EXPORT void tern_int8_multiply(const uint8_t* left, intptr_t row_step, int32_t rows, int32_t depth, const uint8_t* panel, const float* start, intptr_t start_pitch, float* destination, intptr_t pitch);

// ---- for benchmarks: rounds of independent multiply-adds that never leave the registers -------------------------------

// Multiply-adds done in all.
TERN_EXPORT int64_t tern_bf16_peak(int64_t rounds);
TERN_EXPORT int64_t tern_int8_peak(int64_t rounds);
