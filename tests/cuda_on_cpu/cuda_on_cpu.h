// CUDA C on a CPU, to test kernels where no GPU is: the threads of a block are fibres, blocks run one after the other.
//
// A fibre gives way at __syncthreads() and at shuffles, where it waits for all others. In every other block the threads
// run from last to first, so that a forgotten __syncthreads() shows. Where no thread waits, they are mere calls.
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <utility>

#define __global__
#define __device__ static inline
#define __shared__ static
#define __launch_bounds__(...)

struct dim3 { int x, y, z; };
static dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cpu {

struct Fibre {
    ucontext_t context;
    dim3 index;
    bool done;
    int shuffles;           // so far: two values are kept, since a slow thread may still read the one before
    double given[2];        // to other threads of the warp
    char *stack;
};

static const size_t STACK = 1 << 16;
static Fibre fibres[1024];
static ucontext_t scheduler;
static int current;
static void (*body)(void **);
static void **arguments;

static void give_way() {
    Fibre &own = fibres[current];
    swapcontext(&own.context, &scheduler);
    threadIdx = own.index;
}

static void run_thread() {
    body(arguments);
    fibres[current].done = true;
    give_way();
}

static dim3 index_of(int thread) {
    return {thread % blockDim.x, thread / blockDim.x % blockDim.y, thread / (blockDim.x * blockDim.y)};
}

static void run_block(bool threads_wait, bool last_first) {
    const int count = blockDim.x * blockDim.y * blockDim.z;
    if (count > 1024) abort();
    for (int i = 0; i < count && !threads_wait; i++) {
        threadIdx = index_of(i);
        body(arguments);
    }
    for (int i = 0; i < count && threads_wait; i++) {
        Fibre &fibre = fibres[i];
        fibre.done = false;
        fibre.shuffles = 0;
        fibre.index = index_of(i);
        if (!fibre.stack) fibre.stack = (char *)malloc(STACK);
        getcontext(&fibre.context);
        fibre.context.uc_stack.ss_sp = fibre.stack;
        fibre.context.uc_stack.ss_size = STACK;
        makecontext(&fibre.context, run_thread, 0);
    }
    for (int left = threads_wait ? count : 0; left > 0;) {
        left = 0;
        for (int i = 0; i < count; i++) {
            current = last_first ? count - 1 - i : i;
            if (fibres[current].done) continue;
            threadIdx = fibres[current].index;
            swapcontext(&scheduler, &fibres[current].context);
            left += !fibres[current].done;
        }
    }
}

template <class... A> static std::index_sequence_for<A...> sequence_of(void (*)(A...)) { return {}; }

template <class... A, size_t... I>
static void call(void (*kernel)(A...), void **values, std::index_sequence<I...>) {
    kernel(*(std::remove_reference_t<A> *)values[I]...);
}

static void launch(void (*kernel)(void **), void **values, const int *grid, const int *block, bool threads_wait) {
    body = kernel;
    arguments = values;
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    bool last_first = false;
    for (int z = 0; z < grid[2]; z++)
        for (int y = 0; y < grid[1]; y++)
            for (int x = 0; x < grid[0]; x++) {
                blockIdx = {x, y, z};
                run_block(threads_wait, last_first);
                last_first = !last_first;
            }
}

template <class V> static V from_lane(V value, int lane) {
    const int own = current, slot = fibres[own].shuffles++ % 2;
    memcpy(&fibres[own].given[slot], &value, sizeof value);
    give_way();
    memcpy(&value, &fibres[own / 32 * 32 + lane].given[slot], sizeof value);
    return value;
}

}  // namespace cpu

static void __syncthreads() { cpu::give_way(); }
template <class V> static V __shfl_xor_sync(unsigned, V value, int distance) {
    return cpu::from_lane(value, (cpu::current % 32) ^ distance);
}
