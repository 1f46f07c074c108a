#include "device.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace device {

namespace {
constexpr unsigned char guard_pattern = 0xA5;
thread_local std::string last_reason;

std::string print(const char* format, va_list arguments) {
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    return text;
}
}  // namespace

int refuse(int result, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    last_reason = print(format, arguments);
    va_end(arguments);
    return result;
}

const std::string& reason() { return last_reason; }

Memory& memory() {
    static Memory* memory = new Memory;  // never destroyed: objects of the program may be freed after main
    return *memory;
}

size_t Memory::capacity() {
    static const size_t bytes = [] {
        const char* mebibytes = getenv("TERN_EMULATOR_MEMORY");
        return (mebibytes != nullptr ? strtoull(mebibytes, nullptr, 10) : 8192) << 20;
    }();
    return bytes;
}

size_t Memory::live_bytes() {
    std::lock_guard<std::mutex> guard(lock_);
    return live_bytes_;
}

void* Memory::allocate(size_t bytes) {
    std::lock_guard<std::mutex> guard(lock_);
    if (bytes > capacity() - live_bytes_) return nullptr;
    size_t padded = (bytes + alignment - 1) / alignment * alignment;
    auto* raw = static_cast<unsigned char*>(aligned_alloc(alignment, padded + 2 * guard_bytes));
    if (raw == nullptr) return nullptr;
    memset(raw, guard_pattern, guard_bytes);
    memset(raw + guard_bytes, 0xFF, bytes);
    memset(raw + guard_bytes + bytes, guard_pattern, padded - bytes + guard_bytes);
    live_[raw + guard_bytes] = {raw, bytes, false};
    live_bytes_ += bytes;
    return raw + guard_bytes;
}

bool Memory::free(void* address) {
    std::lock_guard<std::mutex> guard(lock_);
    auto found = live_.find(static_cast<unsigned char*>(address));
    if (found == live_.end()) return false;
    live_bytes_ -= found->second.bytes;
    memset(found->second.raw, 0xFF, found->second.bytes + guard_bytes);
    std::free(found->second.raw);
    live_.erase(found);
    return true;
}

size_t Memory::bytes_from(const void* address) {
    std::lock_guard<std::mutex> guard(lock_);
    auto* at = static_cast<const unsigned char*>(address);
    auto after = live_.upper_bound(at);
    if (after == live_.begin()) return 0;
    --after;
    size_t offset = static_cast<size_t>(at - after->first);
    return offset < after->second.bytes ? after->second.bytes - offset : 0;
}

std::string Memory::damage_of(const unsigned char* start, Allocation& allocation) {
    size_t padded = (allocation.bytes + alignment - 1) / alignment * alignment;
    for (size_t i = 1; i <= guard_bytes; i++)
        if (start[-static_cast<ptrdiff_t>(i)] != guard_pattern) return "byte " + std::to_string(i) + " before an allocation of " + std::to_string(allocation.bytes) + " bytes was written";
    for (size_t i = allocation.bytes; i < padded + guard_bytes; i++)
        if (start[i] != guard_pattern) return "byte " + std::to_string(i) + " of an allocation of " + std::to_string(allocation.bytes) + " bytes was written";
    return "";
}

std::string Memory::damage() {
    std::lock_guard<std::mutex> guard(lock_);
    for (auto& [start, allocation] : live_) {
        if (allocation.reported) continue;
        std::string text = damage_of(start, allocation);
        allocation.reported = !text.empty();
        if (allocation.reported) return text;
    }
    return "";
}

Record& record() {
    static Record* record = new Record;
    return *record;
}

void Record::add(const char* format, ...) {
    std::lock_guard<std::mutex> guard(lock_);
    if (!on_) return;
    va_list arguments;
    va_start(arguments, format);
    text_ += print(format, arguments) + "\n";
    va_end(arguments);
}

void Record::start() {
    std::lock_guard<std::mutex> guard(lock_);
    on_ = true;
    text_.clear();
}

std::string Record::text() {
    std::lock_guard<std::mutex> guard(lock_);
    return text_;
}

}  // namespace device

// What tests ask of the emulated device beyond the driver's own functions.

TERN_API void tern_emulator_record() { device::record().start(); }

// The record since tern_emulator_record; writes at most that many bytes and returns how many there are.
TERN_API size_t tern_emulator_read_record(char* text, size_t bytes) {
    std::string record = device::record().text();
    memcpy(text, record.data(), record.size() < bytes ? record.size() : bytes);
    return record.size();
}

// The image that stands for the emulated kernels in cuModuleLoadDataEx.
TERN_API const char* tern_emulator_image() { return "tern emulated kernels"; }
