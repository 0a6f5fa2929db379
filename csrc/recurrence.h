/* An LSTM over a whole sequence, forward and backward.
 *
 * Times must follow one another, but the sequences of a batch know nothing of each other. So a thread takes some rows
 * of the batch through all times separately, and no thread waits for another between two times. The recurrent weights,
 * which every time multiplies with, are packed once for all of them.
 *
 * What the inputs give to the gates, and the gradients of the weights, are large products over all times at once: the
 * caller makes them with tf_matmul.
 */
#pragma once
#include "gemm.h"
#include "rows.h"

namespace {

/* Rows that a thread takes through time together: enough to use each strip of the weights twice, few enough to share
 * out. */
constexpr int64_t SEQUENCES = 16;

/* tanh x = 2σ(2x) − 1, whose error is that of a rounding of 1. So for |x| < ½, where this would lose the digits of x, tanh is
 * a quotient of polynomials: the continued fraction x/(1 + x²/(3 + x²/(5 + … + x²/13))), whose relative error there is below 10⁻¹⁵. */
template <class T> TF_INLINE vec<T> vtanh(vec<T> x) {
    const vec<T> square = x * x;
    const vec<T> above = ((square + T(378)) * square + T(17325)) * square + T(135135);
    const vec<T> below = ((square * T(28) + T(3150)) * square + T(62370)) * square + T(135135);
    return choose(square < splat(T(0.25)), x * above / below, vsigmoid<T>(x * T(2)) * T(2) - T(1));
}

/* A matrix (K, N), packed as tiles read it: blocks of k, each in strips. */
template <class T> struct Packed {
    int64_t K, N, kc, strips;
    T *space;

    Packed(int64_t K, int64_t N, const T *b, int64_t row, int64_t column, bool alone)
        : K(K),
          N(N),
          kc(parts(K, larger(1, parts(K, KC)))),
          strips(parts(N, NR<T>)),
          space((T *)tf::scratch(0, sizeof(T) * strips * NR<T> * K)) {
        auto pack = [&](int64_t s) {
            for (int64_t pc = 0; pc < K; pc += kc) {
                const int64_t k = smaller(kc, K - pc);
                pack_strip<T>(k, smaller(NR<T>, N - s * NR<T>), b + pc * row + s * NR<T> * column, row, column,
                              space + (pc * strips + s * k) * NR<T>);
            }
        };
        if (alone)
            for (int64_t s = 0; s < strips; s++) pack(s);
        else parallel_for(strips, pack);
    }

    /* c (M, N) += a (M, K) times this, on one thread. */
    void add_product(int64_t M, const T *a, int64_t a_row, T *c, int64_t c_row) const {
        const Target<T> to{c, c_row, T(1), T(1), nullptr, nullptr, nullptr, true};
        for (int64_t pc = 0; pc < K; pc += kc) {
            const int64_t k = smaller(kc, K - pc);
            tile_over<T>(M, N, k, {a + pc, a_row, 1}, {space + pc * strips * NR<T>, k * NR<T>, NR<T>}, to, 0, 0);
        }
    }
};

/* Where the times of a sequence lie. States stand between the times: h[t] before time t, h[t + 1] after it; walked from
 * the end, the other way round. */
template <class T> struct Walk {
    const tf::Lstm<T> &p;
    int64_t time(int64_t step) const { return p.reverse ? p.T - 1 - step : step; }
    int64_t before(int64_t t) const { return p.reverse ? t + 1 : t; }
    int64_t after(int64_t t) const { return p.reverse ? t : t + 1; }
    bool ended(int64_t t, int64_t row) const { return p.lengths && t >= p.lengths[row]; }
};

/* f(first row, rows) for groups of rows of the batch. A row's numbers do not depend on its group. */
template <class T, class F> void over_sequences(const tf::Lstm<T> &p, bool alone, F f) {
    const int64_t each = larger(1, larger(SEQUENCES / 2, smaller(SEQUENCES, parts(p.B, tf::num_threads()))));
    const int64_t groups = parts(p.B, each);
    auto group = [&](int64_t g) { f(g * p.B / groups, (g + 1) * p.B / groups - g * p.B / groups); };
    if (alone)
        for (int64_t g = 0; g < groups; g++) group(g);
    else parallel_for(groups, group);
}

template <class T> bool alone(const tf::Lstm<T> &p) { return p.T * p.B * p.H * 4 * p.H < 400000; }

/* The rows of a group side by side, a vector apart: rows at a multiple of 1024 bytes would share few places of the
 * cache. */
template <class T> int64_t room(int64_t n) { return up(n, lanes<T>) + lanes<T>; }

template <class T> void lstm_forward(const tf::Lstm<T> &p) {
    const int64_t B = p.B, H = p.H, wide = room<T>(H);
    const Walk<T> walk{p};
    const Packed<T> weight(H, 4 * H, p.weight, 1, H, alone(p)); /* Wᵀ */
    over_sequences(p, alone(p), [&](int64_t first, int64_t rows) {
        T *state = (T *)tf::scratch(1, sizeof(T) * rows * wide); /* h of these rows, now */
        const T *h0 = p.h + (walk.before(walk.time(0)) * B + first) * H;
        for (int64_t i = 0; i < rows; i++) memcpy(state + i * wide, h0 + i * H, sizeof(T) * H);
        for (int64_t step = 0; step < p.T; step++) {
            const int64_t t = walk.time(step);
            T *gates = p.gates + (t * B + first) * 4 * H, *h = p.h + (walk.after(t) * B + first) * H,
              *c = p.c + (walk.after(t) * B + first) * H;
            const T *c_before = p.c + (walk.before(t) * B + first) * H;
            weight.add_product(rows, state, wide, gates, 4 * H);
            for (int64_t i = 0; i < rows; i++) {
                T *a = gates + i * 4 * H, *now = state + i * wide;
                const int64_t at = i * H;
                if (walk.ended(t, first + i)) {
                    memcpy(c + at, c_before + at, sizeof(T) * H);
                    memcpy(h + at, now, sizeof(T) * H);
                    continue;
                }
                along<T>(H, T(0), [&](int64_t j, auto get, auto put) {
                    const vec<T> in = vsigmoid<T>(get(a + j)), forget = vsigmoid<T>(get(a + H + j)),
                                 candidate = vtanh<T>(get(a + 2 * H + j)), out = vsigmoid<T>(get(a + 3 * H + j));
                    const vec<T> cell = forget * get(c_before + at + j) + in * candidate, hidden = out * vtanh<T>(cell);
                    put(a + j, in);
                    put(a + H + j, forget);
                    put(a + 2 * H + j, candidate);
                    put(a + 3 * H + j, out);
                    put(c + at + j, cell);
                    put(h + at + j, hidden);
                    put(now + j, hidden);
                });
            }
        }
    });
}

template <class T> void lstm_backward(const tf::Lstm<T> &p) {
    const int64_t B = p.B, H = p.H, wide = room<T>(4 * H);
    const Walk<T> walk{p};
    const Packed<T> weight(4 * H, H, p.weight, H, 1, alone(p)); /* W */
    over_sequences(p, alone(p), [&](int64_t first, int64_t rows) {
        T *slopes = (T *)tf::scratch(1, sizeof(T) * rows * wide); /* da of these rows, now */
        T *dh = p.dh + first * H, *dc = p.dc + first * H;
        for (int64_t step = p.T - 1; step >= 0; step--) {
            const int64_t t = walk.time(step);
            for (int64_t i = 0; i < rows; i++) {
                const int64_t at = i * H;
                const T *a = p.gates + (t * B + first + i) * 4 * H, *dy = p.dy + (t * B + first) * H + at,
                        *c = p.c + (walk.after(t) * B + first) * H + at,
                        *c_before = p.c + (walk.before(t) * B + first) * H + at;
                T *da = p.da + (t * B + first + i) * 4 * H, *now = slopes + i * wide;
                if (walk.ended(t, first + i)) {
                    memset(da, 0, sizeof(T) * 4 * H);
                    memset(now, 0, sizeof(T) * 4 * H);
                    continue;
                }
                along<T>(H, T(0), [&](int64_t j, auto get, auto put) {
                    const vec<T> in = get(a + j), forget = get(a + H + j), candidate = get(a + 2 * H + j),
                                 out = get(a + 3 * H + j);
                    const vec<T> tanh_c = vtanh<T>(get(c + j)), dh_now = get(dh + at + j) + get(dy + j);
                    const vec<T> dc_now = get(dc + at + j) + dh_now * out * (T(1) - tanh_c * tanh_c);
                    auto slope = [&](int gate, vec<T> v) TF_INLINE_LAMBDA {
                        put(da + gate * H + j, v);
                        put(now + gate * H + j, v);
                    };
                    slope(0, dc_now * candidate * in * (T(1) - in));
                    slope(1, dc_now * get(c_before + j) * forget * (T(1) - forget));
                    slope(2, dc_now * in * (T(1) - candidate * candidate));
                    slope(3, dh_now * tanh_c * out * (T(1) - out));
                    put(dc + at + j, dc_now * forget);
                    put(dh + at + j, vec<T>{}); /* used; da W is added to it next */
                });
            }
            weight.add_product(rows, slopes, wide, dh, H);
        }
    });
}

}  // namespace
