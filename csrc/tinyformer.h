/* The C interface of tinyformer's kernels: plain C, no Python, no C++ type crosses it.
 *
 * Every contract stands here. The rules that hold for all functions:
 *
 *   types      `type` is TF_FLOAT32 or TF_FLOAT64; every array of a call has that type unless its comment says otherwise.
 *   strides    count elements, not bytes. They may be negative or zero, and inputs may overlap one another.
 *   outputs    overlap nothing else, and no two of their entries share memory, unless a comment allows it.
 *   alignment  that of one element is enough.
 *   sizes      0 is allowed everywhere: outputs without entries are left alone, sums over nothing are 0.
 *   returns    TF_OK, or a negative code; then nothing has been written.
 *   threads    any function may be called from any thread. One call at a time gets the thread pool, others run on the
 *              thread that calls. Results are the same bits for any number of threads.
 */
#ifndef TINYFORMER_H
#define TINYFORMER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef TF_EXPORT
#define TF_EXPORT
#endif

/* cffi reads from here */

enum { TF_FLOAT32 = 0, TF_FLOAT64 = 1 };

enum {
    TF_OK = 0,
    TF_BAD_TYPE = -1,    /* type is none of the above */
    TF_BAD_SHAPE = -2,   /* a negative length, too many axes, or heads that key heads do not divide */
    TF_BAD_POINTER = -3, /* NULL where entries are to be read or written */
    TF_BAD_STRIDE = -4,  /* an output whose entries would share memory */
    TF_BAD_VALUE = -5,   /* an index or another argument out of range */
    TF_NO_MEMORY = -6
};

/* What a code means, in English; never NULL. */
TF_EXPORT const char *tf_message(int code);

/* ---------------------------------------------------------------- processor and threads */

/* The instruction set in use: "avx512", "avx2", "neon" or "portable". */
TF_EXPORT const char *tf_isa(void);

/* Use `name`; TF_BAD_VALUE if this processor or this build lacks it. At start it is the best that the processor has, or
 * what the environment variable TINYFORMER_ISA says. Not while another call runs. */
TF_EXPORT int tf_use_isa(const char *name);

/* At most n threads a call, n ≥ 1. At start: TINYFORMER_NUM_THREADS, or one for each processor of this process. */
TF_EXPORT int tf_set_num_threads(int n);
TF_EXPORT int tf_get_num_threads(void);

/* "pool" (std::thread) or "openmp". */
TF_EXPORT const char *tf_threading(void);

/* Run independent multiply-adds on one thread; returns how many were done (2 floating-point operations each). For benchmarks. */
TF_EXPORT int64_t tf_peak(int type, int64_t rounds);

/* ---------------------------------------------------------------- matrix product */

enum { TF_MAX_AXES = 6 };

typedef struct {
    const void *data;
    int64_t row, column;      /* strides of the two axes of a matrix */
    const int64_t *batch;     /* stride of each batch axis; NULL if there is none */
} tf_matrices;

/* What is done to each entry of the result while it is still in registers, in this order. NULL leaves a step out. */
typedef struct {
    const void *bias;         /* (N), contiguous, added to each row; the same for the whole batch */
    void *preactivation;      /* if not NULL: the sum so far is kept here (laid out as C), and C gets its GELU, tanh form */
    const void *residual;     /* laid out as C, added last; may be C itself */
} tf_epilogue;

/* C ← epilogue(alpha A B + beta C) for each matrix of a batch.   A (M, K), B (K, N), C (M, N).
 *
 * batch_shape has batch_axes ≤ TF_MAX_AXES lengths. A and B have any strides, so a transpose is a swap of two numbers. C has
 * column stride 1 and row stride ≥ N. beta = 0 does not read C. Sums run over k in order, in the type of the entries:
 * the error of an entry is at most (K + 2) u Σ|a||b| with u = 2⁻²⁴ (2⁻⁵³). epilogue may be NULL. */
TF_EXPORT int tf_matmul(int type, int batch_axes, const int64_t *batch_shape, int64_t M, int64_t N, int64_t K,
                        double alpha, const tf_matrices *A, const tf_matrices *B, double beta, const tf_matrices *C,
                        const tf_epilogue *epilogue);

/* ---------------------------------------------------------------- attention */

typedef struct {
    void *data;               /* NULL: absent, where that is allowed */
    int64_t stride[4];        /* of (B, H, T, width) */
} tf_tensor4;

typedef struct {
    int64_t B, H, G, T, S, D, E;   /* batch, query heads, key heads (G divides H), queries, keys, width of keys, of values */
    double scale;
    int is_causal;                 /* query t sees keys 0…t */
} tf_attention;

/* O = (softmax(scale · Q Kᵀ + bias) ∘ keep) V, and L = ln Σ exp of each row, which the backward pass needs.
 *
 * Q (B, H, T, D), K (B, G, S, D), V (B, G, S, E), O (B, H, T, E), bias and keep (B, H, T, S) or absent, L contiguous (B, H, T).
 * Query head h reads key head h / (H/G). A query with nothing to see gives zeros, and L = −inf. Memory beyond the arguments:
 * O((S + T) (D + E)) a thread. */
TF_EXPORT int tf_attention_forward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K,
                                   const tf_tensor4 *V, const tf_tensor4 *bias, const tf_tensor4 *keep,
                                   const tf_tensor4 *O, void *L);

/* The gradients of all that went in, from that of O. dK and dV are (B, H, S, ·): a slice for each query head, to be summed
 * over those that share a key head. dS, the gradient of bias, (B, H, T, S), or absent. */
TF_EXPORT int tf_attention_backward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K,
                                    const tf_tensor4 *V, const tf_tensor4 *bias, const tf_tensor4 *keep,
                                    const tf_tensor4 *O, const void *L, const tf_tensor4 *dO,
                                    const tf_tensor4 *dQ, const tf_tensor4 *dK, const tf_tensor4 *dV, const tf_tensor4 *dS);

/* to here */

#ifdef __cplusplus
}
#endif
#endif
