/* Softmax attention block by block, so that the scores never exist as a whole matrix.
 *
 * Forward, for a block of queries, over the blocks of keys s (the online softmax of Milakov and Gimelshein):
 *
 *      S = scale · Q Kₛᵀ + bias             scores of this block alone
 *      m′ = max(m, rowmax S)                the largest score so far
 *      P = exp(S − m′)
 *      l ← e^{m − m′} l + rowsum P          what was summed before was relative to the old maximum
 *      O ← e^{m − m′} O + P Vₛ
 *
 * and at the end O ← O / l. m and l of each query are kept.
 *
 * Backward, for a block of keys, over the blocks of queries, with P computed again from m and l:
 *
 *      P = exp(S − m) / l                   dV += Pᵀ dO
 *      dP = dO Vᵀ                           dS = P ⊙ (dP − rowsum(dO ⊙ O))
 *      dQ += scale · dS K                   dK += scale · dSᵀ Q
 *
 * (Dao keeps L = m + ln l, for P = exp(S − L): one number a row, but rounded to what a number of the size of the scores
 * can hold, and its error stands in an exponent. With scores of 10⁶ the P of a row then sum to 0.97 or 1.03.)
 *
 * All products are tiles of gemm.h. A tile reads its left operand in any layout, so only Kᵀ and Vᵀ must be packed.
 *
 * Source: Dao et al. (2022), algorithms 1 and 4.
 */
#pragma once
#include "gemm.h"

namespace {

constexpr int64_t BS = 128 / NR<float> * NR<float>; /* keys of a block: whole strips, of floats and so of doubles */
constexpr int64_t BT = 2 * MR, BT_BACK = 64;        /* queries of a block: few, so that a causal mask skips much */
constexpr int64_t CHUNK = 8 * BT;                   /* queries that a thread takes at a time, with K packed once */

/* C (M, N) = alpha A B, or += : one thread, C with at least N rounded up to whole vectors in each row. */
template <class T>
void product(int64_t M, int64_t N, int64_t K, T alpha, const Rows<T> &a, const Strips<T> &b, bool add, T *c,
             int64_t row) {
    const Target<T> to{c, row, alpha, T(add), nullptr, nullptr, nullptr, true};
    tile_over<T>(M, up(N, lanes<T>), K, a, b, to, 0, 0);
}

/* A matrix as a right operand: (n, width) with rows that may be read in whole vectors, in place if they can, else
 * copied. */
template <class T> Strips<T> as_rows(const T *from, int64_t n, int64_t width, int64_t row, int64_t column, T *space) {
    if (column == 1 && width % lanes<T> == 0) return {from, NR<T>, row};
    const int64_t wide = up(width, lanes<T>);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < wide; j++) space[i * wide + j] = j < width ? from[i * row + j * column] : T(0);
    return {space, NR<T>, wide};
}

/* The transpose of a matrix (n, width) as a right operand (width, n), packed in strips of n. */
template <class T> Strips<T> as_columns(const T *from, int64_t n, int64_t width, int64_t row, int64_t column,
                                        T *space) {
    for (int64_t s = 0; s < n; s += NR<T>)
        pack_strip<T>(width, smaller(n - s, NR<T>), from + s * row, column, row, space + s * width);
    return {space, width * NR<T>, NR<T>};
}

template <class T> Strips<T> skip(const Strips<T> &b, int64_t strips) {
    return {b.data + strips * b.strip, b.strip, b.row};
}
template <class T> Strips<T> skip_rows(const Strips<T> &b, int64_t rows) {
    return {b.data + rows * b.row, b.strip, b.row};
}

/* Row t of a block of scores, columns first … first + n, rounded up to whole vectors: bias added, hidden places
 * −inf. */
template <class T>
void mask_row(const tf::Attention<T> &p, int64_t b, int64_t h, int64_t t, int64_t first, int64_t n, T *s) {
    if (p.bias.data) {
        const T *bias = p.bias.at(b, h, t) + first * p.bias.stride[3];
        for (int64_t j = 0; j < n; j++) s[j] += bias[j * p.bias.stride[3]];
    }
    const int64_t seen = p.is_causal ? larger(0, smaller(n, t + 1 - first)) : n;
    for (int64_t j = seen; j < up(n, lanes<T>); j++) s[j] = -Constants<T>::infinity;
}

/* Rows of this many numbers, in whole vectors. */
template <class T> int64_t padded(int64_t width) { return up(width, lanes<T>); }

/* n numbers to where row t of an output lies. */
template <class T> void write_row(const tf::Heads<T> &out, int64_t b, int64_t h, int64_t t, int64_t n, const T *row) {
    T *to = out.at(b, h, t);
    int64_t j = 0;
    if (out.stride[3] == 1)
        for (; j + lanes<T> <= n; j += lanes<T>) store(to + j, load(row + j));
    for (; j < n; j++) to[j * out.stride[3]] = row[j];
}

