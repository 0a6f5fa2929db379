/* The kernels through their C interface against plain loops in double: for machines and compilers that Python's tests
 * do not reach. Prints the instruction set and what failed; test_other_machines.py builds it and runs it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <random>
#include <vector>

#include "tinyformer.h"

static int failures = 0;
static std::mt19937 generator(1);

static void fail(const char *what, const char *type, int64_t a = 0, int64_t b = 0, int64_t c = 0) {
    if (failures++ < 20) printf("FAILED %s (%s) at %d, %d, %d\n", what, type, (int)a, (int)b, (int)c);
}

template <class T> struct Type;
template <> struct Type<float> {
    static constexpr int code = TF_FLOAT32;
    static constexpr double unit = 5.9604644775390625e-8, bound = 4e-6;
    static constexpr const char *name = "float";
};
template <> struct Type<double> {
    static constexpr int code = TF_FLOAT64;
    static constexpr double unit = 1.1102230246251565e-16, bound = 1e-13;
    static constexpr const char *name = "double";
};

/* n numbers between guards, one number off the address that a vector would like. */
template <class T> struct Array {
    static constexpr int64_t guard = 67;
    int64_t n;
    std::vector<T> memory;
    explicit Array(int64_t n, double spread = 0) : n(n), memory(n + 2 * guard, T(1e30)) {
        std::normal_distribution<double> normal(0, 1);
        for (int64_t i = 0; i < n; i++) at()[i] = spread ? T(spread * normal(generator)) : T(1e30);
    }
    T *at() { return memory.data() + guard; }
    T &operator[](int64_t i) { return at()[i]; }
    operator void *() { return at(); }
    void near(const char *what, const std::vector<double> &want, double bound = Type<T>::bound) {
        for (int64_t i = 0; i < guard; i++)
            if (memory[i] != T(1e30) || memory[guard + n + i] != T(1e30)) return fail(what, "guard", i);
        for (int64_t i = 0; i < n; i++)
            if (!(fabs((*this)[i] - want[i]) <= bound * fmax(1, fabs(want[i])))) return fail(what, Type<T>::name, i, n);
    }
};

#define OK(call)                                              \
    do {                                                      \
        if (int code = (call)) fail(tf_message(code), #call); \
    } while (0)

/* ---------------------------------------------------------------- the matrix product */

template <class T> void matmul(int64_t M, int64_t N, int64_t K, bool ta, bool tb) {
    Array<T> a(M * K, 1), b(K * N, 1), c(M * N);
    const tf_matrices A{a, ta ? 1 : K, ta ? M : 1, nullptr}, B{b, tb ? 1 : N, tb ? K : 1, nullptr}, C{c, N, 1, nullptr};
    OK(tf_matmul(Type<T>::code, 0, nullptr, M, N, K, 1, &A, &B, 0, &C, nullptr));
    std::vector<double> want(M * N);
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < N; j++) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < K; k++) {
                const double x = a[i * A.row + k * A.column], y = b[k * B.row + j * B.column];
                sum += x * y, size += fabs(x * y);
            }
            want[i * N + j] = sum;
            /* a sum in double rounds too */
            const double units = sizeof(T) == 4 ? K + 2 : 2 * (K + 2);
            if (!(fabs(c[i * N + j] - sum) <= units * Type<T>::unit * size))
                return fail("matmul", Type<T>::name, M, N, K);
        }
    c.near("matmul", want, 1e-3); /* for the guards */
}

/* ---------------------------------------------------------------- attention */

