#include "scheduler.hpp"

#include <signal.h>
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

thread_local Thread* current __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

std::mutex error_lock;
std::string error_text;

constexpr size_t stack_bytes = 128 << 10;

}  // namespace

// Fiber stacks. A thread gets one with its first turn and leaves it when it is done, so that threads that never wait share
// one. Their tops differ in the cache lines that they fall on.
class Stacks {
public:
    char* take() {
        if (free_.empty()) {
            void* stack = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            free_.push_back(static_cast<char*>(stack) + stack_bytes - 64 - all_.size() * 448 % 4096 / 64 * 64);
            all_.push_back(free_.back());
        }
        char* top = free_.back();
        free_.pop_back();
        return top;
    }
    void give_back(char* top) { free_.push_back(top); }
    void give_back_all() { free_ = all_; }

private:
    std::vector<char*> all_, free_;
};

namespace {

// What runs one block after the other; kept from launch to launch.
struct Worker {
    Stacks stacks;
    Block block;
    std::unique_ptr<unsigned char, void (*)(void*)> shared{static_cast<unsigned char*>(std::aligned_alloc(1024, shared_limit + static_shared_capacity)), std::free};
};
std::mutex workers_lock;
std::vector<std::unique_ptr<Worker>> idle_workers;

std::unique_ptr<Worker> borrow_worker() {
    std::lock_guard<std::mutex> hold(workers_lock);
    if (idle_workers.empty()) return std::make_unique<Worker>();
    std::unique_ptr<Worker> worker = std::move(idle_workers.back());
    idle_workers.pop_back();
    return worker;
}

void give_back(std::unique_ptr<Worker> worker) {
    std::lock_guard<std::mutex> hold(workers_lock);
    idle_workers.push_back(std::move(worker));
}

void release(Block* block) {
    for (Warp& warp : block->warps) {
        warp.ready |= warp.at_barrier;
        warp.at_barrier = 0;
    }
    block->barrier.arrived = 0;
    block->epoch++;
}

void leave_kernel() {
    Thread* me = current;
    if (!me->copies.empty()) fail("the thread leaves with a cp.async %s", me->copies.back().group == me->committed_copies ? "that was never committed" : "group that was never waited for");
    if (!me->products.empty()) fail("the thread leaves with a product that was never waited for");
    if (me->warp->arrived) fail("the thread leaves while lanes of its warp are in %s at %s:%d", me->warp->operation, me->warp->place.file, me->warp->place.line);
    if (me->block->barrier.arrived) fail("the thread leaves while others wait at the barrier at %s:%d", me->block->barrier.place.file, me->block->barrier.place.line);
    me->block->alive--;
    me->warp->alive &= ~(1u << me->lane);
    me->warp->ready &= ~(1u << me->lane);
}

void fiber_body();

// The stack pointer to switch to for the thread's turn.
void* begin_turn_of(Thread& thread) {
    current = &thread;
    if (thread.stack == nullptr) {
        thread.stack = thread.block->stacks->take();
        void** top = reinterpret_cast<void**>(thread.stack);
        *--top = nullptr;
        *--top = reinterpret_cast<void*>(fiber_body);
        for (int k = 0; k < 6; k++) *--top = nullptr;
        thread.stack_pointer = top;
    }
    return thread.stack_pointer;
}

// One thread after the other, as long as the next one has no stack of its own yet.
void fiber_body() {
    for (;;) {
        Thread* me = current;
        Block* block = me->block;
        const Launch* launch = block->launch;
        launch->kernel->invoke(launch->kernel->function, launch->arguments);
        leave_kernel();
        Thread* next = block->schedule.next();
        if (next != nullptr && next->stack == nullptr) {
            next->stack = me->stack;
            current = next;
            continue;
        }
        block->stacks->give_back(me->stack);   // nobody takes it before the switch
        emulator_switch(&me->stack_pointer, next != nullptr ? begin_turn_of(*next) : block->caller);
        __builtin_trap();
    }
}

void prepare(Block& block, const Launch& launch, uint3 index, Stacks& stacks, unsigned char* shared) {
    unsigned count = launch.block.x * launch.block.y * launch.block.z;
    block.launch = &launch;
    block.index = index;
    block.alive = count;
    block.barrier = {};
    block.epoch++;
    block.shared = shared;
    block.dynamic_bytes = launch.shared_bytes;
    block.static_bytes = 0;
    block.static_arrays.clear();
    block.memory_barriers.clear();
    block.stacks = &stacks;
    block.failed = false;
    std::memset(shared, 0xFF, launch.shared_bytes);   // NaN as bf16, float and double
    if (!block.shadow) block.shadow = std::make_unique<SharedShadow>();
    block.shadow->start(block, launch.options.check_races);
    block.threads.resize(count);
    block.warps.assign(count / 32, Warp{});
    for (unsigned i = 0; i < count; i++) {
        Thread& t = block.threads[i];
        t.stack_pointer = nullptr;
        t.stack = nullptr;
        t.waits = false;
        t.index = {i % launch.block.x, i / launch.block.x % launch.block.y, i / (launch.block.x * launch.block.y)};
        t.linear = i;
        t.lane = i % 32;
        t.warp = &block.warps[i / 32];
        t.warp->index = i / 32;
        t.block = &block;
        t.place = {"", 0};
        t.copies.clear();
        t.committed_copies = 0;
        t.products.clear();
        t.committed_products = 0;
        t.fenced = false;
        t.warp->threads[t.lane] = &t;
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
    for (Warp& warp : block.warps)
        if (warp.arrived) {
            record(*warp.threads[__builtin_ctz(warp.arrived)], "deadlock: lanes %08x are in %s at %s:%d and wait for lanes %08x", warp.arrived, warp.operation, warp.place.file, warp.place.line, warp.expected & ~warp.arrived);
            return;
        }
    for (Thread& t : block.threads)
        if (t.waits || t.warp->at_barrier >> t.lane & 1) {
            record(t, "deadlock: a thread waits at %s:%d for threads that never come", t.place.file, t.place.line);
            return;
        }
}

// Nobody can go on: now the boxes land that somebody sleeps for. False when there are none.
bool wake_for_boxes(Block& block) {
    bool any = false;
    for (Thread& t : block.threads) {
        if (!t.waits) continue;
        const MemoryBarrier& barrier = block.memory_barriers[t.waits_for];
        if (barrier.pending == 0 && !barrier.boxes.empty()) {
            wake(t);
            any = true;
        }
    }
    return any;
}

void run_block(Block& block, unsigned seed) {
    block.schedule.start(block, seed);
    if (Thread* first = block.schedule.next()) emulator_switch(&block.caller, begin_turn_of(*first));
    block.stacks->give_back_all();
    if (!block.alive)
        for (const auto& [place, barrier] : block.memory_barriers)
            if (!barrier.boxes.empty()) record(block.threads[0], "the block leaves while boxes are on their way to it");
}

}  // namespace

void Schedule::start(Block& block, unsigned seed) {
    block_ = &block;
    seed_ = seed;
    random_ = seed * 0x9E3779B97F4A7C15ull + 1 + block.index.x;
    order_.resize(block.warps.size());
    for (size_t i = 0; i < order_.size(); i++) order_[i] = static_cast<unsigned>(i);
    begin_pass();
}

unsigned Schedule::draw() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return static_cast<unsigned>(random_ >> 33);
}

