/* A graphics card in a hundred lines, so that the kernels can be run and tested where there is none: g++ -x c++
 * matmul.cu …
 *
 * Blocks run one after another. Within a block each thread is a fiber (ucontext): it runs until it comes to
 * __syncthreads or ends, then the next one does, and when all have come the next round begins. Slow, but the arithmetic
 * is the kernel's, and mistakes that hide on a real device show:
 *
 *      a missing __syncthreads     threads of a round run in forward, backward or shuffled order (shim_order), each to
 *                                  the end of the round, so that who reads too early or overwrites too early does
 *      unwritten shared memory     is NaN at the start of every block
 *      a barrier that some threads do not reach, or different ones: an error that names the lines
 *      out of bounds               an allocation has the size that was asked for: AddressSanitizer sees what is beyond
 */
#pragma once
#include <link.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __launch_bounds__(threads)
#define __shared__ static thread_local /* which gathers it in one place: see poison() */

struct dim3 {
    unsigned x, y, z;
    dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorLaunchFailure = 719
};

namespace shim {

struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack;
    int line; /* of the barrier where it waits; 0: it has ended */
};
constexpr size_t STACK = 1 << 16;

inline std::mutex one_at_a_time;
inline std::vector<Fiber> fibers;
inline ucontext_t scheduler;
inline size_t current;
inline std::function<void()> kernel;
inline std::string error;
inline int order = 0;       /* 0 forward, 1 backward, else the seed of a shuffle */
inline bool present = true; /* false: as if there were no card */

/* All ones, which is NaN in any precision, over the thread-local memory of this library: that is where __shared__
 * lies. */
inline void poison() {
    static thread_local volatile char touched;
    touched = touched + 1; /* it exists from its first use on */
    dl_iterate_phdr(
        [](dl_phdr_info *library, size_t, void *inside) {
            const ElfW(Phdr) *shared = nullptr;
            bool ours = false;
            for (int i = 0; i < library->dlpi_phnum; i++) {
                const ElfW(Phdr) &part = library->dlpi_phdr[i];
                if (part.p_type == PT_TLS) shared = &part;
                if (part.p_type == PT_LOAD)
                    ours |= (uintptr_t)inside - library->dlpi_addr - part.p_vaddr < part.p_memsz;
            }
            if (ours && shared && library->dlpi_tls_data) memset(library->dlpi_tls_data, 0xff, shared->p_memsz);
            return int(ours);
        },
        (void *)&order);
}

inline void run_fiber() {
    kernel();
    fibers[current].line = 0; /* and on to the scheduler, uc_link */
}

/* One block: rounds from barrier to barrier until all threads have ended. */
inline bool run_block(dim3 threads, std::mt19937 &random) {
    const size_t n = size_t(threads.x) * threads.y * threads.z;
    while (fibers.size() < n) fibers.push_back({{}, std::make_unique<char[]>(STACK), 0});
    std::vector<size_t> turn(n);
    for (size_t i = 0; i < n; i++) {
        turn[i] = order == 1 ? n - 1 - i : i;
        getcontext(&fibers[i].context);
        fibers[i].context.uc_stack.ss_sp = fibers[i].stack.get();
        fibers[i].context.uc_stack.ss_size = STACK;
        fibers[i].context.uc_link = &scheduler;
        makecontext(&fibers[i].context, run_fiber, 0);
    }
    poison();
    for (;;) {
        if (order > 1) std::shuffle(turn.begin(), turn.end(), random);
        for (size_t i : turn) {
            current = i;
            threadIdx =
                dim3(unsigned(i % threads.x), unsigned(i / threads.x % threads.y), unsigned(i / threads.x / threads.y));
            swapcontext(&scheduler, &fibers[i].context);
        }
        const int line = fibers[0].line;
        for (size_t i = 1; i < n; i++)
            if (fibers[i].line != line) {
                const auto where = [](int line) {
                    return line ? "waits at the barrier in line " + std::to_string(line) : "has ended";
                };
                error = "threads part at a barrier: thread 0 " + where(line) + ", thread " + std::to_string(i) + " "
                        + where(fibers[i].line);
                fibers.clear();
                return false;
            }
        if (line == 0) return true;
    }
}

inline void launch(std::function<void()> body, unsigned blocks, dim3 threads) {
    const std::lock_guard<std::mutex> lock(one_at_a_time);
    std::mt19937 random(order);
    kernel = std::move(body);
    gridDim = dim3(blocks), blockDim = threads;
    error.clear();
    for (unsigned block = 0; block < blocks; block++) {
        blockIdx = dim3(block);
        if (!run_block(threads, random)) return;
    }
}

}  // namespace shim

#define SHIM_EXPORT extern "C" __attribute__((visibility("default"), used)) inline
SHIM_EXPORT void shim_order(int order) { shim::order = order; }
SHIM_EXPORT void shim_present(int present) { shim::present = present; }

inline void __syncthreads(int line = __builtin_LINE()) {
    shim::Fiber &fiber = shim::fibers[shim::current];
    fiber.line = line;
    swapcontext(&fiber.context, &shim::scheduler);
}

enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
struct cudaDeviceProp {
    char name[256];
};

inline cudaError_t cudaMalloc(void **to, size_t bytes) {
    *to = malloc(bytes);
    if (!*to) return cudaErrorMemoryAllocation;
    memset(*to, 0xff, bytes); /* NaN until it is written */
    return cudaSuccess;
}
inline cudaError_t cudaFree(void *data) { return free(data), cudaSuccess; }
inline cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, cudaMemcpyKind) {
    return memcpy(to, from, bytes), cudaSuccess;
}
inline cudaError_t cudaGetLastError() { return shim::error.empty() ? cudaSuccess : cudaErrorLaunchFailure; }
inline cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
inline cudaError_t cudaGetDeviceCount(int *count) {
    return *count = shim::present, *count ? cudaSuccess : cudaErrorNoDevice;
}
inline cudaError_t cudaGetDevice(int *device) { return *device = 0, cudaSuccess; }
inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
    return strcpy(properties->name, "this processor, as a graphics card"), cudaSuccess;
}
inline const char *cudaGetErrorString(cudaError_t error) {
    return error == cudaErrorLaunchFailure ? shim::error.c_str() : "an error that only CUDA has";
}
