// A stand-in for the CUDA driver: the functions that Tern.Cuda calls, over kernels that run on the CPU. Work is done when
// it is asked for, except that a download into page-locked memory arrives only when its stream is synchronised, as late
// as the real one may. Every address is looked up, so that host pointers and freed memory are refused by name.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "../emulator.h"
#include "objects.hpp"

using namespace device;

namespace device {
thread_local bool has_context = false;
std::mutex objects;
std::set<void*> streams;
}  // namespace device

namespace {

bool initialised = false;

struct Event {
    Stream* stream = nullptr;
    double milliseconds = -1;
};

std::set<void*> events, modules;

void finish(Stream* stream) {
    for (PendingDownload& download : stream->downloads) memcpy(download.destination, download.bytes.data(), download.bytes.size());
    stream->downloads.clear();
}

// A kernel's handle is its number in the emulator's table, from 1.
int number_of(void* function) { return static_cast<int>(reinterpret_cast<intptr_t>(function)) - 1; }

struct Parameter {
    size_t offset, bytes;
    bool pointer;
};

// Of a kernel, from its signature: "const f32*,i64,f32*".
std::vector<Parameter> parameters_of(int kernel) {
    std::vector<Parameter> parameters;
    std::string signature = tern_emulator_kernel_signature(kernel);
    size_t offset = 0;
    for (size_t start = 0; start < signature.size();) {
        size_t end = std::min(signature.find(',', start), signature.size());
        std::string type = signature.substr(start, end - start);
        bool pointer = type.back() == '*';
        size_t bytes = pointer || type.find("64") != std::string::npos ? 8 : 4;
        offset = (offset + bytes - 1) / bytes * bytes;
        parameters.push_back({offset, bytes, pointer});
        offset += bytes;
        start = end + 1;
    }
    return parameters;
}

}  // namespace

// ---- driver and device ------------------------------------------------------------------------------------------------

TERN_API int cuInit(unsigned flags) {
    if (flags != 0) return refuse(invalid_value, "cuInit: flags must be 0");
    initialised = true;
    return success;
}

TERN_API int cuDriverGetVersion(int* version) {
    *version = 13000;
    return success;
}

TERN_API int cuGetErrorName(int error, const char** name) {
    switch (error) {
        case success: *name = "CUDA_SUCCESS"; return success;
        case invalid_value: *name = "CUDA_ERROR_INVALID_VALUE"; return success;
        case out_of_memory: *name = "CUDA_ERROR_OUT_OF_MEMORY"; return success;
        case not_initialized: *name = "CUDA_ERROR_NOT_INITIALIZED"; return success;
        case invalid_device: *name = "CUDA_ERROR_INVALID_DEVICE"; return success;
        case invalid_image: *name = "CUDA_ERROR_INVALID_IMAGE"; return success;
        case invalid_context: *name = "CUDA_ERROR_INVALID_CONTEXT"; return success;
        case invalid_handle: *name = "CUDA_ERROR_INVALID_HANDLE"; return success;
        case not_found: *name = "CUDA_ERROR_NOT_FOUND"; return success;
        case not_ready: *name = "CUDA_ERROR_NOT_READY"; return success;
        case illegal_address: *name = "CUDA_ERROR_ILLEGAL_ADDRESS"; return success;
        case launch_out_of_resources: *name = "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES"; return success;
        case launch_failed: *name = "CUDA_ERROR_LAUNCH_FAILED"; return success;
        default: return invalid_value;
    }
}

TERN_API int cuGetErrorString(int error, const char** text) {
    *text = error == success ? "no error" : reason().c_str();
    return success;
}

TERN_API int cuDeviceGetCount(int* count) {
    if (!initialised) return refuse(not_initialized, "cuDeviceGetCount before cuInit");
    *count = 1;
    return success;
}

TERN_API int cuDeviceGet(int* device, int ordinal) {
    if (ordinal != 0) return refuse(invalid_device, "device %d of 1", ordinal);
    *device = 0;
    return success;
}

TERN_API int cuDeviceGetName(char* name, int length, int) {
    snprintf(name, static_cast<size_t>(length), "emulated");
    return success;
}

TERN_API int cuDeviceTotalMem_v2(size_t* bytes, int) {
    *bytes = memory().capacity();
    return success;
}

TERN_API int cuDeviceGetAttribute(int* value, int attribute, int) {
    switch (attribute) {
        case 1: *value = 1024; break;              // threads of a block
        case 5: *value = 0x7fffffff; break;        // grid x
        case 6: case 7: *value = 65535; break;     // grid y, z
        case 16: *value = 4; break;                // multiprocessors: few, so that loops over blocks do loop
        case 38: *value = 4 << 20; break;          // L2
        case 75: *value = 9; break;                // compute capability
        case 76: *value = 0; break;
        case 97: *value = static_cast<int>(shared_limit); break;
        case 115: *value = 1; break;               // memory pools
        default: return refuse(invalid_value, "cuDeviceGetAttribute: attribute %d is not emulated", attribute);
    }
    return success;
}

TERN_API int cuDeviceGetDefaultMemPool(void** pool, int) {
    *pool = &streams;
    return success;
}

TERN_API int cuMemPoolSetAttribute(void*, int attribute, void*) {
    return attribute == 4 ? success : refuse(invalid_value, "cuMemPoolSetAttribute: attribute %d is not emulated", attribute);
}

// ---- context ------------------------------------------------------------------------------------------------------------

TERN_API int cuDevicePrimaryCtxRetain(void** context, int) {
    if (!initialised) return refuse(not_initialized, "cuDevicePrimaryCtxRetain before cuInit");
    *context = &initialised;
    return success;
}