void Schedule::begin_pass() {
    if (seed_)
        for (size_t i = order_.size() - 1; i > 0; i--) std::swap(order_[i], order_[draw() % (i + 1)]);
    warp_ = 0;
    progress_ = false;
    begin_turn();
}

void Schedule::begin_turn() {
    first_lane_ = seed_ ? draw() % 32 : 0;
    lanes_done_ = 0;
    again_ = false;
}

Thread* Schedule::next() {
    bool interleave = seed_ & 1;
    while (block_->alive && !block_->failed) {
        Warp& warp = block_->warps[order_[warp_]];
        // Lanes from the turn's first one on, as they follow each other in a circle.
        uint64_t circle = (static_cast<uint64_t>(warp.ready) << 32 | warp.ready) >> first_lane_;
        unsigned left = lanes_done_ < 32 ? static_cast<unsigned>(circle) >> lanes_done_ << lanes_done_ : 0;
        if (left) {
            unsigned lane = static_cast<unsigned>(__builtin_ctz(left));
            lanes_done_ = lane + 1;
            progress_ = true;
            again_ = !interleave;
            return warp.threads[(lane + first_lane_) % 32];
        }
        if (again_) {
            begin_turn();
        } else if (++warp_ < order_.size()) {
            begin_turn();
        } else {
            if (block_->launch->failed) return nullptr;
            if (!progress_ && !wake_for_boxes(*block_)) {
                report_deadlock(*block_);
                return nullptr;
            }
            begin_pass();
        }
    }
    return nullptr;
}

