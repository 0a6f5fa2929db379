/* Kernels that treat numbers one by one, or gather them: activations, dropout, the gradient of a table, the
 * optimizer. */
#pragma once
#include "rows.h"

namespace {

constexpr int64_t PIECE = 8192; /* numbers of a piece */

/* f(first, n) for pieces of n numbers. */
template <class F> void over_pieces(int64_t n, F f) {
    const int64_t pieces = parts(n, PIECE);
    auto piece = [&](int64_t p) { f(p * PIECE, smaller(PIECE, n - p * PIECE)); };
    if (n <= SMALL)
        for (int64_t p = 0; p < pieces; p++) piece(p);
    else parallel_for(pieces, piece);
}

/* ---------------------------------------------------------------- activations: x · gate(x) */

/* Chebyshev coefficients of e^{z²} erfc(z)/t with t = 3/(3 + z), s = 2t − 1, for z ≥ 0; float needs the first 12. They
 * are those of tinyformer/kernels/special.py, which says more. */
constexpr double chebyshev[] = {
    0.47114607466029065,     0.37715894969156579,    0.11803603344749545,    0.028362346699695152,
    0.0048717577576055464,   0.00045985238787654428, -2.1430222381053152e-5, -1.3014473699241349e-5,
    -8.8092835828535136e-7,  2.7464800479702845e-7,  4.4159918992237855e-8,  -6.3984083855754828e-9,
    -1.6768357212484644e-9,  1.9473354700890024e-10, 6.2474413034693895e-11, -8.1245575522444957e-12,
    -2.3303146132225657e-12, 4.191038539225333e-13,  8.1933352688130299e-14, -2.3352472107929263e-14,
    -2.2442585649165364e-15, 1.2811435298050506e-15, 1.1054582965396302e-18, -6.4457951356490397e-17};

/* The standard normal distribution: Φ(x) = erfc(−x/√2)/2 and its density φ(x). */
template <class T> struct Normal {
    vec<T> cdf, density;
};

template <class T> TF_INLINE Normal<T> normal(vec<T> x) {
    constexpr int terms = sizeof(T) == 4 ? 12 : 24;
    const vec<T> zero{}, e = vexp<T>(x * x * T(-0.5));
    const vec<T> t = T(3) / (choose(x < zero, -x, x) * T(0.70710678118654752) + T(3)), s2 = t * T(4) - T(2);
    vec<T> b{}, after{}; /* Clenshaw's recurrence */
    for (int i = terms - 1; i > 0; i--) {
        const vec<T> next = s2 * b - (after - T(chebyshev[i]));
        after = b, b = next;
    }
    const vec<T> tail = t * T(0.5) * (s2 * b * T(0.5) - (after - T(chebyshev[0]))) * e;
    return {choose(x < zero, tail, T(1) - tail), e * T(0.39894228040143268)};
}

template <class T> void activation_forward(const tf::Pointwise<T> &p) {
    over_pieces(p.n, [&](int64_t first, int64_t n) {
        const T *x = p.x + first;
        T *y = p.y + first;
        if (p.kind == TF_GELU) {
            along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> v = get(x + j);
                put(y + j, v * normal<T>(v).cdf);
            });
        } else if (p.kind == TF_GELU_TANH) {
            along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> v = get(x + j);
                put(y + j, v * gelu_gate<T>(v));
            });
        } else {
            along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> v = get(x + j);
                put(y + j, v * vsigmoid<T>(v));
            });
        }
    });
}

/* GELU: Φ + x φ.   Its tanh form: h + 2 x h (1 − h) u′ with u′ = √(2/π) (1 + 3 · 0.044715 x²).   SiLU: s (1 + x (1 −
 *                  s)). */
template <class T> void activation_backward(const tf::Pointwise<T> &p) {
    constexpr T a = T(2 * 0.7978845608028654), c = T(0.044715), far = 100;
    over_pieces(p.n, [&](int64_t first, int64_t n) {
        const T *x = p.x + first, *dy = p.dy + first;
        T *dx = p.dx + first;
        if (p.kind == TF_GELU) {
            along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> v = get(x + j);
                const Normal<T> at = normal<T>(v);
                put(dx + j, get(dy + j) * (v * at.density + at.cdf));
            });
        } else if (p.kind == TF_GELU_TANH) {
            along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> v = get(x + j), h = gelu_gate<T>(v);
                /* Far out h is 0 or 1, and 0 times a v³ that overflows would be NaN. */
                vec<T> near = choose(v > splat(far), splat(far), v);
                near = choose(near < splat(-far), splat(-far), near);
                put(dx + j, get(dy + j) * (h * (near * (T(1) - h) * (near * near * (3 * a * c) + a) + T(1))));
            });
        } else {
            along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
                const vec<T> v = get(x + j), s = vsigmoid<T>(v);
                put(dx + j, get(dy + j) * (s * (v * (T(1) - s) + T(1))));
            });
        }
    });
}

/* ---------------------------------------------------------------- dropout */

/* y = x scale where the draw is at least p, else 0. (Compilers vectorize this loop without help.) */
template <class T> void dropout(const tf::Dropout<T> &p) {
    over_pieces(p.n, [&](int64_t first, int64_t n) {
        const T *x = p.x + first;
        const float *draws = p.draws + first;
        T *y = p.y + first;
        for (int64_t j = 0; j < n; j++) y[j] = x[j] * (draws[j] >= p.p ? p.scale : T(0));
    });
}

