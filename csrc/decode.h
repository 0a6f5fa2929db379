/* One layer of a Transformer for one new position: what generating text does, token after token.
 *
 *      x ← x + Wₒ attention(norm(x))            x ← x + W₂ gelu(W₁ norm(x))
 *
 * Products of one row by a matrix: each weight is read once and used once, so there is nothing to keep in registers,
 * and the speed is that at which weights come from where they lie. All that a kernel of its own saves is the return to
 * Python between the steps. That way costs more than a small model's arithmetic.
 */
#pragma once
#include "gemm.h"
#include "rows.h"

namespace {

/* c (B, N) = a (B, K) Wᵀ + bias, + residual; or with `inner` its GELU, the argument of which is left there. */
template <class T>
void layer(int64_t B, int64_t N, int64_t K, const T *a, const void *weight, const void *bias, T *c, T *inner,
           const T *residual) {
    tf::Matmul<T> call{};
    call.M = B, call.N = N, call.K = K, call.alpha = T(1);
    call.A = a, call.a_row = K, call.a_column = 1, call.B = (const T *)weight, call.b_row = 1, call.b_column = K;
    call.C = c, call.c_row = N, call.bias = (const T *)bias, call.residual = residual, call.preactivation = inner;
    matmul_one<T>(call, a, (const T *)weight, c, inner, residual);
}

/* o (D) = softmax(q · keys) values over n positions that follow one another, D numbers each. p: room for n numbers. */
template <class T>
void attend(int64_t n, int64_t D, const T *q, const T *keys, const T *values, T *p, T *o) {
    for (int64_t s = 0; s < n; s += 8) eight_dots<T>(D, smaller(8, n - s), keys + s * D, D, q, p + s, 1);
    const T scale = T(1 / sqrt((double)D));
    along<T>(n, T(0), [&](int64_t s, auto get, auto put) { put(p + s, get(p + s) * scale); });
    const T inverse = 1 / row_exp(p, p, n, row_max(p, n));
    along<T>(D, T(0), [&](int64_t j, auto get, auto put) {
        vec<T> even{}, odd{}; /* two sums, so that one multiply-add need not wait for the last */
        int64_t s = 0;
        for (; s + 1 < n; s += 2) {
            even += p[s] * get(values + s * D + j);
            odd += p[s + 1] * get(values + (s + 1) * D + j);
        }
        if (s < n) even += p[s] * get(values + s * D + j);
        put(o + j, (even + odd) * inverse);
    });
}

template <class T> void block_step(const tf::Block<T> &p) {
    const int64_t B = p.B, D = p.D, C = p.H * D, F = p.F;
    auto past = [&](int64_t b) { return p.pasts ? p.pasts[b] : p.past; };
    int64_t n = 0, all = 0; /* positions of the longest row, and of all rows together */
    for (int64_t b = 0; b < B; b++) n = larger(n, past(b) + 1), all += past(b) + 1;
    T *at = (T *)tf::scratch(6, sizeof(T) * (B * (5 * C + 2 * F + 2) + B * p.H * n));
    auto take = [&](int64_t size) { return at += size, at - size; };
    T *const y = take(B * C), *const qkv = take(B * 3 * C), *const o = take(B * C), *const inner = take(B * F),
             *const h = take(B * F), *const mean = take(B), *const inverse = take(B), *const scores = take(B * p.H * n);
    auto norm = [&](const void *weight, const void *bias) {
        norm_forward<T>({B, C, T(p.eps), p.x, (const T *)weight, (const T *)bias, nullptr, y, mean, inverse, nullptr,
                         nullptr, nullptr});
    };

    norm(p.norm1, p.norm1_bias);
    layer<T>(B, 3 * C, C, y, p.qkv, p.qkv_bias, qkv, nullptr, nullptr);
    auto head = [&](int64_t i) { /* i = b H + h */
                                 const T *q = qkv + i / p.H * 3 * C + i % p.H * D, *k = q + C, *v = k + C;
                                 T *keys = p.keys + i * p.room * D, *values = p.values + i * p.room * D;
                                 const int64_t at = past(i / p.H);
                                 for (int64_t j = 0; j < D; j++) keys[at * D + j] = k[j], values[at * D + j] = v[j];
                                 attend<T>(at + 1, D, q, keys, values, scores + i * n, o + i * D);
    };
    if (all * C <= 8 * SMALL)
        for (int64_t i = 0; i < B * p.H; i++) head(i);
    else parallel_for(B * p.H, head);
    layer<T>(B, C, C, o, p.proj, p.proj_bias, p.x, nullptr, p.x);

    norm(p.norm2, p.norm2_bias);
    layer<T>(B, F, C, y, p.fc, p.fc_bias, h, inner, nullptr);
    layer<T>(B, C, F, h, p.out, p.out_bias, p.x, nullptr, p.x);
}

}  // namespace
