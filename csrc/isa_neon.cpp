/* The kernels for 64-bit ARM, where NEON is always there. */
#include "kernels.h"
#if defined(__aarch64__) && defined(__GNUC__)
#define TF_BYTES 16
#define TF_ISA neon
#include "all_kernels.h"
#endif