template <class T> void attention(int64_t n, int64_t m, int64_t D, int64_t E, int causal) {
    const int64_t H = 2; /* two query heads, one key head */
    const tf_attention sizes{1, H, 1, n, m, D, E, 1 / sqrt((double)D), causal};
    Array<T> q(H * n * D, 1), k(m * D, 1), v(m * E, 1), d(H * n * E, 1);
    Array<T> o(H * n * E), L(2 * H * n), logs(H * n), dq(H * n * D), dk(H * m * D), dv(H * m * E);
    const tf_tensor4 Q{q, {0, n * D, D, 1}}, K{k, {0, 0, D, 1}}, V{v, {0, 0, E, 1}}, O{o, {0, n * E, E, 1}};
    const tf_tensor4 dO{d, {0, n * E, E, 1}}, dQ{dq, {0, n * D, D, 1}}, dK{dk, {0, m * D, D, 1}},
        dV{dv, {0, m * E, E, 1}};
    OK(tf_attention_forward(Type<T>::code, &sizes, &Q, &K, &V, nullptr, nullptr, &O, L));
    OK(tf_attention_backward(Type<T>::code, &sizes, &Q, &K, &V, nullptr, nullptr, &O, L, &dO, &dQ, &dK, &dV, nullptr));
    std::vector<double> out(H * n * E), sums(H * n), gq(H * n * D), gk(H * m * D), gv(H * m * E), p(m), dp(m);
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < n; t++) {
            const int64_t row = h * n + t, seen = causal && t + 1 < m ? t + 1 : m;
            double total = 0, dot = 0;
            for (int64_t s = 0; s < seen; s++) {
                double score = 0;
                for (int64_t i = 0; i < D; i++) score += (double)q[row * D + i] * k[s * D + i];
                total += p[s] = exp(score * sizes.scale);
            }
            sums[row] = log(total);
            for (int64_t s = 0; s < seen; s++) {
                p[s] /= total, dp[s] = 0;
                for (int64_t i = 0; i < E; i++) {
                    out[row * E + i] += p[s] * v[s * E + i];
                    gv[(h * m + s) * E + i] += p[s] * d[row * E + i];
                    dp[s] += (double)d[row * E + i] * v[s * E + i];
                }
                dot += p[s] * dp[s];
            }
            for (int64_t s = 0; s < seen; s++)
                for (int64_t i = 0; i < D; i++) {
                    const double ds = sizes.scale * p[s] * (dp[s] - dot);
                    gq[row * D + i] += ds * k[s * D + i];
                    gk[(h * m + s) * D + i] += ds * q[row * D + i];
                }
        }
    /* largest score + log of the sum */
    for (int64_t row = 0; row < H * n; row++) logs[row] = L[row] + (T)log(L[H * n + row]);
    o.near("attention O", out), logs.near("attention L", sums), dq.near("attention dQ", gq),
        dk.near("attention dK", gk);
    dv.near("attention dV", gv);
}

/* ---------------------------------------------------------------- the rest of a training step */

template <class T> void norms(int64_t N, int64_t C, bool rms) {
    const double eps = 1e-3;
    Array<T> x(N * C, 2), w(C, 1), b(C, 1), dy(N * C, 1), y(N * C), mean(N), inverse(N), dx(N * C), dw(C), db(C);
    void *const means = rms ? nullptr : (void *)mean;
    OK(tf_norm_forward(Type<T>::code, N, C, x, w, b, eps, y, means, inverse));
    OK(tf_norm_backward(Type<T>::code, N, C, x, w, means, inverse, dy, dx, dw, db));
    std::vector<double> out(N * C), gx(N * C), gw(C), gb(C);
    for (int64_t i = 0; i < N; i++) {
        double mu = 0, square = 0, g_mean = 0, gx_mean = 0;
        for (int64_t j = 0; j < C; j++) mu += rms ? 0 : x[i * C + j] / (double)C;
        for (int64_t j = 0; j < C; j++) square += (x[i * C + j] - mu) * (x[i * C + j] - mu) / C;
        const double r = 1 / sqrt(square + eps);
        auto hat = [&](int64_t j) { return (x[i * C + j] - mu) * r; };
        for (int64_t j = 0; j < C; j++) {
            const double d = dy[i * C + j];
            out[i * C + j] = hat(j) * w[j] + b[j], gw[j] += d * hat(j), gb[j] += d;
            g_mean += rms ? 0 : d * w[j] / C, gx_mean += d * w[j] * hat(j) / C;
        }
        for (int64_t j = 0; j < C; j++) gx[i * C + j] = (dy[i * C + j] * w[j] - g_mean - hat(j) * gx_mean) * r;
    }
    const double bound = 20 * Type<T>::bound; /* 1/√eps magnifies */
    y.near("norm", out, bound), dx.near("norm dx", gx, bound);
    dw.near("norm dweight", gw, bound), db.near("norm dbias", gb, bound);
}

