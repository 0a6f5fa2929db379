/* The C interface of tinyformer's kernels: plain C, no Python, no C++ type crosses it.
 *
 * Every contract stands here. The rules that hold for all functions:
 *
 *   types      `type` is TF_FLOAT32 or TF_FLOAT64; every array of a call has that type unless its comment says
 *              otherwise.
 *   strides    count elements, not bytes. They may be negative or zero, and inputs may overlap one another.
 *   outputs    overlap nothing else, and no two of their entries share memory, unless a comment allows it.
 *   alignment  that of one element is enough.
 *   sizes      0 is allowed everywhere: outputs without entries are left alone, sums over nothing are 0.
 *   returns    TF_OK, or a negative code; then nothing has been written (but at TF_NO_MEMORY a part of the outputs may
 *              be).
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
    TF_NO_MEMORY = -6,
    TF_CUDA = -100 /* TF_CUDA − e: CUDA's error e (cuda/) */
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

/* Run independent multiply-adds on one thread; returns how many were done (2 floating-point operations each). For
 * benchmarks. */
TF_EXPORT int64_t tf_peak(int type, int64_t rounds);

/* ---------------------------------------------------------------- matrix product */

enum { TF_MAX_AXES = 6 };

typedef struct {
    const void *data;
    int64_t row, column;  /* strides of the two axes of a matrix */
    const int64_t *batch; /* stride of each batch axis; NULL if there is none */
} tf_matrices;

/* What is done to each entry of the result while it is still in registers, in this order. NULL leaves a step out. */
typedef struct {
    const void *bias;     /* (N), contiguous, added to each row; the same for the whole batch */
    void *preactivation;  /* if not NULL: the sum so far is kept here (laid out as C), and C gets its GELU, tanh form */
    const void *residual; /* laid out as C, added last; may be C itself */
} tf_epilogue;

/* C ← epilogue(alpha A B + beta C) for each matrix of a batch.   A (M, K), B (K, N), C (M, N).
 *
 * batch_shape has batch_axes ≤ TF_MAX_AXES lengths. A and B have any strides, so a transpose is a swap of two numbers.
 * C has column stride 1 and row stride ≥ N. beta = 0 does not read C. Sums are in the type of the entries, in an order
 * that depends on shapes and strides alone:
 * the error of an entry is at most (K + 2) u Σ|a||b| with u = 2⁻²⁴ (2⁻⁵³). epilogue may be NULL. */
TF_EXPORT int tf_matmul(int type, int batch_axes, const int64_t *batch_shape, int64_t M, int64_t N, int64_t K,
                        double alpha, const tf_matrices *A, const tf_matrices *B, double beta, const tf_matrices *C,
                        const tf_epilogue *epilogue);

/* ---------------------------------------------------------------- attention */

typedef struct {
    void *data;        /* NULL: absent, where that is allowed */
    int64_t stride[4]; /* of (B, H, T, width) */
} tf_tensor4;

typedef struct {
    /* batch, query heads, key heads (G divides H), queries, keys, width of keys, of values */
    int64_t B, H, G, T, S, D, E;
    double scale;
    int is_causal; /* query t sees keys 0…t */
} tf_attention;

/* O = (softmax(S) ⊙ keep) V with S = scale · Q Kᵀ + bias, and L, which the backward pass needs: the largest score of
 * each row, and behind all of those the sums Σ exp(S − max S).
 *
 * Q (B, H, T, D), K (B, G, S, D), V (B, G, S, E), O (B, H, T, E), bias and keep (B, H, T, S) or absent, L contiguous
 * (2, B, H, T). Query head h reads key head h / (H/G). A query with nothing to see gives zeros, and a sum of 0. Memory
 * beyond the arguments: O((S + T) (D + E)) a thread. */
TF_EXPORT int tf_attention_forward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K,
                                   const tf_tensor4 *V, const tf_tensor4 *bias, const tf_tensor4 *keep,
                                   const tf_tensor4 *O, void *L);

/* The gradients of all that went in, from that of O. dK and dV are (B, H, S, ·): a slice for each query head, to be
 * summed over those that share a key head. dS, the gradient of bias, (B, H, T, S), or absent. */
TF_EXPORT int tf_attention_backward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K,
                                    const tf_tensor4 *V, const tf_tensor4 *bias, const tf_tensor4 *keep,
                                    const tf_tensor4 *O, const void *L, const tf_tensor4 *dO, const tf_tensor4 *dQ,
                                    const tf_tensor4 *dK, const tf_tensor4 *dV, const tf_tensor4 *dS);

