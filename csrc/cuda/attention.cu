/* Softmax attention tile by tile, so that the scores never exist as a whole matrix.
 *
 * The recurrences are those of ../attention.h. A block of threads holds one tile of scores at a time, each thread the
 * entries that tile.h gives it, and the products on both sides of the softmax are tile.h's:
 *
 *      forward     a block for TILE queries and TILE columns of the values: over all keys, TILE at a time,
 *                  S = Q Kᵀ, the online softmax, O += P V
 *      backward    first rowsum(dO ⊙ O) of each query, a thread each; then
 *                  a block for TILE queries and TILE columns of dQ: over the keys,    S, dP = dO Vᵀ, dQ += dS K
 *                  a block for TILE keys and TILE columns of dK, dV: over the queries, Sᵀ, dPᵀ, dV += Pᵀ dO, dK += dSᵀ
 *                  Q
 *
 * Any width of heads fits, since no tile is wider than TILE: heads of up to 64 take one block across, wider ones
 * compute their scores again in each. Backward makes S and dP twice, once for each of its kernels; in return every
 * result is summed by one block, in order, and is the same bits each time, which adding to dQ from many blocks at once
 * would not give.
 *
 * Source: Dao et al. (2022), algorithms 1 and 4.
 */
#include <math.h>

#include "tile.h"

