// Enough of CUDA C to run a kernel on the CPU, for kernels whose threads do not wait for each other.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

using std::max; using std::min; using std::pow; using std::sqrt;

#define __global__
#define __device__
#define __forceinline__ inline
#define __restrict__ __restrict

// What a GPU has an instruction for.
inline unsigned short float16_bits(float x)
{
    _Float16 half = static_cast<_Float16>(x);
    unsigned short bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
}

struct Index { unsigned x, y, z; };
static thread_local Index threadIdx, blockIdx;
static Index blockDim, gridDim;

namespace emulation {

// order: 0 forward, 1 reversed, 2 shuffled. workers: CPU threads that share the threads of the grid.
template <class... A, std::size_t... I>
void run(void (*kernel)(A...), void** args, int order, unsigned workers, std::index_sequence<I...>)
{
    std::vector<unsigned> threads(gridDim.x * blockDim.x);
    std::iota(threads.begin(), threads.end(), 0u);
    if (order == 1) std::reverse(threads.begin(), threads.end());
    if (order == 2) std::shuffle(threads.begin(), threads.end(), std::mt19937(7));
    auto work = [&](unsigned worker) {
        for (std::size_t t = worker; t < threads.size(); t += workers) {
            blockIdx = {threads[t] / blockDim.x, 0, 0};
            threadIdx = {threads[t] % blockDim.x, 0, 0};
            kernel(*static_cast<std::remove_reference_t<A>*>(args[I])...);
        }
    };
    if (workers == 1) return work(0);
    std::vector<std::thread> pool;
    for (unsigned w = 0; w < workers; ++w) pool.emplace_back(work, w);
    for (auto& thread : pool) thread.join();
}

template <class... A>
void launch(void (*kernel)(A...), unsigned grid, unsigned block, void** args, int order, int workers)
{
    gridDim = {grid, 1, 1};
    blockDim = {block, 1, 1};
    run(kernel, args, order, workers, std::index_sequence_for<A...>{});
}

}  // namespace emulation

#define EMULATE(kernel)                                                                          \
    extern "C" void kernel##_emulated(unsigned grid, unsigned block, void** args, int order,     \
                                      int workers)                                               \
    { emulation::launch(kernel, grid, block, args, order, workers); }
