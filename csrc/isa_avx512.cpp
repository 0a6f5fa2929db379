/* The kernels for processors with AVX-512. */
#include "kernels.h"
#if defined(__x86_64__) && defined(__GNUC__)
/* In force to the end of the file: templates are instantiated there, and their lambdas take the target that holds
 * then. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi2,prefer-vector-width=512")
#endif
#define TF_BYTES 64
#define TF_ISA avx512
#include "all_kernels.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