template <class T> void attention_forward(const tf::Attention<T> &p) {
    constexpr int W = lanes<T>;
    const int64_t wide = padded<T>(p.E), keys = up(p.S, NR<T>);
    const int64_t chunks = parts(p.T, CHUNK);
    parallel_for(p.B * p.H * chunks, [&](int64_t task) {
        /* The last queries first: under a causal mask they are the longest pieces of work. */
        const int64_t b = task / (p.H * chunks), h = task / chunks % p.H, c = chunks - 1 - task % chunks;
        const int64_t g = h / (p.H / p.G), first = c * p.T / chunks, last = (c + 1) * p.T / chunks;
        const int64_t reach = p.is_causal ? smaller(p.S, last) : p.S; /* keys that any of them may see */

        T *space = (T *)tf::scratch(2, sizeof(T) * (keys * p.D + keys * wide + BT * (BS + wide + 2) + 4 * W));
        T *const k_space = space, *const v_space = k_space + keys * p.D, *const S = v_space + keys * wide,
                 *const O = S + BT * BS, *const m = O + BT * wide, *const l = m + BT;
        const Strips<T> K = as_columns<T>(p.K.at(b, g, 0), reach, p.D, p.K.stride[2], p.K.stride[3], k_space);
        const Strips<T> V = as_rows<T>(p.V.at(b, g, 0), reach, p.E, p.V.stride[2], p.V.stride[3], v_space);

        const int64_t blocks = parts(last - first, BT);
        for (int64_t block = 0; block < blocks; block++) {
            const int64_t t = first + block * (last - first) / blocks;
            const int64_t rows = first + (block + 1) * (last - first) / blocks - t;
            const int64_t limit = p.is_causal ? smaller(p.S, t + rows) : p.S;
            for (int64_t i = 0; i < rows; i++) m[i] = -Constants<T>::infinity, l[i] = 0;
            for (int64_t i = 0; i < rows * wide; i++) O[i] = 0;

            for (int64_t s = 0; s < limit; s += BS) {
                const int64_t n = smaller(BS, limit - s);
                product<T>(rows, n, p.D, T(p.scale), {p.Q.at(b, h, t), p.Q.stride[2], p.Q.stride[3]},
                           skip(K, s / NR<T>), false, S, BS);
                for (int64_t i = 0; i < rows; i++) {
                    T *row = S + i * BS;
                    mask_row(p, b, h, t + i, s, n, row);
                    vec<T> top = load(row);
                    for (int64_t j = W; j < n; j += W) top = vmax<T>(top, load(row + j));
                    const T now = largest<T>(top), best = m[i] > now ? m[i] : now;
                    /* While all scores are −inf nothing is summed; 0 for m′ keeps −inf − m′ from being NaN. */
                    const T shift = best == -Constants<T>::infinity ? T(0) : best;
                    vec<T> total = vec<T>{};
                    for (int64_t j = 0; j < n; j += W) {
                        const vec<T> e = vexp<T>(load(row + j) - shift);
                        total += e;
                        store(row + j, e);
                    }
                    if (s && best != m[i]) {
                        const T before = (T)exp(m[i] - shift);
                        l[i] *= before;
                        for (int64_t j = 0; j < wide; j += W) store(O + i * wide + j, load(O + i * wide + j) * before);
                    }
                    m[i] = best;
                    l[i] += sum<T>(total);
                    if (p.keep.data) {
                        const T *keep = p.keep.at(b, h, t + i) + s * p.keep.stride[3];
                        for (int64_t j = 0; j < n; j++) row[j] *= keep[j * p.keep.stride[3]];
                    }
                }
                product<T>(rows, wide, n, T(1), {S, BS, 1}, skip_rows(V, s), true, O, wide);
            }
            for (int64_t i = 0; i < rows; i++) {
                /* l is 0 if the query sees nothing. (It is NaN if a score was, and then so is all of the row.) */
                const T inverse = l[i] == 0 ? T(0) : 1 / l[i];
                for (int64_t j = 0; j < wide; j += W) store(O + i * wide + j, load(O + i * wide + j) * inverse);
                write_row(p.O, b, h, t + i, p.E, O + i * wide);
                T *const top = p.L + (b * p.H + h) * p.T + t + i;
                *top = m[i], top[p.B * p.H * p.T] = l[i];
            }
        }
    });
}