namespace tf {
namespace {

template <class T> struct Call : Attention<T> {
    T *rowsum;             /* backward: of dO ⊙ O, (B, H, T) */
    int64_t along, across; /* tiles of the queries or keys, and of the widths */
};

/* Which head and which tile are this block's. */
struct Place {
    int64_t b, h, first, column;
};

template <class T> __device__ Place place(const Call<T> &call) {
    const int64_t head = blockIdx.x / call.across / call.along;
    return {head / call.H, head % call.H, blockIdx.x / call.across % call.along * TILE<T>,
            blockIdx.x % call.across * TILE<T>};
}

/* The matrix (length, width) of head h of batch b. */
template <class T> __device__ Matrix<T> matrix(const Heads<T> &x, int64_t b, int64_t h, int64_t length, int64_t width) {
    return {x.data + b * x.stride[0] + h * x.stride[1], x.stride[2], x.stride[3], length, width};
}

template <class T> __device__ T &entry(const Heads<T> &x, int64_t b, int64_t h, int64_t t, int64_t s) {
    return x.data[b * x.stride[0] + h * x.stride[1] + t * x.stride[2] + s * x.stride[3]];
}

template <class T> __device__ int64_t key_head(const Call<T> &call, int64_t h) { return h / (call.H / call.G); }

/* The score of query t and key s, whose product is `dot`; −inf if the query does not see the key, or there is none
 * such. */
template <class T> __device__ T score(const Call<T> &call, const Place &at, int64_t t, int64_t s, T dot) {
    if (t >= call.T || s >= call.S || (call.is_causal && s > t)) return -T(INFINITY);
    return T(call.scale) * dot + (call.bias.data ? entry(call.bias, at.b, at.h, t, s) : T(0));
}

template <class T> __device__ T keep(const Call<T> &call, const Place &at, int64_t t, int64_t s) {
    return call.keep.data && t < call.T && s < call.S ? entry(call.keep, at.b, at.h, t, s) : T(1);
}

/* Of each of the thread's rows: what `join` makes of the numbers of all threads that have a part in that row. They meet
 * in shared memory. (Before it is written again there is a product, and with that a barrier.) */
template <class T, class F> __device__ void across_row(T (&mine_alone)[MINE<T>], T (&part)[TILE<T>][SIDE + 1], F join) {
    for (int i = 0; i < MINE<T>; i++) part[mine(i, threadIdx.y)][threadIdx.x] = mine_alone[i];
    __syncthreads();
    for (int i = 0; i < MINE<T>; i++) {
        T all = part[mine(i, threadIdx.y)][0];
        for (int x = 1; x < SIDE; x++) all = join(all, part[mine(i, threadIdx.y)][x]);
        mine_alone[i] = all;
    }
}

/* m and l are the largest score so far and Σ exp(score − m). The threads of a row share m, but each sums its own
 * columns in l, and only at the end do they add up. */
template <class T> __global__ void __launch_bounds__(SIDE *SIDE) forward_kernel(Call<T> call) {
    __shared__ Chunks<T> chunks;
    __shared__ T part[TILE<T>][SIDE + 1], weights[TILE<T>][TILE<T> + 1];
    const Place at = place(call);
    const Matrix<T> Q = matrix(call.Q, at.b, at.h, call.T, call.D).from(at.first, 0);
    const Matrix<T> K = matrix(call.K, at.b, key_head(call, at.h), call.S, call.D);
    const Matrix<T> V = matrix(call.V, at.b, key_head(call, at.h), call.S, call.E).from(0, at.column);

    T m[MINE<T>], l[MINE<T>] = {}, o[MINE<T>][MINE<T>] = {};
    for (int i = 0; i < MINE<T>; i++) m[i] = -T(INFINITY);
    const int64_t past = at.first + TILE<T>, keys = call.is_causal && past < call.S ? past : call.S;
    for (int64_t first = 0; first < keys; first += TILE<T>) {
        T s[MINE<T>][MINE<T>] = {}, top[MINE<T>];
        product(s, chunks, Q, K.from(first, 0).transposed());
        for (int i = 0; i < MINE<T>; i++) {
            top[i] = m[i];
            for (int j = 0; j < MINE<T>; j++) {
                s[i][j] = score(call, at, at.first + mine(i, threadIdx.y), first + mine(j, threadIdx.x), s[i][j]);
                top[i] = fmax(top[i], s[i][j]); /* fmax passes over a NaN; exp does not */
            }
        }
        across_row(top, part, [](T a, T b) { return fmax(a, b); });
        for (int i = 0; i < MINE<T>; i++) {
            const T base = top[i] == -T(INFINITY) ? T(0) : top[i]; /* nothing seen yet: −inf − −inf would be NaN */
            const T shrink = exp(m[i] - base);
            m[i] = top[i];
            l[i] *= shrink;
            for (int j = 0; j < MINE<T>; j++) {
                const T p = exp(s[i][j] - base);
                l[i] += p;
                o[i][j] *= shrink;
                weights[mine(i, threadIdx.y)][mine(j, threadIdx.x)] =
                    p * keep(call, at, at.first + mine(i, threadIdx.y), first + mine(j, threadIdx.x));
            }
        }
        product(o, chunks, weights, V.from(first, 0));
    }

    across_row(l, part, [](T a, T b) { return a + b; });
    for (int i = 0; i < MINE<T>; i++) {
        const int64_t t = at.first + mine(i, threadIdx.y);
        if (t >= call.T) continue;
        for (int j = 0; j < MINE<T>; j++) {
            const int64_t e = at.column + mine(j, threadIdx.x);
            if (e < call.E) entry(call.O, at.b, at.h, t, e) = l[i] == 0 ? T(0) : o[i][j] / l[i];
        }
        if (at.column == 0 && threadIdx.x == 0) {
            T *const top = call.L + (at.b * call.H + at.h) * call.T + t;
            *top = m[i], top[call.B * call.H * call.T] = l[i];
        }
    }
}

template <class T> __global__ void __launch_bounds__(SIDE *SIDE) rowsum_kernel(Call<T> call) {
    const int64_t row = int64_t(blockIdx.x) * SIDE * SIDE + threadIdx.y * SIDE + threadIdx.x;
    if (row >= call.B * call.H * call.T) return;
    const int64_t t = row % call.T, h = row / call.T % call.H, b = row / call.T / call.H;
    T sum = 0;
    for (int64_t e = 0; e < call.E; e++) sum += entry(call.dO, b, h, t, e) * entry(call.O, b, h, t, e);
    call.rowsum[row] = sum;
}

/* P ⊙ keep and dS of one score, from the products q·k and dO·v. */
template <class T> struct Pair {
    T kept, ds;
};

template <class T> __device__ Pair<T> pair(const Call<T> &call, const Place &at, int64_t t, int64_t s, T qk, T dov) {
    const T x = score(call, at, t, s, qk);
    if (x == -T(INFINITY)) return {0, 0}; /* among them all of a row that sees nothing */
    const int64_t row = (at.b * call.H + at.h) * call.T + t;
    const T p = exp(x - call.L[row]) / call.L[call.B * call.H * call.T + row], kept = keep(call, at, t, s);
    return {p * kept, p * (dov * kept - call.rowsum[row])};
}

template <class T> __global__ void __launch_bounds__(SIDE *SIDE) queries_kernel(Call<T> call) {
    __shared__ Chunks<T> chunks;
    __shared__ T ds[TILE<T>][TILE<T> + 1];
    const Place at = place(call);
    const Matrix<T> Q = matrix(call.Q, at.b, at.h, call.T, call.D).from(at.first, 0);
    const Matrix<T> dO = matrix(call.dO, at.b, at.h, call.T, call.E).from(at.first, 0);
    const Matrix<T> K = matrix(call.K, at.b, key_head(call, at.h), call.S, call.D);
    const Matrix<T> V = matrix(call.V, at.b, key_head(call, at.h), call.S, call.E);

    T dq[MINE<T>][MINE<T>] = {};
    const bool wanted = call.dS.data && at.column == 0; /* then hidden scores need their 0 too */
    const int64_t past = at.first + TILE<T>, keys = call.is_causal && !wanted && past < call.S ? past : call.S;
    for (int64_t first = 0; first < keys; first += TILE<T>) {
        T qk[MINE<T>][MINE<T>] = {}, dov[MINE<T>][MINE<T>] = {};
        product(qk, chunks, Q, K.from(first, 0).transposed());
        product(dov, chunks, dO, V.from(first, 0).transposed());
#pragma unroll
        for (int i = 0; i < MINE<T>; i++)
#pragma unroll
            for (int j = 0; j < MINE<T>; j++) {
                const int64_t t = at.first + mine(i, threadIdx.y), s = first + mine(j, threadIdx.x);
                const T d = pair(call, at, t, s, qk[i][j], dov[i][j]).ds;
                ds[mine(i, threadIdx.y)][mine(j, threadIdx.x)] = d;
                if (wanted && t < call.T && s < call.S) entry(call.dS, at.b, at.h, t, s) = d;
            }
        product(dq, chunks, ds, K.from(first, at.column));
    }

    for (int i = 0; i < MINE<T>; i++)
        for (int j = 0; j < MINE<T>; j++) {
            const int64_t t = at.first + mine(i, threadIdx.y), d = at.column + mine(j, threadIdx.x);
            if (t < call.T && d < call.D) entry(call.dQ, at.b, at.h, t, d) = T(call.scale) * dq[i][j];
        }
}

/* Rows of the tile are keys here and columns queries, so that it is Pᵀ and dSᵀ that lie ready for the products. */
template <class T> __global__ void __launch_bounds__(SIDE *SIDE) keys_kernel(Call<T> call) {
    __shared__ Chunks<T> chunks;
    __shared__ T tile[TILE<T>][TILE<T> + 1];
    const Place at = place(call);
    const Matrix<T> Q = matrix(call.Q, at.b, at.h, call.T, call.D);
    const Matrix<T> dO = matrix(call.dO, at.b, at.h, call.T, call.E);
    const Matrix<T> K = matrix(call.K, at.b, key_head(call, at.h), call.S, call.D).from(at.first, 0);
    const Matrix<T> V = matrix(call.V, at.b, key_head(call, at.h), call.S, call.E).from(at.first, 0);

    T dk[MINE<T>][MINE<T>] = {}, dv[MINE<T>][MINE<T>] = {};
    for (int64_t first = call.is_causal ? at.first : 0; first < call.T;
         first += TILE<T>) { /* earlier queries see no key of ours */
        T qk[MINE<T>][MINE<T>] = {}, dov[MINE<T>][MINE<T>] = {};
        product(qk, chunks, K, Q.from(first, 0).transposed());
        product(dov, chunks, V, dO.from(first, 0).transposed());
#pragma unroll
        for (int i = 0; i < MINE<T>; i++)
#pragma unroll
            for (int j = 0; j < MINE<T>; j++) {
                const Pair<T> both =
                    pair(call, at, first + mine(j, threadIdx.x), at.first + mine(i, threadIdx.y), qk[i][j], dov[i][j]);
                tile[mine(i, threadIdx.y)][mine(j, threadIdx.x)] = both.kept;
                qk[i][j] = both.ds; /* waits in registers until the tile is free */
            }
        product(dv, chunks, tile, dO.from(first, at.column));
        for (int i = 0; i < MINE<T>; i++)
            for (int j = 0; j < MINE<T>; j++) tile[mine(i, threadIdx.y)][mine(j, threadIdx.x)] = qk[i][j];
        product(dk, chunks, tile, Q.from(first, at.column));
    }

    for (int i = 0; i < MINE<T>; i++)
        for (int j = 0; j < MINE<T>; j++) {
            const int64_t s = at.first + mine(i, threadIdx.y), c = at.column + mine(j, threadIdx.x);
            if (s < call.S && c < call.D) entry(call.dK, at.b, at.h, s, c) = T(call.scale) * dk[i][j];
            if (s < call.S && c < call.E) entry(call.dV, at.b, at.h, s, c) = dv[i][j];
        }
}

/* The twin of an array (B, H, length, width). */
template <class T> Twin<T> twin(const Heads<T> &x, int64_t B, int64_t H, int64_t length, int64_t width) {
    return Twin<T>(x.data, {B, H, length, width}, {x.stride, x.stride + 4});
}

/* Run `kernel` in a block for each tile of each head. */
template <class T> void over_tiles(void (*kernel)(Call<T>), Call<T> call, int64_t length, int64_t width) {
    call.along = tiles<T>(length);
    call.across = width ? tiles<T>(width) : 1;
    launch(kernel, call.B * call.H * call.along * call.across, threads(), call);
}

}  // namespace

template <class T> void run_attention_forward(const Attention<T> &a) {
    const Twin<T> Q = twin(a.Q, a.B, a.H, a.T, a.D), K = twin(a.K, a.B, a.G, a.S, a.D),
                  V = twin(a.V, a.B, a.G, a.S, a.E);
    const Twin<T> bias = twin(a.bias, a.B, a.H, a.T, a.S), keep = twin(a.keep, a.B, a.H, a.T, a.S);
    const Twin<T> O = twin(a.O, a.B, a.H, a.T, a.E), L(a.L, {2 * a.B * a.H * a.T}, {1});
    for (const Twin<T> *input : {&Q, &K, &V, &bias, &keep}) input->copy_in();

    Call<T> call{a, nullptr, 0, 0};
    call.Q.data = Q.data(), call.K.data = K.data(), call.V.data = V.data(), call.O.data = O.data(), call.L = L.data();
    call.bias.data = bias.data(), call.keep.data = keep.data();
    over_tiles(forward_kernel<T>, call, a.T, a.E);
    check(cudaDeviceSynchronize());
    for (const Twin<T> *output : {&O, &L}) output->copy_out();
}

template <class T> void run_attention_backward(const Attention<T> &a) {
    const Twin<T> Q = twin(a.Q, a.B, a.H, a.T, a.D), K = twin(a.K, a.B, a.G, a.S, a.D),
                  V = twin(a.V, a.B, a.G, a.S, a.E);
    const Twin<T> bias = twin(a.bias, a.B, a.H, a.T, a.S), keep = twin(a.keep, a.B, a.H, a.T, a.S);
    const Twin<T> O = twin(a.O, a.B, a.H, a.T, a.E), L(a.L, {2 * a.B * a.H * a.T}, {1}),
                  dO = twin(a.dO, a.B, a.H, a.T, a.E);
    const Twin<T> dQ = twin(a.dQ, a.B, a.H, a.T, a.D), dK = twin(a.dK, a.B, a.H, a.S, a.D),
                  dV = twin(a.dV, a.B, a.H, a.S, a.E);
    const Twin<T> dS = twin(a.dS, a.B, a.H, a.T, a.S);
    const Memory<T> rowsum(a.B * a.H * a.T);
    for (const Twin<T> *input : {&Q, &K, &V, &bias, &keep, &O, &L, &dO}) input->copy_in();

    Call<T> call{a, rowsum.data, 0, 0};
    call.Q.data = Q.data(), call.K.data = K.data(), call.V.data = V.data(), call.O.data = O.data(), call.L = L.data();
    call.bias.data = bias.data(), call.keep.data = keep.data(), call.dO.data = dO.data();
    call.dQ.data = dQ.data(), call.dK.data = dK.data(), call.dV.data = dV.data(), call.dS.data = dS.data();
    launch(rowsum_kernel<T>, (a.B * a.H * a.T + SIDE * SIDE - 1) / (SIDE * SIDE), threads(), call);
    over_tiles(queries_kernel<T>, call, a.T, a.D);
    over_tiles(keys_kernel<T>, call, a.S, a.D > a.E ? a.D : a.E);
    check(cudaDeviceSynchronize());
    for (const Twin<T> *output : {&dQ, &dK, &dV, &dS}) output->copy_out();
}

template void run_attention_forward(const Attention<float> &);
template void run_attention_forward(const Attention<double> &);
template void run_attention_backward(const Attention<float> &);
template void run_attention_backward(const Attention<double> &);

}  // namespace tf
