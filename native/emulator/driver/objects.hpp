// What the driver's stand-in shares between its files: the thread's context, the objects that handles stand for.
#pragma once
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "device.hpp"

namespace device {

extern thread_local bool has_context;
extern std::mutex objects;
extern std::set<void*> streams;

struct PendingDownload {
    void* destination;
    std::vector<unsigned char> bytes;
};

struct Stream {
    std::vector<PendingDownload> downloads;
};

template <class T>
T* find(std::set<void*>& among, void* object) {
    std::lock_guard<std::mutex> guard(objects);
    return among.count(object) != 0 ? static_cast<T*>(object) : nullptr;
}

template <class T>
T* keep(std::set<void*>& among, T* object) {
    std::lock_guard<std::mutex> guard(objects);
    among.insert(object);
    return object;
}

template <class T>
int drop(std::set<void*>& among, void* object, const char* what) {
    std::lock_guard<std::mutex> guard(objects);
    if (among.erase(object) == 0) return refuse(invalid_handle, "%p is no %s", object, what);
    delete static_cast<T*>(object);
    return success;
}

#define NEED_CONTEXT \
    if (!has_context) return refuse(invalid_context, "%s: this thread has no current context", __func__)
#define NEED_STREAM(stream, handle)               \
    Stream* stream = find<Stream>(streams, handle); \
    if (stream == nullptr) return refuse(invalid_handle, "%s: %p is no stream", __func__, handle)

}  // namespace device
