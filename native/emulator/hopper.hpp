// mbarrier, TMA and wgmma on the CPU. A copy lands when somebody waits for it and not before; sums of a product hold NaN
// until their wait, and its operands are read then: what is overwritten or read too early shows. Included by device.hpp.
#pragma once

struct alignas(64) TensorMap {
    u64 opaque[16];
};

namespace emulator {

// What the emulator keeps in a TensorMap.
struct Boxes {
    const unsigned char* address;
    u64 rows, columns, pitch;   // in elements
    u32 box_rows, box_columns;
};
static_assert(sizeof(Boxes) <= sizeof(TensorMap));

inline size_t swizzled(size_t offset) { return offset ^ (offset >> 7 & 7) << 4; }

inline MemoryBarrier& memory_barrier(shared<u64> barrier) {
    barrier.checked(8);
    auto found = current->block->memory_barriers.find(barrier.offset());
    if (found == current->block->memory_barriers.end()) fail("mbarrier '%s' was not initialised", barrier.name());
    return found->second;
}

inline void complete_if_all_came(MemoryBarrier& barrier) {
    if (barrier.pending || barrier.bytes) return;
    barrier.phase ^= 1;
    barrier.pending = barrier.arrivals;
    for (Thread& t : current->block->threads)
        if (t.waits) wake(t);
}

inline void land(MemoryBarrier& barrier) {
    Block* block = current->block;
    for (const BoxInFlight& box : barrier.boxes) {
        Boxes map;
        std::memcpy(&map, box.map, sizeof map);
        for (u32 r = 0; r < map.box_rows; r++)
            for (u32 c = 0; c < map.box_columns; c++) {
                u64 row = static_cast<u64>(box.row) + r, column = static_cast<u64>(box.column) + c;
                u16 value = 0;
                if (row < map.rows && column < map.columns) std::memcpy(&value, map.address + 2 * (row * map.pitch + column), 2);
                std::memcpy(block->shared + swizzled(box.offset + r * 128 + c * 2), &value, 2);
            }
        block->shadow->arrived(box.offset, map.box_rows * 128);
        barrier.bytes -= map.box_rows * 128;
    }
    barrier.boxes.clear();
}

}  // namespace emulator

inline void mbarrier_init(shared<u64> barrier, u32 arrivals) {
    barrier.checked(8);
    emulator::current->block->memory_barriers[barrier.offset()] = {arrivals, arrivals, 0, 0, {}};
}
inline void mbarrier_init_fence() {}
inline void mbarrier_arrive(shared<u64> barrier) {
    auto& b = emulator::memory_barrier(barrier);
    if (b.pending == 0) emulator::fail("mbarrier '%s': more arrivals than the %u of a phase", barrier.name(), b.arrivals);
    b.pending--;
    emulator::complete_if_all_came(b);
}
inline void mbarrier_arrive_expect(shared<u64> barrier, u32 bytes) {
    emulator::memory_barrier(barrier).bytes += bytes;
    mbarrier_arrive(barrier);
}
inline void mbarrier_wait(shared<u64> barrier, u32 parity, EMULATOR_HERE) {
    emulator::Thread* me = emulator::current;
    me->place = place;
    auto& b = emulator::memory_barrier(barrier);
    while (b.phase == parity) {
        if (b.pending == 0 && !b.boxes.empty()) {
            emulator::land(b);
            emulator::complete_if_all_came(b);
        } else {
            emulator::sleep_at(barrier.offset());
        }
    }
}

