#include "emulator.h"

#include <cstring>

#include "device.hpp"

#define EXPORT extern "C" __attribute__((visibility("default")))

static emulator::Options options;

EXPORT void tern_emulator_configure(unsigned seed, unsigned workers, int check_races) { options = {seed, workers, check_races != 0}; }

EXPORT int tern_emulator_kernel_count(void) { return static_cast<int>(emulator::kernels().size()); }

EXPORT const char* tern_emulator_kernel_name(int index) { return emulator::kernels()[static_cast<size_t>(index)].name; }

EXPORT const char* tern_emulator_kernel_signature(int index) { return emulator::kernels()[static_cast<size_t>(index)].signature.c_str(); }

EXPORT unsigned tern_emulator_kernel_threads(int index) { return emulator::kernels()[static_cast<size_t>(index)].threads; }

EXPORT int tern_emulator_find(const char* name) {
    const auto& all = emulator::kernels();
    for (size_t i = 0; i < all.size(); i++)
        if (!std::strcmp(all[i].name, name)) return static_cast<int>(i);
    return -1;
}

EXPORT int tern_emulator_launch(int index, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes, void** arguments) {
    return emulator::run(emulator::kernels()[static_cast<size_t>(index)], dim3(grid_x, grid_y, grid_z), dim3(block_x, block_y, block_z), shared_bytes, arguments, options);
}

EXPORT const char* tern_emulator_error(void) { return emulator::last_error().c_str(); }

EXPORT void tern_emulator_tensor_map(void* map, const void* matrix, unsigned long long rows, unsigned long long columns, unsigned long long pitch, unsigned box_rows) {
    emulator::Boxes boxes = {static_cast<const unsigned char*>(matrix), rows, columns, pitch, box_rows, 64};
    std::memset(map, 0, sizeof(TensorMap));
    std::memcpy(map, &boxes, sizeof boxes);
}
