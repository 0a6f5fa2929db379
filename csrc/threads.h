/* Work shared among threads, and memory to work in. The kernels see these functions alone. */
#pragma once
#include <math.h>
#include <stddef.h>
#include <stdint.h>

namespace tf {

using Body = void (*)(void *context, int64_t i);

/* body(context, i) for i = 0 … n − 1, in any order, by as many threads as are free; returns when all are done.
 * Which thread takes which i is decided as they go (a thread that another program delays takes fewer), so a body must
 * give the same result whichever thread runs it. Within a body, and while another thread holds the pool, it is a plain loop.
 * Throws std::bad_alloc if a body did; they may throw nothing else. */
void parallel(int64_t n, Body body, void *context);

/* At least `bytes` of this thread's memory, on a cache line. Each slot is one block, kept for the next call: what was
 * got before from the same slot is void. Throws std::bad_alloc. */
void *scratch(int slot, size_t bytes);

const char *threading();
int num_threads();
void set_num_threads(int n);

}  // namespace tf
