// Enough of CUDA C to run a kernel on the CPU. The threads of a launch run one after the other. In
// a source with barriers, the threads of a block are fibers, each with a stack of its own: at a
// barrier a fiber hands over to the next, and goes on when all of its block have come that far.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <ucontext.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

using std::exp; using std::log; using std::max; using std::min; using std::nan; using std::pow;
using std::sqrt;
template <class Number> static Number rsqrt(Number x) { return 1 / sqrt(x); }

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __shared__ static thread_local  // a CPU thread runs one block at a time
#define __syncthreads() emulation::wait(__LINE__)

// What a GPU has an instruction for.
inline unsigned short float16_bits(float x)
{
    _Float16 half = static_cast<_Float16>(x);
    unsigned short bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
}

// On numbers of 4 and 8 bytes.
template <class Number, class Value> static Number atomicAdd(Number* at, Value value)
{
    Number old, sum;
    __atomic_load(at, &old, __ATOMIC_RELAXED);
    do sum = old + static_cast<Number>(value);
    while (!__atomic_compare_exchange(at, &old, &sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}

struct Index { unsigned x, y, z; };
static thread_local Index threadIdx, blockIdx;
static Index blockDim, gridDim;

namespace emulation {

using Body = std::function<void()>;  // what one thread of the launch does

static std::vector<unsigned> numbers(unsigned count, int order)
{
    std::vector<unsigned> all(count);
    std::iota(all.begin(), all.end(), 0u);
    if (order == 1) std::reverse(all.begin(), all.end());
    for (unsigned i = count, bits = 7; order == 2 && i > 1; --i) {  // <random> is slow to compile
        bits = bits * 1664525u + 1013904223u;
        std::swap(all[i - 1], all[(bits >> 8) % i]);
    }
    return all;
}

// ---- fibers. The thread sanitiser takes each for a thread, so that it sees races within a block;
// it is told that a barrier orders them, and not to look at the scheduling itself. ----

#define UNSEEN __attribute__((no_sanitize("thread")))

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    int line = 0;            // of the barrier at which it waits; 0: it has finished
    void* shadow = nullptr;  // the sanitiser's record of it
};

static thread_local Fiber scheduler, *running;
static thread_local const Body* body;
static thread_local char arrived, passed;  // names, for the sanitiser, of the two sides of a barrier

#ifdef __SANITIZE_THREAD__
static void release(char& side) { __tsan_release(&side); }
static void acquire(char& side) { __tsan_acquire(&side); }
#else
static void release(char&) {}
static void acquire(char&) {}
#endif

UNSEEN static void switch_to(Fiber& from, Fiber& to)
{
    running = &to;
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(to.shadow, __tsan_switch_to_fiber_no_sync);
#endif
    swapcontext(&from.context, &to.context);
}

UNSEEN [[maybe_unused]] static void wait(int line)
{
    Fiber* me = running;
    me->line = line;
    release(arrived);
    switch_to(*me, scheduler);
    acquire(passed);
}

UNSEEN static void fiber()
{
    acquire(passed);
    (*body)();
    release(arrived);
    running->line = 0;
    switch_to(*running, scheduler);
}

UNSEEN static void prepare(Fiber& one)
{
    constexpr std::size_t size = 1 << 16;
    if (!one.stack) {
        one.stack.reset(new char[size]);
#ifdef __SANITIZE_THREAD__
        one.shadow = __tsan_create_fiber(0);
#endif
    }
    getcontext(&one.context);
    one.context.uc_stack.ss_sp = one.stack.get();
    one.context.uc_stack.ss_size = size;
    makecontext(&one.context, fiber, 0);
}

// Run a block. Returns 0, or the line of a barrier that some of its threads do not reach.
UNSEEN static int run_block(std::vector<Fiber>& fibers, const std::vector<unsigned>& order)
{
#ifdef __SANITIZE_THREAD__
    scheduler.shadow = __tsan_get_current_fiber();
#endif
    for (Fiber& one : fibers) prepare(one);
    for (;;) {
        release(passed);
        int first = 0, last = 0;
        for (std::size_t i = 0; i < order.size(); ++i) {
            threadIdx = {order[i], 0, 0};
            switch_to(scheduler, fibers[order[i]]);
            int line = fibers[order[i]].line;
            first = i ? min(first, line) : line;
            last = max(last, line);
        }
        acquire(arrived);
        if (first != last) return last;
        if (last == 0) return 0;
    }
}

// ---- launches ----

struct Way {
    int order;         // 0 forward, 1 reversed, 2 shuffled
    unsigned workers;  // CPU threads that share the threads of the grid, or its blocks
};

static void share(Way way, const std::function<void(unsigned)>& work)
{
    std::vector<std::thread> pool;
    for (unsigned worker = 1; worker < way.workers; ++worker) pool.emplace_back(work, worker);
    work(0);
    for (auto& thread : pool) thread.join();
}

static int run_fibers(const Body& kernel, Way way)
{
    auto blocks = numbers(gridDim.x, way.order), order = numbers(blockDim.x, way.order);
    std::atomic<int> missed{0};
    auto work = [&](unsigned worker) {
        std::vector<Fiber> fibers(blockDim.x);
        body = &kernel;
        for (std::size_t b = worker; b < blocks.size() && !missed; b += way.workers) {
            blockIdx = {blocks[b], 0, 0};
            if (int line = run_block(fibers, order)) missed = line;
        }
#ifdef __SANITIZE_THREAD__
        for (Fiber& one : fibers) if (one.shadow) __tsan_destroy_fiber(one.shadow);
#endif
    };
    share(way, work);
    return missed;
}

template <class Kernel>
void run_plain(Kernel kernel, Way way)
{
    auto threads = numbers(gridDim.x * blockDim.x, way.order);
    auto work = [&](unsigned worker) {
        for (std::size_t t = worker; t < threads.size(); t += way.workers) {
            blockIdx = {threads[t] / blockDim.x, 0, 0};
            threadIdx = {threads[t] % blockDim.x, 0, 0};
            kernel();
        }
    };
    share(way, work);
}

template <class... A, std::size_t... I>
int launch(void (*kernel)(A...), void** args, Way way, bool fibers, std::index_sequence<I...>)
{
    auto call = [=] { kernel(*static_cast<std::remove_reference_t<A>*>(args[I])...); };
    if (fibers) return run_fibers(call, way);
    run_plain(call, way);
    return 0;
}

template <class... A>
int launch(void (*kernel)(A...), unsigned grid, unsigned block, void** args, Way way, bool fibers)
{
    gridDim = {grid, 1, 1};
    blockDim = {block, 1, 1};
    return launch(kernel, args, way, fibers, std::index_sequence_for<A...>{});
}

}  // namespace emulation

#define EMULATE(kernel)                                                                          \
    extern "C" int kernel##_emulated(unsigned grid, unsigned block, void** args, int order,      \
                                     int workers, int fibers)                                    \
    { return emulation::launch(kernel, grid, block, args, {order, unsigned(workers)}, fibers); }
