#include "scheduler.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "shared_memory.hpp"

// Saves the callee-saved registers of one fiber and restores those of another (System V x86-64).
extern "C" void emulator_switch(void** save, void* load);
asm(R"(
.text
.globl emulator_switch
.type emulator_switch,@function
emulator_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp,(%rdi)
    mov %rsi,%rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
.size emulator_switch,.-emulator_switch
)");

namespace emulator {

thread_local Thread* current = nullptr;

namespace {

std::mutex error_lock;
std::string error_text;

constexpr size_t stack_bytes = 128 << 10;

// Fiber stacks, kept from launch to launch; each OS thread borrows a set.
struct Stacks {
    std::vector<char*> stacks;
    char* get(size_t i) {
        while (stacks.size() <= i) {
            void* stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            stacks.push_back(static_cast<char*>(stack));
        }
        return stacks[i];
    }
};
std::mutex stacks_lock;
std::vector<std::unique_ptr<Stacks>> idle_stacks;

std::unique_ptr<Stacks> borrow_stacks() {
    std::lock_guard<std::mutex> hold(stacks_lock);
    if (idle_stacks.empty()) return std::make_unique<Stacks>();
    std::unique_ptr<Stacks> stacks = std::move(idle_stacks.back());
    idle_stacks.pop_back();
    return stacks;
}

void give_back(std::unique_ptr<Stacks> stacks) {
    std::lock_guard<std::mutex> hold(stacks_lock);
    idle_stacks.push_back(std::move(stacks));
}

void release(Block* block) {
    for (Thread& t : block->threads)
        if (t.state == State::at_barrier) t.state = State::ready;
    block->barrier.arrived = 0;
    block->epoch++;
}

void fiber_body() {
    Thread* me = current;
    const Launch* launch = me->block->launch;
    launch->kernel->invoke(launch->kernel->function, launch->arguments);
    if (!me->open_copies.empty()) fail("the thread leaves with a cp.async that was never committed");
    if (!me->products.empty()) fail("the thread leaves with a product that was never waited for");
    if (!me->copies.empty()) fail("the thread leaves with a cp.async group that was never waited for");
    if (me->warp->arrived) fail("the thread leaves while lanes of its warp are in %s at %s:%d", me->warp->operation, me->warp->place.file, me->warp->place.line);
    if (me->block->barrier.arrived) fail("the thread leaves while others wait at the barrier at %s:%d", me->block->barrier.place.file, me->block->barrier.place.line);
    me->state = State::done;
    me->block->alive--;
    me->warp->alive &= ~(1u << me->lane);
    yield();
    __builtin_trap();
}

void prepare(Block& block, const Launch& launch, uint3 index, Stacks& stacks, unsigned char* shared) {
    unsigned count = launch.block.x * launch.block.y * launch.block.z;
    block.launch = &launch;
    block.index = index;
    block.alive = count;
    block.shared = shared;
    block.dynamic_bytes = launch.shared_bytes;
    std::memset(shared, 0xFF, launch.shared_bytes);   // NaN as bf16, float and double
    block.shadow = std::make_unique<SharedShadow>(launch.shared_bytes, launch.options.check_races);
    block.threads = std::vector<Thread>(count);
    block.warps = std::vector<Warp>(count / 32);
    for (unsigned i = 0; i < count; i++) {
        Thread& t = block.threads[i];
        t.index = {i % launch.block.x, i / launch.block.x % launch.block.y, i / (launch.block.x * launch.block.y)};
        t.linear = i;
        t.lane = i % 32;
        t.warp = &block.warps[i / 32];
        t.warp->index = i / 32;
        t.block = &block;
        t.warp->threads[t.lane] = &t;
        void** top = reinterpret_cast<void**>(stacks.get(i) + stack_bytes - 64);
        *--top = nullptr;
        *--top = reinterpret_cast<void*>(fiber_body);
        for (int k = 0; k < 6; k++) *--top = nullptr;
        t.stack_pointer = top;
    }
}

// Notes the first error of a launch, with where the thread was; every block stops at its next turn.
void record(Thread& thread, const char* format, va_list arguments) {
    char what[640], where[384];
    vsnprintf(what, sizeof what, format, arguments);
    Block& block = *thread.block;
    snprintf(where, sizeof where, " [%s, block (%u,%u,%u), thread (%u,%u,%u)%s%s:%d]", block.launch->kernel->name, block.index.x, block.index.y, block.index.z,
             thread.index.x, thread.index.y, thread.index.z, thread.place.line ? ", last at " : "", thread.place.file, thread.place.line);
    std::lock_guard<std::mutex> hold(error_lock);
    if (!block.launch->failed.exchange(true)) error_text = std::string(what) + where;
    block.failed = true;
}

void record(Thread& thread, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(thread, format, arguments);
    va_end(arguments);
}

void report_deadlock(Block& block) {
    for (Thread& t : block.threads)
        if (t.state == State::at_warp_operation) {
            record(t, "deadlock: lanes %08x are in %s at %s:%d and wait for lanes %08x", t.warp->arrived, t.warp->operation, t.warp->place.file, t.warp->place.line, t.warp->expected & ~t.warp->arrived);
            return;
        }
    for (Thread& t : block.threads)
        if (t.state == State::at_barrier || t.state == State::at_wait) {
            record(t, "deadlock: a thread waits at %s:%d for threads that never come", t.place.file, t.place.line);
            return;
        }
}

// Nobody can go on: now the boxes land that somebody sleeps for. False when there are none.
bool wake_for_boxes(Block& block) {
    bool any = false;
    for (Thread& t : block.threads) {
        if (t.state != State::at_wait) continue;
        const MemoryBarrier& barrier = block.memory_barriers[t.waits_for];
        if (barrier.pending == 0 && !barrier.boxes.empty()) {
            t.state = State::ready;
            any = true;
        }
    }
    return any;
}

void resume(Block& block, Thread& thread) {
    current = &thread;
    emulator_switch(&block.scheduler, thread.stack_pointer);
}

// Passes over the warps until all threads are done. The seed decides the order of warps and lanes in each pass, and
// whether a warp goes on as far as it can before the next one gets its turn.
void run_block(Block& block, unsigned seed) {
    std::vector<unsigned> order(block.warps.size());
    for (size_t i = 0; i < order.size(); i++) order[i] = static_cast<unsigned>(i);
    uint64_t random = seed * 0x9E3779B97F4A7C15ull + 1 + block.index.x;
    auto next = [&random] {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        return static_cast<unsigned>(random >> 33);
    };
    bool interleave = seed & 1;
    while (block.alive && !block.failed) {
        bool progress = false;
        if (seed)
            for (size_t i = order.size() - 1; i > 0; i--) std::swap(order[i], order[next() % (i + 1)]);
        for (unsigned w : order) {
            Warp& warp = block.warps[w];
            bool again = true;
            while (again && !block.failed) {
                again = false;
                unsigned first = seed ? next() % 32 : 0;
                for (unsigned i = 0; i < 32 && !block.failed; i++) {
                    Thread& t = *warp.threads[(i ^ first) & 31];
                    if (t.state != State::ready) continue;
                    resume(block, t);
                    progress = true;
                    again = !interleave;
                }
            }
            if (block.failed) return;
        }
        if (!progress && block.alive && !block.failed && !wake_for_boxes(block)) report_deadlock(block);
        if (!block.alive)
            for (const auto& [place, barrier] : block.memory_barriers)
                if (!barrier.boxes.empty()) record(block.threads[0], "the block leaves while boxes are on their way to it");
        if (block.launch->failed) return;
    }
}

}  // namespace

void fail(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(*current, format, arguments);
    va_end(arguments);
    yield();
    __builtin_trap();
}

void yield() {
    Thread* me = current;
    emulator_switch(&me->stack_pointer, me->block->scheduler);
}

void wait_at_barrier(Place place) {
    Thread* me = current;
    Block* block = me->block;
    me->place = place;
    unsigned threads = static_cast<unsigned>(block->threads.size());
    Barrier& barrier = block->barrier;
    if (block->alive != threads) fail("barrier after %u threads of the block have left the kernel", threads - block->alive);
    if (barrier.arrived && (barrier.place.line != place.line || std::strcmp(barrier.place.file, place.file)))
        fail("divergent barrier: others wait at %s:%d", barrier.place.file, barrier.place.line);
    if (me->warp->arrived) fail("barrier in divergent code: lanes of the warp are in %s at %s:%d", me->warp->operation, me->warp->place.file, me->warp->place.line);
    barrier.place = place;
    if (++barrier.arrived == threads) {
        release(block);
        return;
    }
    me->state = State::at_barrier;
    yield();
}

void commit_copies() {
    Thread* me = current;
    me->copies.push_back(std::move(me->open_copies));
    me->open_copies.clear();
}

void finish_copies(unsigned left_in_flight) {
    Thread* me = current;
    while (me->copies.size() > left_in_flight) {
        for (const CopyInFlight& copy : me->copies.front()) {
            std::memcpy(copy.destination, copy.source, static_cast<size_t>(copy.bytes));
            std::memset(copy.destination + copy.bytes, 0, static_cast<size_t>(copy.total - copy.bytes));
            me->block->shadow->landed(copy.destination - me->block->shared, static_cast<size_t>(copy.total));
        }
        me->copies.erase(me->copies.begin());
    }
}

std::vector<Kernel>& kernels() {
    static std::vector<Kernel> all;
    return all;
}

const std::string& last_error() { return error_text; }

int run(const Kernel& kernel, dim3 grid, dim3 block, size_t shared_bytes, void** arguments, const Options& options) {
    auto refuse = [&](const std::string& why) {
        std::lock_guard<std::mutex> hold(error_lock);
        error_text = why + " [" + kernel.name + "]";
        return 1;   // CUDA_ERROR_INVALID_VALUE
    };
    uint64_t threads = static_cast<uint64_t>(block.x) * block.y * block.z;
    uint64_t blocks = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
    if (blocks == 0 || grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535) return refuse("grid (" + std::to_string(grid.x) + "," + std::to_string(grid.y) + "," + std::to_string(grid.z) + ") is empty or too large");
    if (threads != kernel.threads) return refuse("blocks of " + std::to_string(threads) + " threads; the kernel's launch bounds say " + std::to_string(kernel.threads));
    if (shared_bytes > shared_limit) return refuse(std::to_string(shared_bytes) + " bytes of shared memory; a block has " + std::to_string(shared_limit));
    Launch launch{&kernel, grid, block, shared_bytes, arguments, options};
    std::atomic<uint64_t> next{0};
    auto work = [&] {
        std::unique_ptr<Stacks> stacks = borrow_stacks();
        std::unique_ptr<unsigned char, void (*)(void*)> shared(static_cast<unsigned char*>(std::aligned_alloc(1024, (shared_bytes + static_shared_capacity + 1023) / 1024 * 1024)), std::free);
        for (uint64_t i; !launch.failed && (i = next++) < blocks;) {
            Block one;
            prepare(one, launch, {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y), static_cast<unsigned>(i / (static_cast<uint64_t>(grid.x) * grid.y))}, *stacks, shared.get());
            run_block(one, options.seed);
        }
        give_back(std::move(stacks));
    };
    // Never on the caller's own thread: a managed runtime may interrupt that one with signals while a fiber's stack is in use.
    uint64_t workers = options.workers ? options.workers : std::max(1u, std::thread::hardware_concurrency());
    std::vector<std::thread> pool;
    for (uint64_t i = 0; i < std::min(workers, blocks); i++) pool.emplace_back(work);
    for (std::thread& t : pool) t.join();
    return launch.failed ? 700 : 0;   // CUDA_ERROR_ILLEGAL_ADDRESS stands for all that a GPU would not forgive
}

}  // namespace emulator
