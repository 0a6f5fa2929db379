/* What the C interface (api.cpp) and the kernels know of each other: calls with their arguments checked and typed, and
 * a table of kernels for each instruction set. */
#pragma once
#include "threads.h"
#include "tinyformer.h"

namespace tf {

template <class T> struct Matmul {
    int axes;
    const int64_t *shape, *a_batch, *b_batch, *c_batch;
    int64_t M, N, K;
    T alpha, beta;
    const T *A;
    int64_t a_row, a_column;
    const T *B;
    int64_t b_row, b_column;
    T *C;
    int64_t c_row;
    const T *bias, *residual;
    T *preactivation;
};

template <class T> struct Heads { /* (B, H, T, width) with strides; data is NULL if absent */
    T *data;
    int64_t stride[4];
    T *at(int64_t b, int64_t h, int64_t t) const { return data + b * stride[0] + h * stride[1] + t * stride[2]; }
};

template <class Number> struct Attention : tf_attention {
    Heads<Number> Q, K, V, bias, keep, O, dO, dQ, dK, dV, dS;
    Number *L;
};

template <class T> struct Norm { /* mean is NULL for RMS norm */
    int64_t N, C;
    T eps;
    const T *x, *weight, *bias, *dy;
    T *y, *mean, *inverse, *dx, *dweight, *dbias;
};

template <class T> struct Rows2 {
    int64_t N, C;
    const T *x, *dy;
    T *y, *dx;
};

template <class T> struct CrossEntropy {
    int64_t N, V;
    T smoothing;
    const T *logits, *weights;
    const int64_t *targets;
    T *losses, *sums, *dlogits;
};

template <class T> struct Pointwise {
    int kind;
    int64_t n;
    const T *x, *dy;
    T *y, *dx;
};

template <class T> struct Dropout {
    int64_t n;
    const T *x;
    const float *draws;
    float p;
    T scale, *y;
};

template <class T> struct Embedding {
    int64_t V, C, N;
    const int64_t *indices;
    const T *dy;
    T *dweight;
};

template <class T> struct Conv : tf_conv {
    const T *x, *weight, *bias, *dy;
    T *y, *dx, *dweight;
    int64_t *indices;
};

template <class Number> struct Lstm : tf_lstm {
    const Number *weight, *dy;
    Number *gates, *h, *c, *da, *dh, *dc;
};

template <class Number> struct Block : tf_block {
    Number *keys, *values, *x;
};

template <class T> struct AdamW {
    int64_t count;
    const tf_parameter *parameters;
};

template <class T> struct Arrays {
    int64_t count;
    const T *const *arrays;
    const int64_t *sizes;
};

/* Every kernel, once: X(what it returns, its name, what it takes). The table below and the addresses in all_kernels.h
 * are both made from this list, so a name cannot get another kernel's address. */
#define TF_EACH_KERNEL(X)                                    \
    X(void, matmul, const Matmul<T> &)                       \
    X(void, attention_forward, const Attention<T> &)         \
    X(void, attention_backward, const Attention<T> &)        \
    X(void, norm_forward, const Norm<T> &)                   \
    X(void, norm_backward, const Norm<T> &)                  \
    X(void, softmax_forward, const Rows2<T> &)               \
    X(void, softmax_backward, const Rows2<T> &)              \
    X(void, cross_entropy_forward, const CrossEntropy<T> &)  \
    X(void, cross_entropy_backward, const CrossEntropy<T> &) \
    X(void, activation_forward, const Pointwise<T> &)        \
    X(void, activation_backward, const Pointwise<T> &)       \
    X(void, dropout, const Dropout<T> &)                     \
    X(void, embedding_gradient, const Embedding<T> &)        \
    X(void, conv_forward, const Conv<T> &)                   \
    X(void, conv_input_gradient, const Conv<T> &)            \
    X(void, conv_weight_gradient, const Conv<T> &)           \
    X(void, max_pool_forward, const Conv<T> &)               \
    X(void, max_pool_backward, const Conv<T> &)              \
    X(void, lstm_forward, const Lstm<T> &)                   \
    X(void, lstm_backward, const Lstm<T> &)                  \
    X(void, block_step, const Block<T> &)                    \
    X(void, adamw, const AdamW<T> &)                         \
    X(double, sum_of_squares, const Arrays<T> &)             \
    X(int64_t, peak, int64_t)

template <class T> struct Kernels {
#define TF_MEMBER(result, name, argument) result (*name)(argument);
    TF_EACH_KERNEL(TF_MEMBER)
#undef TF_MEMBER
};

struct Isa {
    const char *name;
    Kernels<float> f32;
    Kernels<double> f64;
};

extern const Isa isa_avx512, isa_avx2, isa_neon, isa_portable;

}  // namespace tf
