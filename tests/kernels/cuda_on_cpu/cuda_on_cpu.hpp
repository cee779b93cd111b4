// Enough of CUDA for g++ to compile kernels/chrf.cu and a CPU to run it, meant to find what a GPU would only
// sometimes show. Every thread of a block is a fiber; which one runs next is drawn from a seed, at each point where
// lanes meet and, now and then, in the middle of atomic operations. What is checked on the way:
//
//   - lanes that meet do so at the same line of the source and all 32 of them: a `continue` or `return` that only
//     some lanes take is an error;
//   - shared memory starts as rubbish in every block, and what lies behind its end must not change;
//   - a missing __syncwarp shows as a wrong result under some seed: between two meetings lanes run in any order.

#pragma once

#include <ucontext.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(start, size) ((void)(start), (void)(size))
#endif

#define __global__
#define __device__
#define __shared__
#define __forceinline__ inline
#define __restrict__

struct uint4 {
    unsigned x, y, z, w;
};
struct Index {
    int x;
};

// An `extern __shared__` array of the source is this one; 227 KiB is what Hopper gives a block.
constexpr std::size_t MOST_SHARED = 232448;
alignas(16) inline uint4 shared[MOST_SHARED / sizeof(uint4)];
inline Index threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {

constexpr int WARP = 32;
constexpr std::size_t STACK = 64 * 1024;
constexpr unsigned char RUBBISH = 0xa5;
constexpr int PREEMPTED_ONE_IN = 6;

struct Fiber {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(STACK);
    bool done = false;
    bool met = false;      // waits for its warp
    int line = 0;          // where it waits
    unsigned turns = 0;    // how often it has met its warp
};

struct Block {
    ucontext_t scheduler;
    std::vector<Fiber> fibers;
    std::function<void()> body;
    int current = 0;
    std::uint64_t random = 1;
    // Values that lanes exchange, in two sets by turns: a lane may reach its next meeting before another has read.
    std::vector<std::uint64_t> values[2];
};

inline Block* block = nullptr;

inline std::uint64_t draw() {   // xorshift64* (Vigna 2016)
    std::uint64_t& state = block->random;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717ull >> 33;
}

inline void leave() { swapcontext(&block->fibers[block->current].context, &block->scheduler); }

inline void preempt() {
    if (draw() % PREEMPTED_ONE_IN == 0) leave();
}

// Every lane of the warp leaves a value and comes back when all have; gives the warp's 32 values.
inline const std::uint64_t* meet(std::uint64_t value, int line) {
    Fiber& fiber = block->fibers[block->current];
    std::vector<std::uint64_t>& values = block->values[fiber.turns++ % 2];
    values[block->current] = value;
    fiber.met = true;
    fiber.line = line;
    leave();
    return &values[block->current / WARP * WARP];
}

inline void run_fiber() {
    block->body();
    block->fibers[block->current].done = true;
    block->fibers[block->current].line = 0;
    leave();
}

// Lets a warp go on, all of whose lanes wait at the same line or have ended.
inline void release_warp(int first, std::vector<int>& ready) {
    for (int i = first; i < first + WARP; i++) {
        Fiber& fiber = block->fibers[i];
        if (fiber.done != block->fibers[first].done)
            throw std::runtime_error("some lanes of a warp ended while others wait for them");
        if (fiber.line != block->fibers[first].line)
            throw std::runtime_error(
                "lanes of a warp wait at lines " + std::to_string(block->fibers[first].line) + " and " +
                std::to_string(fiber.line));
        fiber.met = false;
        if (!fiber.done) ready.push_back(i);
    }
}

inline void run_block(int threads) {
    std::vector<int> ready, waiting(threads / WARP);
    for (int i = 0; i < threads; i++) {
        Fiber& fiber = block->fibers[i];
        fiber.done = fiber.met = false;
        fiber.line = 0;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.data();
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
        ready.push_back(i);
    }
    while (!ready.empty()) {
        const std::size_t turn = draw() % ready.size();
        const int running = ready[turn], warp = running / WARP;
        block->current = running;
        threadIdx.x = running;
        swapcontext(&block->scheduler, &block->fibers[running].context);
        if (!block->fibers[running].met && !block->fibers[running].done) continue;
        ready[turn] = ready.back();
        ready.pop_back();
        if (++waiting[warp] < WARP) continue;
        waiting[warp] = 0;
        release_warp(warp * WARP, ready);
    }
}

// Empty if all went well, else what went wrong. Blocks run one after another, the last one first.
inline std::string launch(
    int blocks, int threads, std::size_t shared_bytes, std::uint64_t seed, std::function<void()> body
) {
    if (threads % WARP != 0 || shared_bytes > MOST_SHARED) return "impossible launch";
    Block state;
    state.fibers = std::vector<Fiber>(threads);
    state.body = std::move(body);
    state.random = seed * 0x9e3779b97f4a7c15ull | 1;
    for (auto& values : state.values) values.resize(threads);
    block = &state;
    blockDim.x = threads;
    gridDim.x = blocks;
    unsigned char* bytes = reinterpret_cast<unsigned char*>(shared);
    std::string wrong;
    for (blockIdx.x = blocks - 1; blockIdx.x >= 0 && wrong.empty(); blockIdx.x--) {
        std::memset(bytes, RUBBISH, MOST_SHARED);
        ASAN_POISON_MEMORY_REGION(bytes + shared_bytes, MOST_SHARED - shared_bytes);
        try {
            run_block(threads);
        } catch (const std::runtime_error& error) {
            wrong = error.what();
        }
        ASAN_UNPOISON_MEMORY_REGION(bytes + shared_bytes, MOST_SHARED - shared_bytes);
        for (std::size_t i = shared_bytes; i < MOST_SHARED && wrong.empty(); i++)
            if (bytes[i] != RUBBISH) wrong = "written behind the end of shared memory";
    }
    block = nullptr;
    return wrong;
}

}  // namespace cuda_on_cpu

inline void __syncwarp(int line = __builtin_LINE()) { cuda_on_cpu::meet(0, line); }

inline unsigned __ballot_sync(unsigned, bool vote, int line = __builtin_LINE()) {
    const std::uint64_t* votes = cuda_on_cpu::meet(vote, line);
    unsigned result = 0;
    for (int lane = 0; lane < cuda_on_cpu::WARP; lane++) result |= static_cast<unsigned>(votes[lane]) << lane;
    return result;
}

inline int __shfl_xor_sync(unsigned, int value, int distance, int line = __builtin_LINE()) {
    const std::uint64_t* values = cuda_on_cpu::meet(static_cast<unsigned>(value), line);
    return static_cast<int>(static_cast<unsigned>(values[threadIdx.x % cuda_on_cpu::WARP ^ distance]));
}

template <typename Word>
Word atomicCAS(Word* address, Word expected, Word desired) {
    cuda_on_cpu::preempt();
    const Word before = *address;
    if (before == expected) *address = desired;
    cuda_on_cpu::preempt();
    return before;
}

inline int atomicAdd(int* address, int value) {
    cuda_on_cpu::preempt();
    const int before = *address;
    *address = before + value;
    cuda_on_cpu::preempt();
    return before;
}

inline int atomicSub(int* address, int value) { return atomicAdd(address, -value); }
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline double __dadd_rn(double one, double other) { return one + other; }
inline double __dmul_rn(double one, double other) { return one * other; }
inline double __ddiv_rn(double one, double other) { return one / other; }