template <class T> void attention_backward(const tf::Attention<T> &p) {
    constexpr int W = lanes<T>;
    const int64_t wd = padded<T>(p.D), we = padded<T>(p.E), keys = up(p.S, NR<T>);
    parallel_for(p.B * p.H, [&](int64_t task) {
        const int64_t b = task / p.H, h = task % p.H, g = h / (p.H / p.G);
        const T *const m = p.L + task * p.T, *const l = m + p.B * p.H * p.T;

        const int64_t size = keys * (p.D + p.E + wd) + p.T * (2 * wd + we + 1) + 2 * BT_BACK * BS + BS * (wd + we);
        T *at = (T *)tf::scratch(2, sizeof(T) * (size + 4 * W));
        auto take = [&](int64_t n) { return at += n, at - n; };
        T *const P = take(BT_BACK * BS), *const dP = take(BT_BACK * BS), *const dK = take(BS * wd),
                 *const dV = take(BS * we);
        T *const dQ = take(p.T * wd), *const dot = take(p.T);
        const Strips<T> Kt = as_columns<T>(p.K.at(b, g, 0), p.S, p.D, p.K.stride[2], p.K.stride[3], take(keys * p.D));
        const Strips<T> Vt = as_columns<T>(p.V.at(b, g, 0), p.S, p.E, p.V.stride[2], p.V.stride[3], take(keys * p.E));
        const Strips<T> K = as_rows<T>(p.K.at(b, g, 0), p.S, p.D, p.K.stride[2], p.K.stride[3], take(keys * wd));
        const Strips<T> Q = as_rows<T>(p.Q.at(b, h, 0), p.T, p.D, p.Q.stride[2], p.Q.stride[3], take(p.T * wd));
        const Strips<T> dO = as_rows<T>(p.dO.at(b, h, 0), p.T, p.E, p.dO.stride[2], p.dO.stride[3], take(p.T * we));

        for (int64_t i = 0; i < p.T * wd; i++) dQ[i] = 0;
        for (int64_t t = 0; t < p.T; t++) { /* rowsum(dO ⊙ O) */
            const T *o = p.O.at(b, h, t), *d = p.dO.at(b, h, t);
            vec<T> total{};
            int64_t j = 0;
            if (p.O.stride[3] == 1 && p.dO.stride[3] == 1)
                for (; j + W <= p.E; j += W) total += load(o + j) * load(d + j);
            dot[t] = sum<T>(total);
            for (; j < p.E; j++) dot[t] += o[j * p.O.stride[3]] * d[j * p.dO.stride[3]];
        }

        const int64_t step = p.T <= 2 * BT_BACK ? BT : BT_BACK, blocks = parts(p.T, step);
        for (int64_t s = 0; s < p.S; s += BS) {
            const int64_t width = smaller(BS, p.S - s);
            for (int64_t i = 0; i < BS * wd; i++) dK[i] = 0;
            for (int64_t i = 0; i < BS * we; i++) dV[i] = 0;
            for (int64_t block = 0; block < blocks; block++) {
                const int64_t t = block * p.T / blocks, rows = (block + 1) * p.T / blocks - t;
                const int64_t n = p.is_causal ? smaller(width, t + rows - s) : width;
                if (n <= 0) {
                    if (p.dS.data)
                        for (int64_t i = 0; i < rows; i++)
                            for (int64_t j = 0; j < width; j++) p.dS.at(b, h, t + i)[(s + j) * p.dS.stride[3]] = 0;
                    continue;
                }
                product<T>(rows, n, p.D, T(p.scale), {p.Q.at(b, h, t), p.Q.stride[2], p.Q.stride[3]},
                           skip(Kt, s / NR<T>), false, P, BS);
                product<T>(rows, n, p.E, T(1), {p.dO.at(b, h, t), p.dO.stride[2], p.dO.stride[3]}, skip(Vt, s / NR<T>),
                           false, dP, BS);
                for (int64_t i = 0; i < rows; i++) {
                    T *row = P + i * BS, *drow = dP + i * BS;
                    mask_row(p, b, h, t + i, s, n, row);
                    const T shift = m[t + i] == -Constants<T>::infinity ? T(0) : m[t + i];
                    const T less = dot[t + i], inverse = l[t + i] == 0 ? T(0) : 1 / l[t + i];
                    if (!p.keep.data) {
                        for (int64_t j = 0; j < n; j += W) {
                            const vec<T> e = vexp<T>(load(row + j) - shift) * inverse;
                            store(row + j, e);
                            store(drow + j, e * (load(drow + j) - less));
                        }
                    } else {
                        const T *keep = p.keep.at(b, h, t + i) + s * p.keep.stride[3];
                        for (int64_t j = 0; j < n; j += W) {
                            vec<T> mask = vec<T>{};
                            for (int64_t k = 0; k < smaller(W, n - j); k++) mask[k] = keep[(j + k) * p.keep.stride[3]];
                            const vec<T> e = vexp<T>(load(row + j) - shift) * inverse;
                            store(row + j, e * mask);
                            store(drow + j, e * (load(drow + j) * mask - less));
                        }
                    }
                    if (p.dS.data) {
                        T *out = p.dS.at(b, h, t + i) + s * p.dS.stride[3];
                        for (int64_t j = 0; j < width; j++) out[j * p.dS.stride[3]] = j < n ? drow[j] : T(0);
                    }
                }
                product<T>(n, we, rows, T(1), {P, 1, BS}, skip_rows(dO, t), true, dV, we);
                product<T>(n, wd, rows, T(p.scale), {dP, 1, BS}, skip_rows(Q, t), true, dK, wd);
                product<T>(rows, wd, n, T(p.scale), {dP, BS, 1}, skip_rows(K, s), true, dQ + t * wd, wd);
            }
            for (int64_t i = 0; i < width; i++) {
                write_row(p.dK, b, h, s + i, p.D, dK + i * wd);
                write_row(p.dV, b, h, s + i, p.E, dV + i * we);
            }
        }
        for (int64_t t = 0; t < p.T; t++) write_row(p.dQ, b, h, t, p.D, dQ + t * wd);
    });
}

}  // namespace
