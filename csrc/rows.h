/* Kernels that treat the rows of a matrix one by one: norms, softmax, cross-entropy.
 *
 * A thread takes a fixed number of rows at a time. Sums over all rows (the gradients of a norm's weights) are made for
 * each such piece and then added in the order of the pieces, so they do not depend on who computed what.
 */
#pragma once
#include "kernels.h"
#include "simd.h"

namespace {

constexpr int64_t ROWS = 64;     /* rows of a piece */
constexpr int64_t SMALL = 16384; /* numbers that one thread is done with before another wakes */

/* f(first row, last row + 1, number of the piece) for pieces of the rows. */
template <class F> void over_rows(int64_t N, int64_t C, F f) {
    const int64_t pieces = parts(N, ROWS);
    auto piece = [&](int64_t p) { f(p * ROWS, smaller(N, (p + 1) * ROWS), p); };
    if (N * C <= SMALL)
        for (int64_t p = 0; p < pieces; p++) piece(p);
    else parallel_for(pieces, piece);
}

/* f(place, get, put) for each vector of a row of C numbers: get(p) reads one from the array p, with `fill` beyond the
 * end, put(p, v) writes one. The last may be a part of a vector. */
template <class T, class F> TF_INLINE void along(int64_t C, T fill, F f) {
    constexpr int W = lanes<T>;
    int64_t j = 0;
    for (; j + W <= C; j += W)
        f(j, [](const T *p) TF_INLINE_LAMBDA { return load(p); }, [](T *p, vec<T> v) TF_INLINE_LAMBDA { store(p, v); });
    if (j < C) {
        const int64_t n = C - j;
        f(
            j, [=](const T *p) TF_INLINE_LAMBDA { return load_some(p, n, fill); },
            [=](T *p, vec<T> v) TF_INLINE_LAMBDA { store_some(p, v, n); });
    }
}

/* ---------------------------------------------------------------- layer norm, and RMS norm, which has no mean */

/* What is left of the mean of a row, less the number `mean`. Beside a large mean its rounding is not small. */
template <class T> T mean_left(const T *x, int64_t C, T mean) {
    vec<T> total{};
    along<T>(C, mean,
             [&](int64_t j, auto get, auto) { total += get(x + j) - mean; }); /* beyond the end: mean − mean = 0 */
    return sum<T>(total) / T(C);
}

/* 1/√(mean d² + eps) with d = x − mean − left, also where the squares are no numbers: then of d relative to the
 * largest. */
template <class T> T inverse_deviation(const T *x, int64_t C, T mean, T left, T eps) {
    vec<T> squares{};
    along<T>(C, mean, [&](int64_t j, auto get, auto) {
        const vec<T> d = get(x + j) - mean - left;
        squares += d * d;
    });
    const T beyond = T(up(C, lanes<T>) - C) * left * left; /* what the places beyond the end gave */
    const T variance = (sum<T>(squares) - beyond) / T(C) + eps;
    if (variance > T(1e-25) && variance < Constants<T>::infinity) return T(1) / (T)sqrt(variance);
    T top = 0, total = 0;
    for (int64_t j = 0; j < C; j++) top = fabs(x[j] - mean - left) > top ? (T)fabs(x[j] - mean - left) : top;
    for (int64_t j = 0; top > 0 && j < C; j++) total += (x[j] - mean - left) / top * ((x[j] - mean - left) / top);
    return T(1 / hypot((double)top * sqrt((double)(total / T(C))), sqrt((double)eps)));
}

template <class T> void norm_forward(const tf::Norm<T> &p) {
    over_rows(p.N, p.C, [&](int64_t first, int64_t last, int64_t) {
        for (int64_t i = first; i < last; i++) {
            const T *x = p.x + i * p.C;
            T *y = p.y + i * p.C;
            T mean = 0;
            if (p.mean) {
                vec<T> total{};
                along<T>(p.C, T(0), [&](int64_t j, auto get, auto) { total += get(x + j); });
                p.mean[i] = mean = sum<T>(total) / T(p.C);
            }
            const T left = p.mean ? mean_left(x, p.C, mean) : T(0),
                    inverse = inverse_deviation(x, p.C, mean, left, p.eps);
            p.inverse[i] = inverse;
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto put) {
                vec<T> v = (get(x + j) - mean - left) * inverse;
                if (p.weight) v *= get(p.weight + j);
                if (p.bias) v += get(p.bias + j);
                put(y + j, v);
            });
        }
    });
}

template <class T> void norm_backward(const tf::Norm<T> &p) {
    const int64_t pieces = parts(p.N, ROWS), wide = up(p.C, lanes<T>);
    /* dγ and dβ of each piece. */
    T *partial = (T *)tf::scratch(3, sizeof(T) * 2 * wide * larger(1, pieces));
    over_rows(p.N, p.C, [&](int64_t first, int64_t last, int64_t piece) {
        T *dweight = partial + 2 * wide * piece, *dbias = dweight + wide;
        for (int64_t j = 0; j < 2 * wide; j++) dweight[j] = 0;
        for (int64_t i = first; i < last; i++) {
            const T *x = p.x + i * p.C, *dy = p.dy + i * p.C;
            const T mean = p.mean ? p.mean[i] : T(0), left = p.mean ? mean_left(x, p.C, mean) : T(0),
                    inverse = p.inverse[i];
            vec<T> g_sum{}, gx_sum{}; /* Σ g and Σ g ⊙ x̂ with g = γ ⊙ dy */
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto) {
                const vec<T> d = get(dy + j), xhat = (get(x + j) - mean - left) * inverse;
                store(dweight + j, load(dweight + j) + d * xhat);
                store(dbias + j, load(dbias + j) + d);
                const vec<T> g = p.weight ? d * get(p.weight + j) : d;
                g_sum += g, gx_sum += g * xhat; /* beyond the end d is 0, and so is g */
            });
            const T g_mean = p.mean ? sum<T>(g_sum) / T(p.C) : T(0), gx_mean = sum<T>(gx_sum) / T(p.C);
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> xhat = (get(x + j) - mean - left) * inverse;
                const vec<T> g = p.weight ? get(dy + j) * get(p.weight + j) : get(dy + j);
                put(p.dx + i * p.C + j, (g - g_mean - xhat * gx_mean) * inverse);
            });
        }
    });
    auto total = [&](T *to, const T *from) { /* over the pieces, in their order */
                                             if (!to) return;
                                             for (int64_t j = 0; j < p.C; j++) {
                                                 to[j] = 0;
                                                 for (int64_t piece = 0; piece < pieces; piece++)
                                                     to[j] += from[2 * wide * piece + j];
                                             }
    };
    total(p.dweight, partial);
    total(p.dbias, partial + wide);
}

