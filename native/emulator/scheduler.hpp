// The execution model of a CUDA launch on the CPU: one fiber per CUDA thread, warps of 32, blocks on a few OS threads.
// A fiber runs until it reaches a barrier or a warp-wide operation; the order in which fibers go on is drawn from a seed.
// What the programming model forbids (a barrier that some threads miss, a warp operation in divergent code, an access
// outside a shared array, a race) ends the launch with one line that names kernel, block, thread and place.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

namespace emulator {

// Where in a kernel's source something was called.
struct Place {
    const char* file;
    int line;
};
#define EMULATOR_HERE ::emulator::Place place = {__builtin_FILE(), __builtin_LINE()}

struct CopyInFlight {
    unsigned char* destination;
    const unsigned char* source;
    int bytes;       // bytes that come from the source
    int total;       // bytes written; the rest are zero
    unsigned group;
};

// A product of a warpgroup that has not been waited for.
struct Product {
    float* d;
    int count;
    unsigned long long a, b;
    unsigned group;
};

// A box of a matrix on its way to shared memory.
struct BoxInFlight {
    size_t offset;
    const void* map;
    int column, row;
};

// An mbarrier: a phase is over when all have arrived and all bytes are there.
struct MemoryBarrier {
    unsigned arrivals, pending, phase;
    long long bytes;
    std::vector<BoxInFlight> boxes;
};

struct Warp;
struct Block;
class SharedShadow;

struct Thread {
    void* stack_pointer = nullptr;
    char* stack = nullptr;            // null until its first turn
    bool waits = false;               // for a memory barrier
    uint3 index{};
    unsigned linear = 0;
    unsigned lane = 0;
    Warp* warp = nullptr;
    Block* block = nullptr;
    Place place{"", 0};                           // the last operation that carried its place
    std::vector<CopyInFlight> copies;   // oldest first
    unsigned committed_copies = 0;      // groups
    std::vector<Product> products;
    std::vector<float> sums;          // of the products in flight
    unsigned committed_products = 0;  // groups
    bool fenced = false;
    size_t waits_for = 0;             // the memory barrier's place
};

struct Warp {
    Thread* threads[32]{};
    void* arguments[32]{};
    // Lanes: that can go on, that wait in a warp operation, that the operation needs, at the barrier, in the kernel.
    unsigned ready = ~0u;
    unsigned arrived = 0;
    unsigned expected = 0;
    unsigned at_barrier = 0;
    unsigned alive = ~0u;
    const char* operation = nullptr;
    Place place{"", 0};
    unsigned epoch = 0;   // counts __syncwarp
    unsigned index = 0;
};

struct Barrier {
    unsigned arrived = 0;
    Place place{"", 0};
};

struct StaticArray {
    const void* key;
    size_t offset;
};

struct Launch;
class Stacks;

// Whose turn it is: passes over the warps until all threads are done. The seed decides the order of warps and lanes in each
// pass, and whether a warp goes on as far as it can before the next one gets its turn.
class Schedule {
public:
    void start(Block& block, unsigned seed);
    // Null when the block has ended, in one way or the other.
    Thread* next();

private:
    unsigned draw();
    void begin_pass();
    void begin_turn();

    Block* block_ = nullptr;
    std::vector<unsigned> order_;   // of the warps in this pass
    uint64_t random_ = 0;
    unsigned seed_ = 0, warp_ = 0, first_lane_ = 0, lanes_done_ = 0;
    bool progress_ = false, again_ = false;
};

struct Block {
    const Launch* launch = nullptr;
    uint3 index{};
    std::vector<Thread> threads;
    std::vector<Warp> warps;
    Barrier barrier;
    unsigned alive = 0;
    unsigned epoch = 0;   // counts barriers of the whole block, and goes on from the block before
    unsigned char* shared = nullptr;   // dynamic part first, then the static arrays
    size_t dynamic_bytes = 0;
    size_t static_bytes = 0;
    std::vector<StaticArray> static_arrays;
    std::unique_ptr<SharedShadow> shadow;
    std::map<size_t, MemoryBarrier> memory_barriers;   // by their place in shared memory
    Schedule schedule;
    Stacks* stacks = nullptr;
    void* caller = nullptr;   // the stack pointer of who runs the block
    bool failed = false;
};

struct Options {
    unsigned seed = 0;      // 0: threads in order; others: an order drawn from the seed
    unsigned workers = 0;   // OS threads; 0: as many as processors
    bool check_races = true;
};

using Invoke = void (*)(void* function, void** arguments);

struct Kernel {
    const char* name;
    void* function;
    Invoke invoke;
    std::string signature;   // "const f32*,i64,f32*"
    unsigned threads;        // of a block, from its launch bounds
};

struct Launch {
    const Kernel* kernel;
    dim3 grid, block;
    size_t shared_bytes;
    void** arguments;
    Options options;
    mutable std::atomic<bool> failed{false};
};

constexpr size_t static_shared_capacity = 48 << 10;
constexpr size_t shared_limit = 227 << 10;   // what a block can have on sm_90

// In a library the default model would call a function for every access.
extern thread_local Thread* current __attribute__((tls_model("initial-exec")));

// Ends the launch: the message is kept for the caller, the fiber is never resumed.
[[noreturn]] void fail(const char* format, ...) __attribute__((format(printf, 1, 2)));

// The next thread's turn, until this one is ready again.
void yield();
void wait_at_barrier(Place place);
// Until somebody wakes the thread: a memory barrier's place.
void sleep_at(size_t memory_barrier);
void wake(Thread& thread);
void commit_copies();
void finish_copies(unsigned left_in_flight);

// Runs a kernel; 0, or a CUDA driver error code with last_error() saying why.
int run(const Kernel& kernel, dim3 grid, dim3 block, size_t shared_bytes, void** arguments, const Options& options);
const std::string& last_error();

std::vector<Kernel>& kernels();

// Every lane of the mask arrives with its argument; the last one runs action(arguments) for all.
template <class Action>
inline void warp_operation(const char* operation, unsigned mask, void* argument, Place place, Action action) {
    Thread* me = current;
    Warp* warp = me->warp;
    me->place = place;
    if (!(mask >> me->lane & 1)) fail("%s: the mask %08x lacks the calling lane", operation, mask);
    if (mask & ~warp->alive) fail("%s: lanes %08x of the mask have left the kernel", operation, mask & ~warp->alive);
    if (warp->arrived && (warp->operation != operation || warp->expected != mask || warp->place.line != place.line))
        fail("%s in divergent code: other lanes of the warp are in %s at %s:%d", operation, warp->operation, warp->place.file, warp->place.line);
    warp->operation = operation;
    warp->expected = mask;
    warp->place = place;
    warp->arguments[me->lane] = argument;
    warp->arrived |= 1u << me->lane;
    if (warp->arrived == mask) {
        action(warp->arguments);
        warp->arrived = 0;
        warp->ready |= mask;
        return;
    }
    warp->ready &= ~(1u << me->lane);
    yield();
}

}  // namespace emulator