template <class T> void softmax_and_cross_entropy(int64_t N, int64_t V) {
    Array<T> x(N * V, 3), dy(N * V, 1), w(N, 1), y(N * V), dx(N * V), losses(N), sums(N), dl(N * V);
    std::vector<int64_t> targets(N);
    for (int64_t i = 0; i < N; i++) targets[i] = (int64_t)(generator() % (V + 1)) - 1;
    const double smoothing = 0.1;
    OK(tf_softmax_forward(Type<T>::code, N, V, x, y));
    OK(tf_softmax_backward(Type<T>::code, N, V, y, dy, dx));
    OK(tf_cross_entropy_forward(Type<T>::code, N, V, x, targets.data(), smoothing, losses, sums));
    OK(tf_cross_entropy_backward(Type<T>::code, N, V, x, targets.data(), smoothing, sums, w, dl));
    std::vector<double> p(N * V), gx(N * V), loss(N), gl(N * V);
    for (int64_t i = 0; i < N; i++) {
        double total = 0, dot = 0;
        for (int64_t j = 0; j < V; j++) total += p[i * V + j] = exp((double)x[i * V + j]);
        for (int64_t j = 0; j < V; j++) p[i * V + j] /= total, dot += p[i * V + j] * dy[i * V + j];
        for (int64_t j = 0; j < V; j++) {
            const double t = targets[i] < 0 ? 0 : smoothing / V + (j == targets[i] ? 1 - smoothing : 0);
            gx[i * V + j] = p[i * V + j] * (dy[i * V + j] - dot);
            loss[i] -= t ? t * log(p[i * V + j]) : 0;
            gl[i * V + j] = targets[i] < 0 ? 0 : w[i] * (p[i * V + j] - t);
        }
    }
    y.near("softmax", p), dx.near("softmax dx", gx), losses.near("cross-entropy", loss),
        dl.near("cross-entropy dlogits", gl);
}

template <class T> void pointwise(int64_t n) {
    Array<T> x(n, 3), dy(n, 1), y(n), dx(n);
    std::vector<double> out(n), gx(n);
    const double a = 0.7978845608028654, c = 0.044715;
    for (int kind : {TF_GELU_TANH, TF_SILU, TF_GELU}) {
        OK(tf_activation_forward(Type<T>::code, kind, n, x, y));
        OK(tf_activation_backward(Type<T>::code, kind, n, x, dy, dx));
        for (int64_t i = 0; i < n; i++) {
            const double v = x[i], t = tanh(a * (v + c * v * v * v)), s = 1 / (1 + exp(-v)),
                         cdf = erfc(-v * sqrt(0.5)) / 2;
            const double gate = kind == TF_GELU ? cdf : kind == TF_SILU ? s : (1 + t) / 2;
            const double slope = kind == TF_GELU   ? exp(-v * v / 2) * 0.3989422804014327
                                 : kind == TF_SILU ? s * (1 - s)
                                                   : (1 - t * t) / 2 * a * (1 + 3 * c * v * v);
            out[i] = v * gate, gx[i] = dy[i] * (gate + v * slope);
        }
        y.near("activation", out), dx.near("activation dx", gx);
    }
    Array<float> draws(n);
    for (int64_t i = 0; i < n; i++) {
        draws[i] = (generator() >> 8) * (1.0f / (1 << 24));
        out[i] = draws[i] >= 0.3f ? x[i] / 0.7 : 0;
    }
    OK(tf_dropout(Type<T>::code, n, x, draws.at(), 0.3, y));
    y.near("dropout", out);

    Array<T> theta(n, 1), m(n, 1), v(n, 1);
    std::vector<double> want(n), moment(n);
    double squares = 0;
    for (int64_t i = 0; i < n; i++) {
        v[i] = fabs(v[i]);
        const double g = dy[i], one = m[i] + 0.1 * (g - m[i]), two = 0.99 * v[i] + 0.01 * g * g;
        moment[i] = one, want[i] = (1 - 0.1 * 0.01) * theta[i] - 0.1 * (one / 0.5) / (sqrt(two / 0.25) + 1e-8);
        squares += g * g;
    }
    const tf_parameter all[2] = {{0, nullptr, nullptr, nullptr, nullptr, 0.1, 0, 0.9, 0.99, 1e-8, 0.5, 0.25},
                                 {n, theta, m, v, dy, 0.1, 0.01, 0.9, 0.99, 1e-8, 0.5, 0.25}};
    OK(tf_adamw(Type<T>::code, 2, all));
    m.near("adamw m", moment), theta.near("adamw", want, 100 * Type<T>::bound);
    const void *arrays[2] = {nullptr, dy.at()};
    const int64_t sizes[2] = {0, n};
    double found = 0;
    OK(tf_sum_of_squares(Type<T>::code, 2, arrays, sizes, &found));
    if (!(fabs(found - squares) <= 1e-12 * squares)) fail("sum_of_squares", Type<T>::name, n);
}