/* ---------------------------------------------------------------- softmax */

template <class T> T row_max(const T *x, int64_t C) {
    vec<T> top = splat(-Constants<T>::infinity);
    along<T>(C, -Constants<T>::infinity, [&](int64_t j, auto get, auto) { top = vmax<T>(top, get(x + j)); });
    return largest<T>(top);
}

/* y ← exp(x − shift), its sum; y may be NULL. */
template <class T> T row_exp(const T *x, T *y, int64_t C, T shift) {
    vec<T> total{};
    along<T>(C, -Constants<T>::infinity, [&](int64_t j, auto get, auto put) {
        const vec<T> e = vexp<T>(get(x + j) - shift);
        if (y) put(y + j, e);
        total += e;
    });
    return sum<T>(total);
}

template <class T> void softmax_forward(const tf::Rows2<T> &p) {
    over_rows(p.N, p.C, [&](int64_t first, int64_t last, int64_t) {
        for (int64_t i = first; i < last; i++) {
            const T top = row_max(p.x + i * p.C, p.C);
            T *y = p.y + i * p.C;
            const T total = row_exp(p.x + i * p.C, y, p.C, top == -Constants<T>::infinity ? T(0) : top);
            const T inverse = total == 0 ? T(0) : 1 / total; /* a row of −inf gives zeros */
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto put) { put(y + j, get(y + j) * inverse); });
        }
    });
}

/* dx = y ⊙ (dy − Σ y ⊙ dy). The sum is made twice, the second time of what the first left: y sums to 1 up to rounding
 * only, and a common offset of dy, which cancels in the formula, would come through times that rounding. */
template <class T> void softmax_backward(const tf::Rows2<T> &p) {
    over_rows(p.N, p.C, [&](int64_t first, int64_t last, int64_t) {
        for (int64_t i = first; i < last; i++) {
            const T *y = p.y + i * p.C, *dy = p.dy + i * p.C;
            vec<T> total{};
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto) { total += get(y + j) * get(dy + j); });
            const T dot = sum<T>(total);
            vec<T> rest{};
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto) { rest += get(y + j) * (get(dy + j) - dot); });
            const T left = sum<T>(rest);
            along<T>(p.C, T(0), [&](int64_t j, auto get, auto put) {
                put(p.dx + i * p.C + j, get(y + j) * (get(dy + j) - dot - left));
            });
        }
    });
}

/* ---------------------------------------------------------------- cross-entropy on logits */

template <class T> void cross_entropy_forward(const tf::CrossEntropy<T> &p) {
    over_rows(p.N, p.V, [&](int64_t first, int64_t last, int64_t) {
        for (int64_t i = first; i < last; i++) {
            const T *x = p.logits + i * p.V;
            const T top = row_max(x, p.V);
            const T total = row_exp<T>(x, nullptr, p.V, top);
            p.sums[i] = total;
            T loss = 0;
            if (p.targets[i] >= 0) { /* ln Σ exp − x, with both counted from the largest */
                const T rest = (T)log(total);
                loss = (1 - p.smoothing) * (rest + (top - x[p.targets[i]]));
                if (p.smoothing != 0) {
                    vec<T> all{};
                    const T part = 1 / T(p.V);
                    along<T>(p.V, top, [&](int64_t j, auto get, auto) { all += (top - get(x + j)) * part; });
                    loss += p.smoothing * (rest + sum<T>(all));
                }
            }
            p.losses[i] = loss;
        }
    });
}

/* dlogits = w (p − t): w the gradient of each row's loss, p = exp(x − max) / Σ, t the smoothed target. (exp(x − lse) is
 * the same but for rounding: lse has the error of a number as large as the logits, and that error stands in an
 * exponent.) */
template <class T> void cross_entropy_backward(const tf::CrossEntropy<T> &p) {
    over_rows(p.N, p.V, [&](int64_t first, int64_t last, int64_t) {
        for (int64_t i = first; i < last; i++) {
            const T *x = p.logits + i * p.V;
            T *dx = p.dlogits + i * p.V;
            const T weight = p.weights[i], even = p.smoothing / T(p.V), inverse = 1 / p.sums[i];
            if (p.targets[i] < 0) {
                for (int64_t j = 0; j < p.V; j++) dx[j] = 0;
                continue;
            }
            const T top = row_max(x, p.V);
            along<T>(p.V, T(0), [&](int64_t j, auto get, auto put) {
                put(dx + j, (vexp<T>(get(x + j) - top) * inverse - even) * weight);
            });
            dx[p.targets[i]] -= (1 - p.smoothing) * weight;
        }
    });
}

}  // namespace
