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

template <class T> struct Kernels {
    void (*matmul)(const Matmul<T> &);
    void (*attention_forward)(const Attention<T> &);
    void (*attention_backward)(const Attention<T> &);
    int64_t (*peak)(int64_t rounds);
};

struct Isa {
    const char *name;
    Kernels<float> f32;
    Kernels<double> f64;
};

extern const Isa isa_avx512, isa_avx2, isa_neon, isa_portable;

}  // namespace tf