/* ---------------------------------------------------------------- the gradient of a table */

/* dW[v] = Σ dy over the places of v, summed in double: a frequent token has as many terms as the batch has places. The places
 * are sorted by v, stably, in one count. Threads share the columns: each sums all places, in their order. */
template <class T> void embedding_gradient(const tf::Embedding<T> &p) {
    constexpr int64_t columns = 64;
    int64_t *places = (int64_t *)tf::scratch(4, sizeof(int64_t) * (p.N + p.V + 1)), *ends = places + p.N, before = 0;
    for (int64_t v = 0; v < p.V; v++) ends[v] = 0;
    for (int64_t i = 0; i < p.N; i++) ends[p.indices[i]]++;
    for (int64_t v = 0; v < p.V; v++) {
        const int64_t count = ends[v];
        ends[v] = before, before += count;
    }
    for (int64_t i = 0; i < p.N; i++) places[ends[p.indices[i]]++] = i;
    auto piece = [&](int64_t c) {
        const int64_t first = c * columns, n = smaller(columns, p.C - first);
        int64_t k = 0;
        for (int64_t v = 0; v < p.V; v++) {
            T *out = p.dweight + v * p.C + first;
            if (k == ends[v]) {
                for (int64_t j = 0; j < n; j++) out[j] = 0;
                continue;
            }
            double sum[columns] = {};
            for (; k < ends[v]; k++) {
                const T *dy = p.dy + places[k] * p.C + first;
                for (int64_t j = 0; j < n; j++) sum[j] += dy[j];
            }
            for (int64_t j = 0; j < n; j++) out[j] = T(sum[j]);
        }
    };
    const int64_t pieces = parts(p.C, columns);
    if ((p.N + p.V) * p.C <= SMALL)
        for (int64_t c = 0; c < pieces; c++) piece(c);
    else parallel_for(pieces, piece);
}

/* ---------------------------------------------------------------- over all parameters at once */

/* Pieces of many arrays, numbered through: f(array, first, n, number of the piece). */
template <class F> void over_arrays(int64_t count, const int64_t *sizes, int64_t *starts, F f) {
    int64_t pieces = 0, total = 0;
    for (int64_t a = 0; a < count; a++) starts[a] = pieces, pieces += parts(sizes[a], PIECE), total += sizes[a];
    auto piece = [&](int64_t p) {
        int64_t low = 0, high = count; /* the last array that starts at p or before; empty ones start no piece */
        while (high - low > 1) {
            const int64_t middle = (low + high) / 2;
            if (starts[middle] <= p) low = middle;
            else high = middle;
        }
        const int64_t first = (p - starts[low]) * PIECE;
        f(low, first, smaller(PIECE, sizes[low] - first), p);
    };
    if (total <= SMALL)
        for (int64_t p = 0; p < pieces; p++) piece(p);
    else parallel_for(pieces, piece);
}

template <class T> void adamw(const tf::AdamW<T> &p) {
    int64_t *sizes = (int64_t *)tf::scratch(4, sizeof(int64_t) * 2 * larger(1, p.count)), *starts = sizes + p.count;
    for (int64_t a = 0; a < p.count; a++) sizes[a] = p.parameters[a].size;
    over_arrays(p.count, sizes, starts, [&](int64_t a, int64_t first, int64_t n, int64_t) {
        const tf_parameter &q = p.parameters[a];
        T *theta = (T *)q.theta + first, *m = (T *)q.m + first, *v = (T *)q.v + first;
        const T *gradient = (const T *)q.gradient + first;
        const T shrink = T(1 - q.lr * q.decay), b1 = T(1 - q.beta1), b2 = T(q.beta2), c2 = T(1 - q.beta2);
        const T root = T(1 / sqrt(q.correction2)), rate = T(q.lr / q.correction1), eps = T(q.eps);
        along<T>(n, T(0), [&](int64_t j, auto get, auto put) {
            const vec<T> g = get(gradient + j);
            const vec<T> m_now = get(m + j) + (g - get(m + j)) * b1, v_now = get(v + j) * b2 + g * c2 * g;
            put(m + j, m_now);
            put(v + j, v_now);
            put(theta + j, get(theta + j) * shrink - m_now / (vsqrt<T>(v_now) * root + eps) * rate);
        });
    });
}

/* Σ x² over all numbers of all arrays, in double: no float overflows, and no order matters much. */
template <class T> double sum_of_squares(const tf::Arrays<T> &p) {
    int64_t pieces = 0;
    for (int64_t a = 0; a < p.count; a++) pieces += parts(p.sizes[a], PIECE);
    int64_t *starts = (int64_t *)tf::scratch(4, sizeof(int64_t) * larger(1, p.count));
    double *partial = (double *)tf::scratch(5, sizeof(double) * larger(1, pieces));
    over_arrays(p.count, p.sizes, starts, [&](int64_t a, int64_t first, int64_t n, int64_t piece) {
        const T *x = p.arrays[a] + first;
        double lane[16] = {};
        int64_t j = 0;
        for (; j + 16 <= n; j += 16)
            for (int i = 0; i < 16; i++) lane[i] += (double)x[j + i] * x[j + i];
        for (; j < n; j++) lane[0] += (double)x[j] * x[j];
        double total = 0;
        for (double one : lane) total += one;
        partial[piece] = total;
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; i++) total += partial[i];
    return total;
}

}  // namespace
