// Shared memory of a block: every array has a name and bounds, every element a record of who wrote and read it since
// which barrier. An access outside an array, a read of what nobody wrote or of a copy in flight, and two accesses without
// a barrier between them end the launch. Records are kept for every two bytes, the smallest element that kernels use.
#pragma once
#include <cstddef>
#include <cstring>
#include <type_traits>

#include "scheduler.hpp"

namespace emulator {

class SharedShadow {
public:
    // A new block: its epochs are later than all before, so that what is recorded of an earlier block counts for nothing.
    void start(Block& block, bool races) {
        if (block.epoch > 1u << 31) {
            cells_.clear();
            block.epoch = 1;
        }
        first_epoch_ = block.epoch;
        races_ = races;
        cover(block.dynamic_bytes);
    }

    // Makes room for records of the first bytes of the block's shared memory.
    void cover(size_t bytes) {
        if (cells_.size() < (bytes + 1) / 2) cells_.resize((bytes + 1) / 2);
    }

    // Before a plain read or write of bytes at offset by the current thread; an atomic counts as a write that does not
    // conflict with other atomics.
    void read(size_t offset, size_t bytes, const char* name) {
        const Thread* me = current;
        const unsigned epoch = me->block->epoch, warp_epoch = me->warp->epoch;
        const uint16_t mine = static_cast<uint16_t>(me->linear), my_warp = static_cast<uint16_t>(many_of_warp + me->warp->index);
        for (size_t i = offset / 2; i < (offset + bytes + 1) / 2; i++) {
            Cell& cell = cells_[i];
            if (!written(cell)) fail("read of shared '%s' that nobody has written", name);
            if (cell.in_flight) fail("read of shared '%s' while a cp.async to it is in flight", name);
            if (!races_) continue;
            if (cell.write_epoch == epoch && cell.writer != mine && !ordered(cell.writer, cell.write_epoch, cell.write_warp_epoch))
                fail("race: shared '%s' is read, and thread %u writes it without a barrier between", name, cell.writer);
            if (cell.read_epoch != epoch || cell.reader == none) {
                cell.read_epoch = epoch;
                cell.reader = mine;
            } else if (cell.reader != many && cell.reader != mine && cell.reader != my_warp) {
                cell.reader = cell.reader < many_of_warp && cell.reader / 32u == me->warp->index ? my_warp : many;
            }
            cell.read_warp_epoch = warp_epoch;
        }
    }

    void write(size_t offset, size_t bytes, const char* name, bool atomic = false) {
        for (size_t i = offset / 2; i < (offset + bytes + 1) / 2; i++) {
            Cell& cell = cells_[i];
            if (written(cell) && cell.in_flight) fail("write to shared '%s' while a cp.async to it is in flight", name);
            if (races_) check_write(cell, name, atomic);
            cell.in_flight = false;
            cell.atomic = atomic;
            cell.writer = static_cast<uint16_t>(current->linear);
            cell.write_epoch = current->block->epoch;
            cell.write_warp_epoch = current->warp->epoch;
        }
    }

    // An asynchronous copy has been issued: a write now, unreadable until it has landed.
    void issued(size_t offset, size_t bytes, const char* name) {
        write(offset, bytes, name);
        for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) cells_[i].in_flight = true;
    }

    // A box that a memory barrier will announce. Whether everybody is done with what was there shows when they read it.
    void issued_box(size_t offset, size_t bytes, const char* name) {
        for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) {
            if (written(cells_[i]) && cells_[i].in_flight) fail("box to shared '%s' where another is in flight", name);
            cells_[i] = {};
            cells_[i].in_flight = true;
            cells_[i].write_epoch = first_epoch_;
        }
    }

    // A box is there: for whoever waited, so without an order to check.
    void arrived(size_t offset, size_t bytes) {
        for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) cells_[i].in_flight = false;
    }

    void landed(size_t offset, size_t bytes) {
        for (size_t i = offset / 2; i < (offset + bytes) / 2; i++) {
            cells_[i].in_flight = false;
            cells_[i].writer = static_cast<uint16_t>(current->linear);
            cells_[i].write_epoch = current->block->epoch;
            cells_[i].write_warp_epoch = current->warp->epoch;
        }
    }