template <class T> void table(int64_t V, int64_t C, int64_t N) {
    Array<T> dy(N * C, 1), dw(V * C);
    std::vector<int64_t> indices(N);
    std::vector<double> want(V * C);
    for (int64_t i = 0; i < N; i++) {
        indices[i] = generator() % V;
        for (int64_t j = 0; j < C; j++) want[indices[i] * C + j] += dy[i * C + j];
    }
    OK(tf_embedding_gradient(Type<T>::code, V, C, N, indices.data(), dy, dw));
    dw.near("embedding_gradient", want, 4 * Type<T>::bound);
}

/* ---------------------------------------------------------------- pictures */

/* All three products by their definition, one multiply-add at a time, and max pooling with the same windows. */
template <class T> void pictures(const tf_conv &p) {
    const int64_t each = p.C / p.groups, K = each * p.kh * p.kw, area = p.P * p.Q, pixels = p.H * p.W;
    Array<T> x(p.N * p.C * pixels, 1), weight(p.O * K, 1), bias(p.O, 1), dy(p.N * p.O * area, 1), y(p.N * p.O * area),
        dx(p.N * p.C * pixels), dweight(p.O * K);
    std::vector<double> want_y(y.n), want_dx(dx.n, 0.0), want_dw(dweight.n, 0.0);
    for (int64_t at = 0; at < y.n; at++) {
        const int64_t n = at / (p.O * area), o = at / area % p.O, row = at % area / p.Q, column = at % p.Q;
        want_y[at] = bias[o];
        for (int64_t k = 0; k < K; k++) {
            const int64_t c = o / (p.O / p.groups) * each + k / (p.kh * p.kw);
            const int64_t u = row * p.stride[0] + k / p.kw % p.kh * p.dilation[0] - p.padding[0];
            const int64_t v = column * p.stride[1] + k % p.kw * p.dilation[1] - p.padding[1];
            if (u < 0 || v < 0 || u >= p.H || v >= p.W) continue;
            const int64_t pixel = ((n * p.C + c) * p.H + u) * p.W + v;
            want_y[at] += (double)weight[o * K + k] * x[pixel];
            want_dx[pixel] += (double)weight[o * K + k] * dy[at];
            want_dw[o * K + k] += (double)dy[at] * x[pixel];
        }
    }
    OK(tf_conv_forward(Type<T>::code, &p, x, weight, bias, y));
    OK(tf_conv_input_gradient(Type<T>::code, &p, dy, weight, dx));
    OK(tf_conv_weight_gradient(Type<T>::code, &p, dy, x, dweight));
    y.near("conv_forward", want_y, 8 * Type<T>::bound);
    dx.near("conv_input_gradient", want_dx, 8 * Type<T>::bound);
    dweight.near("conv_weight_gradient", want_dw, 40 * Type<T>::bound);

    tf_conv q = p;
    q.O = p.C, q.groups = 1;
    Array<T> top(q.N * q.C * area), dtop(q.N * q.C * area, 1), back(q.N * q.C * pixels);
    std::vector<int64_t> indices(top.n);
    std::vector<double> want_top(top.n), want_back(back.n, 0.0);
    for (int64_t at = 0; at < top.n; at++) {
        double best = -HUGE_VAL;
        int64_t where = -1;
        for (int64_t k = 0; k < p.kh * p.kw; k++) {
            const int64_t u = at % area / p.Q * p.stride[0] + k / p.kw * p.dilation[0] - p.padding[0];
            const int64_t v = at % p.Q * p.stride[1] + k % p.kw * p.dilation[1] - p.padding[1];
            if (u < 0 || v < 0 || u >= p.H || v >= p.W) continue;
            const int64_t pixel = at / area * pixels + u * p.W + v;
            if (x[pixel] > best) best = x[pixel], where = pixel;
        }
        want_top[at] = best;
        if (where >= 0) want_back[where] += dtop[at];
    }
    OK(tf_max_pool_forward(Type<T>::code, &q, x, top, indices.data()));
    OK(tf_max_pool_backward(Type<T>::code, &q, dtop, indices.data(), back));
    top.near("max_pool_forward", want_top);
    back.near("max_pool_backward", want_back, 4 * Type<T>::bound);
}

