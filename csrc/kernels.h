/* What the C interface (api.cpp) and the kernels know of each other: calls with their arguments checked and typed, and a
 * table of kernels for each instruction set. */
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

template <class T> struct Heads {           /* (B, H, T, width) with strides; data is NULL if absent */
    T *data;
    int64_t stride[4];
    T *at(int64_t b, int64_t h, int64_t t) const { return data + b * stride[0] + h * stride[1] + t * stride[2]; }
};

template <class Number> struct Attention : tf_attention {
    Heads<Number> Q, K, V, bias, keep, O, dO, dQ, dK, dV, dS;
    Number *L;
};

template <class T> struct Norm {             /* mean is NULL for RMS norm */
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

template <class T> struct Kernels {
    void (*matmul)(const Matmul<T> &);
    void (*attention_forward)(const Attention<T> &);
    void (*attention_backward)(const Attention<T> &);
    void (*norm_forward)(const Norm<T> &);
    void (*norm_backward)(const Norm<T> &);
    void (*softmax_forward)(const Rows2<T> &);
    void (*softmax_backward)(const Rows2<T> &);
    void (*cross_entropy_forward)(const CrossEntropy<T> &);
    void (*cross_entropy_backward)(const CrossEntropy<T> &);
    void (*activation_forward)(const Pointwise<T> &);
    void (*activation_backward)(const Pointwise<T> &);
    void (*dropout)(const Dropout<T> &);
    void (*embedding_gradient)(const Embedding<T> &);
    void (*lstm_forward)(const Lstm<T> &);
    void (*lstm_backward)(const Lstm<T> &);
    void (*block_step)(const Block<T> &);
    void (*adamw)(const AdamW<T> &);
    double (*sum_of_squares)(const Arrays<T> &);
    int64_t (*peak)(int64_t rounds);
};

struct Isa {
    const char *name;
    Kernels<float> f32;
    Kernels<double> f64;
};

extern const Isa isa_avx512, isa_avx2, isa_neon, isa_portable;

}  // namespace tf
