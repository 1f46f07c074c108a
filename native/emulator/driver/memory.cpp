// The driver's memory: allocations, copies, fills. A download into page-locked memory arrives when its stream is synchronised.
#include <algorithm>
#include <cstdlib>

#include "objects.hpp"

using namespace device;

namespace {

std::map<void*, size_t> pinned;

bool is_pinned(const void* address, size_t bytes) {
    std::lock_guard<std::mutex> guard(objects);
    auto after = pinned.upper_bound(const_cast<void*>(address));
    if (after == pinned.begin()) return false;
    --after;
    return static_cast<const char*>(address) + bytes <= static_cast<char*>(after->first) + after->second;
}

int check_range(const void* address, size_t bytes, const char* what) {
    size_t left = memory().bytes_from(address);
    if (left == 0) return refuse(invalid_value, "%s %p is not in live device memory", what, address);
    if (left < bytes) return refuse(invalid_value, "%s: %zu bytes of memory with %zu left", what, bytes, left);
    return success;
}

}  // namespace

TERN_API int cuMemAlloc_v2(void** address, size_t bytes) {
    NEED_CONTEXT;
    if (bytes == 0) return refuse(invalid_value, "cuMemAlloc of 0 bytes");
    *address = memory().allocate(bytes);
    record().add("alloc %zu", bytes);
    return *address != nullptr ? success : refuse(out_of_memory, "%zu bytes asked for, %zu of %zu are in use", bytes, memory().live_bytes(), memory().capacity());
}

TERN_API int cuMemFree_v2(void* address) {
    NEED_CONTEXT;
    record().add("free");
    return memory().free(address) ? success : refuse(invalid_value, "cuMemFree: %p is no live allocation", address);
}

TERN_API int cuMemAllocAsync(void** address, size_t bytes, void* handle) {
    NEED_STREAM(stream, handle);
    return cuMemAlloc_v2(address, bytes);
}

TERN_API int cuMemFreeAsync(void* address, void* handle) {
    NEED_STREAM(stream, handle);
    return cuMemFree_v2(address);
}

TERN_API int cuMemAllocHost_v2(void** address, size_t bytes) {
    NEED_CONTEXT;
    *address = calloc(1, bytes);
    std::lock_guard<std::mutex> guard(objects);
    pinned[*address] = bytes;
    record().add("alloc-host %zu", bytes);
    return success;
}

TERN_API int cuMemFreeHost(void* address) {
    {
        std::lock_guard<std::mutex> guard(objects);
        if (pinned.erase(address) == 0) return refuse(invalid_value, "cuMemFreeHost: %p is not page-locked memory", address);
    }
    free(address);
    return success;
}

TERN_API int cuMemcpyHtoDAsync_v2(void* destination, const void* source, size_t bytes, void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    if (int result = check_range(destination, bytes, "the destination")) return result;
    record().add("upload %zu", bytes);
    memcpy(destination, source, bytes);
    return success;
}

TERN_API int cuMemcpyDtoHAsync_v2(void* destination, const void* source, size_t bytes, void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    if (int result = check_range(source, bytes, "the source")) return result;
    record().add("download %zu", bytes);
    auto* from = static_cast<const unsigned char*>(source);
    if (is_pinned(destination, bytes)) {
        stream->downloads.push_back({destination, {from, from + bytes}});
        memset(destination, 0xFF, bytes);
    } else {
        memcpy(destination, source, bytes);
    }
    return success;
}

TERN_API int cuMemcpyDtoDAsync_v2(void* destination, const void* source, size_t bytes, void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    if (int result = check_range(source, bytes, "the source")) return result;
    if (int result = check_range(destination, bytes, "the destination")) return result;
    record().add("copy %zu", bytes);
    memmove(destination, source, bytes);
    return success;
}

struct Copy2D {
    size_t source_x, source_y;
    unsigned source_type;
    const void* source_host;
    void* source_device;
    void* source_array;
    size_t source_pitch;
    size_t destination_x, destination_y;
    unsigned destination_type;
    void* destination_host;
    void* destination_device;
    void* destination_array;
    size_t destination_pitch;
    size_t width, height;
};

TERN_API int cuMemcpy2DAsync_v2(const Copy2D* copy, void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    constexpr unsigned host = 1, on_device = 2;
    if (copy->source_x != 0 || copy->source_y != 0 || copy->destination_x != 0 || copy->destination_y != 0) return refuse(invalid_value, "cuMemcpy2DAsync: offsets are not emulated");
    if (copy->source_pitch < copy->width || copy->destination_pitch < copy->width || copy->height == 0) return refuse(invalid_value, "cuMemcpy2DAsync: %zu rows of %zu bytes at pitches of %zu and %zu", copy->height, copy->width, copy->source_pitch, copy->destination_pitch);
    auto* from = static_cast<const unsigned char*>(copy->source_type == host ? copy->source_host : copy->source_device);
    auto* to = static_cast<unsigned char*>(copy->destination_type == host ? copy->destination_host : copy->destination_device);
    if (copy->source_type == on_device)
        if (int result = check_range(from, (copy->height - 1) * copy->source_pitch + copy->width, "the source")) return result;
    if (copy->destination_type == on_device)
        if (int result = check_range(to, (copy->height - 1) * copy->destination_pitch + copy->width, "the destination")) return result;
    record().add("%s %zu", copy->source_type == host ? "upload" : copy->destination_type == host ? "download" : "copy", copy->width * copy->height);
    for (size_t row = 0; row < copy->height; row++) memcpy(to + row * copy->destination_pitch, from + row * copy->source_pitch, copy->width);
    return success;
}

TERN_API int cuMemsetD32Async(void* destination, unsigned value, size_t count, void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    if (int result = check_range(destination, count * 4, "the destination")) return result;
    record().add("set %zu", count * 4);
    std::fill_n(static_cast<unsigned*>(destination), count, value);
    return success;
}

TERN_API int cuMemsetD2D32Async(void* destination, size_t pitch, unsigned value, size_t width, size_t height, void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    if (height == 0 || pitch < width * 4) return refuse(invalid_value, "cuMemsetD2D32Async: %zu rows of %zu at a pitch of %zu", height, width, pitch);
    if (int result = check_range(destination, (height - 1) * pitch + width * 4, "the destination")) return result;
    record().add("set %zu", width * height * 4);
    for (size_t row = 0; row < height; row++) std::fill_n(reinterpret_cast<unsigned*>(static_cast<unsigned char*>(destination) + row * pitch), width, value);
    return success;
}
