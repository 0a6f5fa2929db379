/* The kernels for whatever this is compiled for, and nothing beyond: on x86-64 that is SSE2. */
#include "kernels.h"
#define TF_BYTES 16
#define TF_ISA portable
#include "all_kernels.h"
