// The emulated device behind the stand-ins for the CUDA driver and cuBLAS: its memory, with every allocation's bounds
// known and its surroundings watched, and the record of what was asked of it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#define TERN_API extern "C" __attribute__((visibility("default")))

namespace device {

// CUresult, those that are returned.
enum Result {
    success = 0,
    invalid_value = 1,
    out_of_memory = 2,
    not_initialized = 3,
    invalid_device = 101,
    invalid_image = 200,
    invalid_context = 201,
    invalid_handle = 400,
    not_found = 500,
    not_ready = 600,
    illegal_address = 700,
    launch_out_of_resources = 701,
    launch_failed = 719,
};

constexpr size_t alignment = 256;    // what cuMemAlloc guarantees
constexpr size_t guard_bytes = 256;  // watched bytes before and after every allocation
constexpr size_t shared_limit = 227 << 10;  // what a block can have on sm_90

// Keeps why a call failed, for cuGetErrorString on this thread.
int refuse(int result, const char* format, ...) __attribute__((format(printf, 2, 3)));
const std::string& reason();

class Memory {
public:
    // New memory, filled with NaN; null when the device is full.
    void* allocate(size_t bytes);
    // Frees it after looking at its guards; false when it is no allocation's start.
    bool free(void* address);
    // The bytes from the address to its allocation's end; 0 where no live allocation holds it.
    size_t bytes_from(const void* address);
    // The first allocation whose guards were written, in words; empty when none was.
    std::string damage();
    size_t live_bytes();
    size_t capacity();

private:
    struct Allocation {
        unsigned char* raw;
        size_t bytes;
        bool reported;
    };

    std::string damage_of(const unsigned char* start, Allocation& allocation);

    std::mutex lock_;
    std::map<const unsigned char*, Allocation> live_;
    size_t live_bytes_ = 0;
};

Memory& memory();

// One line for everything that a program asked for, in order: "launch NAME grid 1x1x1 block 32 shared 0", "gemm …",
// "alloc 256", "free", "upload 16", "download 16", "copy 16", "set 16", "synchronize".
class Record {
public:
    void add(const char* format, ...) __attribute__((format(printf, 2, 3)));
    void start();
    std::string text();

private:
    std::mutex lock_;
    bool on_ = false;
    std::string text_;
};

Record& record();

}  // namespace device