/* ---------------------------------------------------------------- the rest of a training step
 *
 * Arrays are contiguous. x and y (N, C) unless said otherwise. A backward function is given what went into the forward
 * one, and what that says is kept for it. */

/* y = (x − mean) · inverse ⊙ weight + bias, with inverse = 1/√(mean (x − mean)² + eps) of each row.
 * weight and bias (C) or NULL; mean and inverse (N) are kept for the backward pass. mean NULL: RMS norm, with 0 for the
 * mean. */
TF_EXPORT int tf_norm_forward(int type, int64_t N, int64_t C, const void *x, const void *weight, const void *bias,
                              double eps, void *y, void *mean, void *inverse);

/* dx (N, C), dweight and dbias (C), the last two or NULL. */
TF_EXPORT int tf_norm_backward(int type, int64_t N, int64_t C, const void *x, const void *weight, const void *mean,
                               const void *inverse, const void *dy, void *dx, void *dweight, void *dbias);

/* Softmax of each row; a row of −inf gives zeros. The backward pass needs y alone. */
TF_EXPORT int tf_softmax_forward(int type, int64_t N, int64_t C, const void *x, void *y);
TF_EXPORT int tf_softmax_backward(int type, int64_t N, int64_t C, const void *y, const void *dy, void *dx);

/* losses (N) of each row of logits (N, V), V ≥ 1: −Σ t ln softmax, where t is 1 − smoothing at the target and
 * smoothing/V in addition everywhere. A row whose target is negative costs 0. sums (N), Σ exp(x − max x) of each row,
 * is kept. TF_BAD_VALUE: a target of V or more. */
TF_EXPORT int tf_cross_entropy_forward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets,
                                       double smoothing, void *losses, void *sums);

/* dlogits (N, V) from weights (N), the gradient of each row's loss. */
TF_EXPORT int tf_cross_entropy_backward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets,
                                        double smoothing, const void *sums, const void *weights, void *dlogits);

/* GELU in its tanh form, SiLU, and the exact GELU, with the error function */
enum { TF_GELU_TANH = 0, TF_SILU = 1, TF_GELU = 2 };

/* n numbers; TF_BAD_VALUE: no such kind. */
TF_EXPORT int tf_activation_forward(int type, int kind, int64_t n, const void *x, void *y);
TF_EXPORT int tf_activation_backward(int type, int kind, int64_t n, const void *x, const void *dy, void *dx);

/* y = x / (1 − p) where the draw, float32 in [0, 1), is at least p, else 0; 0 ≤ p < 1. Its own backward pass. */
TF_EXPORT int tf_dropout(int type, int64_t n, const void *x, const float *draws, double p, void *y);

/* dweight (V, C) from dy (N, C): dweight[v] = Σ dy[i] over indices[i] = v. TF_BAD_VALUE: an index outside of 0…V −
 * 1. */
TF_EXPORT int tf_embedding_gradient(int type, int64_t V, int64_t C, int64_t N, const int64_t *indices, const void *dy,
                                    void *dweight);

/* Windows over pictures. Window (p, q) meets x at row stride[0]·p + dilation[0]·i − padding[0], column stride[1]·q +
 * dilation[1]·j − padding[1] for entry (i, j) of the kernel. */
typedef struct {
    int64_t N, C, H, W; /* pictures, channels, height, width: x is (N, C, H, W) */
    int64_t O, P, Q;    /* y is (N, O, P, Q): P · Q windows */
    int64_t kh, kw;     /* the kernel, at least 1 × 1 */
    int64_t groups;     /* at least 1, divides C and O: channels of y see those of x in the same group */
    int64_t stride[2], padding[2], dilation[2]; /* of rows and of columns; at least 1, 0, 1 */
} tf_conv;

/* y = bias + Σ weight ⊙ window, where what lies outside of x is 0. weight (O, C/groups, kh, kw), bias (O) or NULL. */
TF_EXPORT int tf_conv_forward(int type, const tf_conv *p, const void *x, const void *weight, const void *bias, void *y);

/* dx (N, C, H, W) from dy (N, O, P, Q), and dweight. */
TF_EXPORT int tf_conv_input_gradient(int type, const tf_conv *p, const void *dy, const void *weight, void *dx);
TF_EXPORT int tf_conv_weight_gradient(int type, const tf_conv *p, const void *dy, const void *x, void *dweight);