inline void load_box(shared<bf16> destination, const TensorMap* map, shared<u64> barrier, int column, int row, EMULATOR_HERE) {
    emulator::current->place = place;
    emulator::Boxes boxes;
    std::memcpy(&boxes, map, sizeof boxes);
    unsigned char* to = destination.checked(boxes.box_rows * 128);
    if (boxes.box_columns != 64) emulator::fail("box of %u columns: 64 are expected for rows of 128 bytes", boxes.box_columns);
    if (destination.offset() % 1024) emulator::fail("box in shared '%s' at byte %zu, not a multiple of 1024", destination.name(), destination.offset());
    emulator::current->block->shadow->issued_box(destination.offset(), boxes.box_rows * 128, destination.name());
    std::memset(to, 0xFF, boxes.box_rows * 128);
    emulator::memory_barrier(barrier).boxes.push_back({destination.offset(), map, column, row});
}

inline u64 wgmma_descriptor(shared<bf16> tile) {
    tile.checked(128);
    if (tile.offset() % 1024) emulator::fail("tile '%s' of a product at byte %zu, not a multiple of 1024", tile.name(), tile.offset());
    return (tile.offset() & 0x3ffff) >> 4 | 1ull << 16 | 64ull << 32 | 1ull << 62;
}
inline void wgmma_fence(EMULATOR_HERE) {
    emulator::current->fenced = true;
    emulator::warp_operation("wgmma.fence", ~0u, nullptr, place, [](void**) {});
}

namespace emulator {

// 16 elements of row r of the tile that a descriptor describes.
inline void product_row(u64 descriptor, int r, float (&row)[16]) {
    Block* block = current->block;
    if (descriptor >> 62 != 1) fail("descriptor %016llx: only the 128-byte swizzle is known", descriptor);
    size_t start = (descriptor & 0x3fff) << 4, stride = (descriptor >> 32 & 0x3fff) << 4;
    size_t first = start + static_cast<size_t>(r / 8) * stride + static_cast<size_t>(r % 8) * 128;
    for (int chunk = 0; chunk < 2; chunk++) {
        size_t offset = swizzled(first + static_cast<size_t>(chunk) * 16);
        block->shadow->read(offset, 16, "operand of wgmma");
        for (int k = 0; k < 8; k++) {
            u16 bits;
            std::memcpy(&bits, block->shared + offset + 2 * k, 2);
            row[chunk * 8 + k] = bits_float(static_cast<u32>(bits) << 16);
        }
    }
}

inline void multiply(const Product& product) {
    int lane = static_cast<int>(current->lane), warp = static_cast<int>(current->warp->index % 4);
    float left[2][16], right[16];
    for (int half = 0; half < 2; half++) product_row(product.a, warp * 16 + lane / 4 + half * 8, left[half]);
    for (int i = 0; i < product.count / 4; i++)
        for (int j = 0; j < 2; j++) {
            product_row(product.b, i * 8 + lane % 4 * 2 + j, right);
            for (int half = 0; half < 2; half++)
                for (int k = 0; k < 16; k++) product.d[i * 4 + half * 2 + j] += left[half][k] * right[k];
        }
}

}  // namespace emulator

template <int count>
inline void wgmma_64_16(float (&d)[count], u64 a, u64 b, EMULATOR_HERE) {
    emulator::Thread* me = emulator::current;
    if (!me->fenced) emulator::fail("wgmma without wgmma.fence before it");
    emulator::warp_operation("wgmma", ~0u, nullptr, place, [](void**) {});
    if (me->products.empty()) {
        me->sums.assign(d, d + count);   // what the products will be added to
        for (float& x : d) x = bits_float(0xffffffffu);
    }
    me->products.push_back({d, count, a, b, me->committed_products});
}
inline void wgmma_commit() { emulator::current->committed_products++; }
template <int left_in_flight>
inline void wgmma_wait() {
    emulator::Thread* me = emulator::current;
    while (!me->products.empty() && me->products.front().group + left_in_flight < me->committed_products) {
        emulator::Product product = me->products.front();
        float* d = product.d;
        product.d = me->sums.data();
        emulator::multiply(product);
        me->products.erase(me->products.begin());
        if (me->products.empty()) std::memcpy(d, me->sums.data(), me->sums.size() * sizeof(float));
    }
}
template <int count>
inline void wgmma_settle(float (&)[count]) {}