/* ---------------------------------------------------------------- generating text */

template <class T> void block_step(int64_t B, int64_t H, int64_t D, int64_t F, int64_t past, bool apart) {
    const int64_t C = H * D, room = past + 2;
    const double eps = 1e-2, spread = 1 / sqrt((double)C);
    Array<T> x(B * C, 1), keys(B * H * room * D, 1), values(B * H * room * D, 1), norm1(C, 1), norm1_bias(C, 1),
        norm2(C, 1);
    Array<T> qkv(3 * C * C, spread), qkv_bias(3 * C, 1), proj(C * C, spread), fc(F * C, spread), fc_bias(F, 1),
        out(C * F, spread);
    std::vector<int64_t> pasts(B); /* with `apart`, the rows have 0, past, 1, past − 1, … positions */
    for (int64_t b = 0; b < B; b++)
        pasts[b] = !apart ? past : b % 2 ? past - std::min(past, b / 2) : std::min(past, b / 2);
    const tf_block p{B,    H,   D,          F,   room,     past, apart ? pasts.data() : nullptr,
                     eps,  norm1, norm1_bias, qkv, qkv_bias, proj, nullptr,
                     norm2, nullptr, fc,      fc_bias, out, nullptr};
    std::vector<double> want(x.at(), x.at() + B * C), k(keys.at(), keys.at() + B * H * room * D),
        v(values.at(), values.at() + B * H * room * D);
    auto norm = [&](const double *row, Array<T> &weight, Array<T> *bias) {
        double mean = 0, square = 0;
        for (int64_t j = 0; j < C; j++) mean += row[j] / C;
        for (int64_t j = 0; j < C; j++) square += (row[j] - mean) * (row[j] - mean) / C;
        std::vector<double> y(C);
        for (int64_t j = 0; j < C; j++)
            y[j] = (row[j] - mean) / sqrt(square + eps) * weight[j] + (bias ? (*bias)[j] : T(0));
        return y;
    };
    auto times = [&](Array<T> &weight, const std::vector<double> &row, Array<T> *bias) {
        const int64_t K = (int64_t)row.size(), N = weight.n / K;
        std::vector<double> y(N);
        for (int64_t i = 0; i < N; i++) {
            y[i] = bias ? (*bias)[i] : T(0);
            for (int64_t j = 0; j < K; j++) y[i] += weight[i * K + j] * row[j];
        }
        return y;
    };
    for (int64_t b = 0; b < B; b++) {
        const int64_t past = pasts[b];
        double *row = &want[b * C];
        const std::vector<double> all = times(qkv, norm(row, norm1, &norm1_bias), &qkv_bias);
        std::vector<double> heads(C);
        for (int64_t h = 0; h < H; h++) {
            double *K = &k[(b * H + h) * room * D], *V = &v[(b * H + h) * room * D], total = 0;
            for (int64_t j = 0; j < D; j++)
                K[past * D + j] = all[C + h * D + j], V[past * D + j] = all[2 * C + h * D + j];
            for (int64_t s = 0; s <= past; s++) {
                double score = 0;
                for (int64_t j = 0; j < D; j++) score += all[h * D + j] * K[s * D + j];
                const double e = exp(score / sqrt((double)D));
                total += e;
                for (int64_t j = 0; j < D; j++) heads[h * D + j] += e * V[s * D + j];
            }
            for (int64_t j = 0; j < D; j++) heads[h * D + j] /= total;
        }
        const std::vector<double> first = times(proj, heads, nullptr);
        for (int64_t j = 0; j < C; j++) row[j] += first[j];
        std::vector<double> u = times(fc, norm(row, norm2, nullptr), &fc_bias);
        for (double &n : u) n *= (1 + tanh(0.7978845608028654 * (n + 0.044715 * n * n * n))) / 2;
        const std::vector<double> second = times(out, u, nullptr);
        for (int64_t j = 0; j < C; j++) row[j] += second[j];
    }
    OK(tf_block_step(Type<T>::code, &p, keys, values, x));
    const double bound = 20 * Type<T>::bound;
    x.near("block_step", want, bound), keys.near("block_step keys", k, bound),
        values.near("block_step values", v, bound);
}

