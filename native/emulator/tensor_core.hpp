// mma.sync, ldmatrix and cp.async on the CPU, from the fragment layouts of the PTX manual. Included by device.hpp.
#pragma once

namespace emulator {

inline float low_half(u32 v) { return bits_float(v << 16); }
inline float high_half(u32 v) { return bits_float(v & 0xffff0000u); }

template <bool transposed>
inline void load_matrix(const char* name, u32* fragments, shared<bf16> row, Place place) {
    struct Lane {
        u32* fragments;
        const u16* row;
        shared<bf16> pointer;
    };
    Lane mine{fragments, nullptr, row};
    Thread* me = current;
    me->place = place;
    unsigned char* at = row.checked(16);
    if (reinterpret_cast<uintptr_t>(at) % 16) fail("%s: the row of shared '%s' is not aligned to 16 bytes", name, row.name());
    mine.row = reinterpret_cast<const u16*>(at);
    warp_operation(name, ~0u, &mine, place, [](void** lanes) {
        for (int i = 0; i < 32; i++) {
            auto* lane = static_cast<Lane*>(lanes[i]);
            current->block->shadow->read(lane->pointer.offset(), 16, lane->pointer.name());
        }
        for (int i = 0; i < 32; i++)
            for (int m = 0; m < 4; m++) {
                int group = i / 4, pair = i % 4 * 2;
                auto row_of = [&](int r) { return static_cast<Lane*>(lanes[8 * m + r])->row; };
                u16 first = transposed ? row_of(pair)[group] : row_of(group)[pair];
                u16 second = transposed ? row_of(pair + 1)[group] : row_of(group)[pair + 1];
                static_cast<Lane*>(lanes[i])->fragments[m] = first | static_cast<u32>(second) << 16;
            }
    });
}

}  // namespace emulator

inline void ldmatrix_x4(u32 (&fragments)[4], shared<bf16> row, EMULATOR_HERE) { emulator::load_matrix<false>("ldmatrix.x4", fragments, row, place); }
inline void ldmatrix_x4_trans(u32 (&fragments)[4], shared<bf16> row, EMULATOR_HERE) { emulator::load_matrix<true>("ldmatrix.x4.trans", fragments, row, place); }

// d[16, 8] += a[16, 16] · b[16, 8]; a row-major, b column-major, bf16; d float.
inline void mma_16816(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1, EMULATOR_HERE) {
    struct Lane {
        float* d;
        const u32* a;
        u32 b0, b1;
    } mine{d, a, b0, b1};
    emulator::warp_operation("mma.sync.m16n8k16", ~0u, &mine, place, [](void** lanes) {
        using emulator::high_half;
        using emulator::low_half;
        alignas(64) float left[16][16], right[16][8], sum[16][8] = {};
        for (int i = 0; i < 32; i++) {
            auto* lane = static_cast<Lane*>(lanes[i]);
            int group = i / 4, pair = i % 4 * 2;
            for (int r = 0; r < 4; r++) {
                int row = group + (r & 1) * 8, k = pair + (r >> 1) * 8;
                left[row][k] = low_half(lane->a[r]);
                left[row][k + 1] = high_half(lane->a[r]);
            }
            right[pair][group] = low_half(lane->b0);
            right[pair + 1][group] = high_half(lane->b0);
            right[pair + 8][group] = low_half(lane->b1);
            right[pair + 9][group] = high_half(lane->b1);
        }
        for (int i = 0; i < 16; i++)
            for (int k = 0; k < 16; k++)
                for (int j = 0; j < 8; j++) sum[i][j] += left[i][k] * right[k][j];
        for (int i = 0; i < 32; i++) {
            auto* lane = static_cast<Lane*>(lanes[i]);
            int group = i / 4, pair = i % 4 * 2;
            lane->d[0] += sum[group][pair];
            lane->d[1] += sum[group][pair + 1];
            lane->d[2] += sum[group + 8][pair];
            lane->d[3] += sum[group + 8][pair + 1];
        }
    });
}

// 16 bytes from global to shared memory, as late as the program allows: the data is there once the thread has waited for
// the group. Bytes past source_bytes are zero.
template <class T>
inline void copy_async_16(shared<T> destination, const T* source, int source_bytes, EMULATOR_HERE) {
    emulator::Thread* me = emulator::current;
    me->place = place;
    unsigned char* to = destination.checked(16);
    if (reinterpret_cast<uintptr_t>(to) % 16 || reinterpret_cast<uintptr_t>(source) % 16) emulator::fail("cp.async to shared '%s': an address is not aligned to 16 bytes", destination.name());
    if (source_bytes < 0 || source_bytes > 16) emulator::fail("cp.async of %d bytes", source_bytes);
    me->block->shadow->issued(destination.offset(), 16, destination.name());
    std::memset(to, 0xFF, 16);
    me->copies.push_back({to, reinterpret_cast<const unsigned char*>(source), source_bytes, 16, me->committed_copies});
}
inline void copy_async_commit() { emulator::commit_copies(); }
template <int left_in_flight>
inline void copy_async_wait() {
    emulator::finish_copies(left_in_flight);
}