TERN_API int cuDevicePrimaryCtxRelease_v2(int) { return success; }

TERN_API int cuCtxSetCurrent(void* context) {
    if (context != nullptr && context != &initialised) return refuse(invalid_context, "%p is no context", context);
    has_context = context != nullptr;
    return success;
}

TERN_API int cuMemGetInfo_v2(size_t* free, size_t* total) {
    NEED_CONTEXT;
    *total = memory().capacity();
    *free = *total - memory().live_bytes();
    return success;
}

// ---- modules and kernels ------------------------------------------------------------------------------------------------

TERN_API const char* tern_emulator_image();

TERN_API int cuModuleLoadDataEx(void** module, const void* image, unsigned options, const int* names, void** values) {
    NEED_CONTEXT;
    if (strcmp(static_cast<const char*>(image), tern_emulator_image()) != 0) {
        for (unsigned i = 0; i < options; i++)
            if (names[i] == 5) snprintf(static_cast<char*>(values[i]), 64, "the emulated device runs its own kernels only");
        return refuse(invalid_image, "not the image of the emulated kernels");
    }
    *module = keep(modules, new int);
    return success;
}

TERN_API int cuModuleUnload(void* module) { return drop<int>(modules, module, "module"); }

TERN_API int cuModuleGetFunction(void** function, void* module, const char* name) {
    NEED_CONTEXT;
    if (find<int>(modules, module) == nullptr) return refuse(invalid_handle, "%p is no module", module);
    int kernel = tern_emulator_find(name);
    if (kernel < 0) return refuse(not_found, "no kernel '%s'", name);
    *function = reinterpret_cast<void*>(static_cast<intptr_t>(kernel + 1));
    return success;
}

TERN_API int cuFuncGetAttribute(int* value, int attribute, void* function) {
    switch (attribute) {
        case 0: *value = static_cast<int>(tern_emulator_kernel_threads(number_of(function))); break;
        case 1: case 3: *value = 0; break;
        case 4: *value = 32; break;
        default: return refuse(invalid_value, "cuFuncGetAttribute: attribute %d is not emulated", attribute);
    }
    return success;
}

TERN_API int cuFuncSetAttribute(void*, int attribute, int value) {
    if (attribute != 8) return refuse(invalid_value, "cuFuncSetAttribute: attribute %d is not emulated", attribute);
    return static_cast<size_t>(value) <= shared_limit ? success : refuse(invalid_value, "%d bytes of shared memory", value);
}

TERN_API int cuFuncGetParamInfo(void* function, size_t index, size_t* offset, size_t* size) {
    std::vector<Parameter> parameters = parameters_of(number_of(function));
    if (index >= parameters.size()) return refuse(invalid_value, "parameter %zu of %zu", index, parameters.size());
    *offset = parameters[index].offset;
    *size = parameters[index].bytes;
    return success;
}

TERN_API int cuLaunchKernel(void* function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes, void* handle, void** parameters, void**) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    int kernel = number_of(function);
    const char* name = tern_emulator_kernel_name(kernel);
    std::vector<Parameter> expected = parameters_of(kernel);
    for (size_t i = 0; i < expected.size(); i++) {
        void* address = expected[i].pointer ? *static_cast<void**>(parameters[i]) : nullptr;
        if (address != nullptr && memory().bytes_from(address) == 0) return refuse(illegal_address, "%s: argument %zu, %p, is not in live device memory", name, i, address);
    }
    record().add("launch %s grid %ux%ux%u block %u shared %u", name, grid_x, grid_y, grid_z, block_x * block_y * block_z, shared_bytes);
    int result = tern_emulator_launch(kernel, grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes, parameters);
    if (result != success) return refuse(result, "%s", tern_emulator_error());
    std::string damage = memory().damage();
    if (!damage.empty()) return refuse(illegal_address, "%s: %s", name, damage.c_str());
    return success;
}

// ---- streams and events -----------------------------------------------------------------------------------------------------

TERN_API int cuStreamCreate(void** stream, unsigned) {
    NEED_CONTEXT;
    *stream = keep(streams, new Stream);
    return success;
}

TERN_API int cuStreamDestroy_v2(void* handle) {
    NEED_STREAM(stream, handle);
    finish(stream);
    return drop<Stream>(streams, handle, "stream");
}

TERN_API int cuStreamSynchronize(void* handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, handle);
    record().add("synchronize");
    finish(stream);
    return success;
}

TERN_API int cuEventCreate(void** event, unsigned) {
    NEED_CONTEXT;
    *event = keep(events, new Event);
    return success;
}

TERN_API int cuEventDestroy_v2(void* event) { return drop<Event>(events, event, "event"); }

TERN_API int cuEventRecord(void* handle, void* stream_handle) {
    NEED_CONTEXT;
    NEED_STREAM(stream, stream_handle);
    Event* event = find<Event>(events, handle);
    if (event == nullptr) return refuse(invalid_handle, "%p is no event", handle);
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    event->stream = stream;
    event->milliseconds = static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
    return success;
}

TERN_API int cuEventSynchronize(void* handle) {
    Event* event = find<Event>(events, handle);
    if (event == nullptr || event->stream == nullptr) return refuse(invalid_handle, "%p is no recorded event", handle);
    record().add("synchronize");
    finish(event->stream);
    return success;
}

TERN_API int cuEventElapsedTime(float* milliseconds, void* start, void* end) {
    Event *first = find<Event>(events, start), *second = find<Event>(events, end);
    if (first == nullptr || second == nullptr || first->milliseconds < 0 || second->milliseconds < 0) return refuse(invalid_handle, "an event that was not recorded");
    *milliseconds = static_cast<float>(second->milliseconds - first->milliseconds);
    return success;
}