template <class T> void everything() {
    const int64_t sizes[] = {0, 1, 2, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 24, 25, 37};
    for (int64_t M : sizes)
        for (int64_t N : sizes)
            for (int64_t K : {0, 1, 7, 33}) matmul<T>(M, N, K, (M + K) % 2, N % 2);
    for (int transposes = 0; transposes < 4; transposes++)
        matmul<T>(65, 50, 385, transposes & 1, transposes & 2), matmul<T>(100, 97, 780, transposes & 1, transposes & 2);
    for (int causal : {0, 1}) {
        for (int64_t n : {1, 7, 8, 9, 17, 64, 65})
            attention<T>(n, n, 8, 8, causal), attention<T>(n, n + 3, 5, 13, causal);
        attention<T>(150, 140, 32, 32, causal);
        pictures<T>({2, 1, 12, 12, 6, 12, 12, 5, 5, 1, {1, 1}, {2, 2}, {1, 1}});
        pictures<T>({19, 4, 9, 7, 34, 4, 6, 3, 2, 2, {2, 1}, {0, 0}, {1, 1}});
        pictures<T>({1, 15, 8, 11, 15, 4, 2, 2, 3, 15, {3, 4}, {2, 1}, {2, 2}});
        pictures<T>({3, 2, 5, 5, 3, 1, 1, 5, 5, 1, {1, 1}, {0, 0}, {1, 1}});
    }
    for (int64_t N : {1, 3, 64, 65})
        for (int64_t C : {1, 3, 4, 5, 8, 31, 33}) {
            norms<T>(N, C, false), norms<T>(N, C, true), softmax_and_cross_entropy<T>(N, C), table<T>(C, N, 40);
        }
    norms<T>(300, 70, false), softmax_and_cross_entropy<T>(300, 65), table<T>(65, 130, 500);
    for (int64_t B : {1, 2, 5})
        for (int64_t past : {0, 6, 70})
            for (bool apart : {false, true})
                block_step<T>(B, 1, 3, 5, past, apart), block_step<T>(B, 3, 8, 100, past, apart),
                    block_step<T>(B, 2, 17, 33, past, apart);
    for (int64_t n : {1, 3, 4, 5, 15, 17, 8192, 8193, 20001}) pointwise<T>(n);
}

int main() {
    tf_set_num_threads(3);
    everything<float>(), everything<double>();
    printf("%s %s: %d failures\n", tf_isa(), tf_threading(), failures);
    return failures != 0;
}