/* y = the maximum of each window, indices (N, C, P, Q) its pixel row · W + column, for O = C and one group: the first
 * among equal ones, the last NaN if there is one, −1 (and y −inf) for a window that meets no pixel. */
TF_EXPORT int tf_max_pool_forward(int type, const tf_conv *p, const void *x, void *y, int64_t *indices);

/* dx from dy: each window's goes to its pixel. TF_BAD_VALUE: an index of H · W or more. */
TF_EXPORT int tf_max_pool_backward(int type, const tf_conv *p, const void *dy, const int64_t *indices, void *dx);

typedef struct {
    int64_t T, B, H;        /* times, sequences, width of the state */
    const int64_t *lengths; /* (B), 0 ≤ length ≤ T, how far each sequence goes; NULL: all to T */
    int reverse;            /* walk from the last time to the first */
} tf_lstm;

/* The recurrent part of an LSTM. gates (T, B, 4H) comes with what the inputs give to the gates i, f, g, o, and is
 * replaced by the gates themselves:
 *     [i, f, g, o] = gates_t + h₋ Wᵀ,  σ of i, f, o, tanh of g        c = f ⊙ c₋ + i ⊙ g        h = o ⊙ tanh c
 * h and c (T + 1, B, H) stand between the times: h[t] before time t, h[t + 1] after it; with reverse the other way
 * round. The first of them, h[0] or with reverse h[T], is given, the rest is written. weight W (4H, H). Beyond its
 * length a sequence keeps its state, and its gates are of no meaning. TF_BAD_VALUE: a length out of range. */
TF_EXPORT int tf_lstm_forward(int type, const tf_lstm *p, const void *weight, void *gates, void *h, void *c);

/* da (T, B, 4H), the gradient of what the inputs gave, from dy (T, B, H), that of the state that each time makes (not
 * read beyond the lengths). dh and dc (B, H) come with the gradients of the last states and are replaced by those of
 * the first. */
TF_EXPORT int tf_lstm_backward(int type, const tf_lstm *p, const void *weight, const void *gates, const void *c,
                               const void *dy, void *da, void *dh, void *dc);

typedef struct {
    int64_t size;
    void *theta, *m, *v; /* size numbers each, changed in place */
    const void *gradient;
    double lr, decay, beta1, beta2, eps;
    double correction1, correction2; /* 1 − beta1ᵗ and 1 − beta2ᵗ at this, the t-th step */
} tf_parameter;

/* One step of AdamW for each of `count` parameters:
 * m ← m + (1 − β₁)(g − m);  v ← β₂ v + (1 − β₂) g²;  θ ← (1 − lr·decay) θ − lr (m / correction1) / (√(v / correction2)
 *                                                    + eps). */
TF_EXPORT int tf_adamw(int type, int64_t count, const tf_parameter *parameters);

/* *result = Σ x² over all numbers of `count` arrays, summed in double. */
TF_EXPORT int tf_sum_of_squares(int type, int64_t count, const void *const *arrays, const int64_t *sizes,
                                double *result);

/* ---------------------------------------------------------------- generating text */

typedef struct {
    int64_t B, H, D, F;   /* rows, heads, the width of each, the width inside the MLP; C = H D */
    int64_t room, past;   /* the positions for which the cache has room, and those in it: past < room */
    const int64_t *pasts; /* NULL, or for each row its own number of positions in place of past */
    double eps;
    /* Matrices (out, in): qkv (3C, C), proj (C, C), fc (F, C), out (C, F). The norms' weights and all biases may be
     * NULL. */
    const void *norm1, *norm1_bias, *qkv, *qkv_bias, *proj, *proj_bias;
    const void *norm2, *norm2_bias, *fc, *fc_bias, *out, *out_bias;
} tf_block;

/* One layer of a Transformer at one new position of each row: x (B, C) ← x + proj attention(qkv norm(x)), then
 * x ← x + out gelu(fc norm(x)), GELU in its tanh form. keys and values (B, H, room, D) get those of this position as
 * their place `past` (of row b, `pasts[b]`); it sees them and all before. Places after it are neither read nor written.
 * TF_BAD_VALUE: no room for it. */
TF_EXPORT int tf_block_step(int type, const tf_block *p, void *keys, void *values, void *x);

/* to here */

#ifdef __cplusplus
}
#endif
#endif