void wake(Thread& thread) {
    thread.waits = false;
    thread.warp->ready |= 1u << thread.lane;
}

void sleep_at(size_t memory_barrier) {
    Thread* me = current;
    me->waits = true;
    me->waits_for = memory_barrier;
    me->warp->ready &= ~(1u << me->lane);
    yield();
}

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
    Thread* next = me->block->schedule.next();
    if (next != me) emulator_switch(&me->stack_pointer, next != nullptr ? begin_turn_of(*next) : me->block->caller);
}

void wait_at_barrier(Place place) {
    Thread* me = current;
    Block* block = me->block;
    me->place = place;
    unsigned threads = static_cast<unsigned>(block->threads.size());
    Barrier& barrier = block->barrier;
    if (block->alive != threads) fail("barrier after %u threads of the block have left the kernel", threads - block->alive);
    if (barrier.arrived && (barrier.place.line != place.line || (barrier.place.file != place.file && std::strcmp(barrier.place.file, place.file))))
        fail("divergent barrier: others wait at %s:%d", barrier.place.file, barrier.place.line);
    if (me->warp->arrived) fail("barrier in divergent code: lanes of the warp are in %s at %s:%d", me->warp->operation, me->warp->place.file, me->warp->place.line);
    barrier.place = place;
    if (++barrier.arrived == threads) {
        release(block);
        return;
    }
    me->warp->at_barrier |= 1u << me->lane;
    me->warp->ready &= ~(1u << me->lane);
    yield();
}

void commit_copies() { current->committed_copies++; }

void finish_copies(unsigned left_in_flight) {
    Thread* me = current;
    size_t done = 0;
    for (; done < me->copies.size() && me->copies[done].group + left_in_flight < me->committed_copies; done++) {
        const CopyInFlight& copy = me->copies[done];
        std::memcpy(copy.destination, copy.source, static_cast<size_t>(copy.bytes));
        std::memset(copy.destination + copy.bytes, 0, static_cast<size_t>(copy.total - copy.bytes));
        me->block->shadow->landed(static_cast<size_t>(copy.destination - me->block->shared), static_cast<size_t>(copy.total));
    }
    me->copies.erase(me->copies.begin(), me->copies.begin() + static_cast<ptrdiff_t>(done));
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
        std::unique_ptr<Worker> worker = borrow_worker();
        for (uint64_t i; !launch.failed && (i = next++) < blocks;) {
            prepare(worker->block, launch, {static_cast<unsigned>(i % grid.x), static_cast<unsigned>(i / grid.x % grid.y), static_cast<unsigned>(i / (static_cast<uint64_t>(grid.x) * grid.y))}, worker->stacks, worker->shared.get());
            run_block(worker->block, options.seed);
        }
        give_back(std::move(worker));
    };
    uint64_t workers = std::min<uint64_t>(options.workers ? options.workers : std::max(1u, std::thread::hardware_concurrency()), blocks);
    if (workers == 1) {
        // Starting a thread would cost more than most launches. A managed runtime interrupts its own threads with signals,
        // and its handlers must not find a fiber's stack.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        work();
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    } else {
        std::vector<std::thread> pool;
        for (uint64_t i = 0; i < workers; i++) pool.emplace_back(work);
        for (std::thread& t : pool) t.join();
    }
    return launch.failed ? 700 : 0;   // CUDA_ERROR_ILLEGAL_ADDRESS stands for all that a GPU would not forgive
}

}  // namespace emulator