private:
    static constexpr uint16_t none = 0xffff, many = 0xfffe, many_of_warp = 0x8000;

    struct Cell {
        unsigned write_epoch = 0, write_warp_epoch = 0, read_epoch = 0, read_warp_epoch = 0;
        uint16_t writer = none, reader = none;
        bool in_flight = false, atomic = false;
    };

    // In this block: a record's epoch is 0 until then.
    bool written(const Cell& cell) const { return cell.write_epoch >= first_epoch_; }

    // Whether what that thread did at those epochs happened before what the current thread does now.
    static bool ordered(uint16_t thread, unsigned epoch, unsigned warp_epoch) {
        const Thread* me = current;
        return epoch != me->block->epoch || (thread / 32 == me->warp->index && warp_epoch != me->warp->epoch);
    }

    void check_write(const Cell& cell, const char* name, bool atomic) {
        const Thread* me = current;
        if (cell.writer != none && cell.writer != me->linear && !(atomic && cell.atomic) && !ordered(cell.writer, cell.write_epoch, cell.write_warp_epoch))
            fail("race: shared '%s' is written, and thread %u writes it without a barrier between", name, cell.writer);
        if (cell.reader == none || cell.reader == me->linear || cell.read_epoch != me->block->epoch) return;
        bool my_warp_read = cell.reader != many && (cell.reader >= many_of_warp ? cell.reader - many_of_warp : cell.reader / 32) == static_cast<int>(me->warp->index);
        if (!my_warp_read || cell.read_warp_epoch == me->warp->epoch) fail("race: shared '%s' is written, and other threads read it without a barrier between", name);
    }

    std::vector<Cell> cells_;
    unsigned first_epoch_ = 1;
    bool races_ = true;
};

// What `shared[i]` is: reading and assigning go through the record.
template <class T>
class SharedElement {
public:
    SharedElement(T* element, const char* name) : element_(element), name_(name) {}
    SharedElement(const SharedElement&) = default;

    operator T() const {
        Block* block = current->block;
        block->shadow->read(static_cast<size_t>(reinterpret_cast<unsigned char*>(element_) - block->shared), sizeof(T), name_);
        return *element_;
    }
    const SharedElement& operator=(const T& value) const {
        Block* block = current->block;
        block->shadow->write(static_cast<size_t>(reinterpret_cast<unsigned char*>(element_) - block->shared), sizeof(T), name_);
        *element_ = value;
        return *this;
    }
    const SharedElement& operator=(const SharedElement& other) const { return *this = static_cast<T>(other); }
    const SharedElement& operator+=(const T& value) const { return *this = static_cast<T>(*this) + value; }
    const SharedElement& operator*=(const T& value) const { return *this = static_cast<T>(*this) * value; }

private:
    T* element_;
    const char* name_;
};

// A pointer into a shared array that knows the array.
template <class T>
class SharedPointer {
public:
    SharedPointer() = default;
    SharedPointer(T* begin, size_t count, const char* name) : at_(begin), begin_(begin), end_(begin + count), name_(name) {}

    template <class Index>
    SharedElement<T> operator[](Index index) const {
        T* element = at_ + index;
        if (element < begin_ || element >= end_) fail("shared '%s': element %td of %td", name_, element - begin_, end_ - begin_);
        return {element, name_};
    }
    SharedElement<T> operator*() const { return (*this)[0]; }
    SharedPointer operator+(ptrdiff_t offset) const {
        SharedPointer moved = *this;
        moved.at_ += offset;
        return moved;
    }

    // The address of bytes that all lie in the array.
    unsigned char* checked(size_t bytes) const {
        auto* first = reinterpret_cast<unsigned char*>(at_);
        if (at_ < begin_ || first + bytes > reinterpret_cast<unsigned char*>(end_)) fail("shared '%s': %zu bytes at element %td of %td", name_, bytes, at_ - begin_, end_ - begin_);
        return first;
    }
    size_t offset() const { return static_cast<size_t>(reinterpret_cast<unsigned char*>(at_) - current->block->shared); }
    const char* name() const { return name_; }

private:
    T* at_ = nullptr;
    T* begin_ = nullptr;
    T* end_ = nullptr;
    const char* name_ = "";
};

// The static array of one declaration: the same memory for all threads of a block.
template <class T>
SharedPointer<T> static_shared(size_t count, const char* name, const void* key) {
    Block* block = current->block;
    for (const StaticArray& array : block->static_arrays)
        if (array.key == key) return SharedPointer<T>(reinterpret_cast<T*>(block->shared + array.offset), count, name);
    size_t offset = (block->dynamic_bytes + block->static_bytes + 127) / 128 * 128;
    if (offset + count * sizeof(T) > block->dynamic_bytes + static_shared_capacity) fail("shared '%s': more than %zu bytes of static shared memory", name, static_shared_capacity);
    block->static_bytes = offset + count * sizeof(T) - block->dynamic_bytes;
    block->static_arrays.push_back({key, offset});
    block->shadow->cover(offset + count * sizeof(T));
    std::memset(block->shared + offset, 0xFF, count * sizeof(T));
    return SharedPointer<T>(reinterpret_cast<T*>(block->shared + offset), count, name);
}

// Cuts the launch's dynamic shared memory into arrays, one after the other, each aligned to 128 bytes.
class SharedCarver {
public:
    template <class T>
    SharedPointer<T> take(size_t count, const char* name) {
        Block* block = current->block;
        if (next_ + count * sizeof(T) > block->dynamic_bytes)
            fail("shared '%s' ends at byte %zu of the %zu that the launch asked for", name, next_ + count * sizeof(T), block->dynamic_bytes);
        SharedPointer<T> array(reinterpret_cast<T*>(block->shared + next_), count, name);
        next_ = (next_ + count * sizeof(T) + 127) / 128 * 128;
        return array;
    }

private:
    size_t next_ = 0;
};

}  // namespace emulator
