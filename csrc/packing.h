/* The tile of the matrix product, and packing: copies of A and B in the order in which the tile reads them. */
#pragma once
#include "kernels.h"
#include "simd.h"

namespace {

/* The tile: MR rows by NV vectors. All sums, a row of B and one number of A must fit the registers of the machine:
 * AVX-512 and NEON have 32, SSE and AVX2 16. */
#if TF_BYTES == 64
constexpr int MR = 14, NV = 2;
#elif defined(__aarch64__)
constexpr int MR = 8, NV = 3;
#else
constexpr int MR = 6, NV = 2;
#endif
template <class T> constexpr int NR = NV * lanes<T>;

/* out[k·step + l] = in[l·stride + k] for a square of `lanes` by `lanes`. */
#ifdef TF_SHUFFLE
/* In log₂ steps: first the halves of two vectors change places, then the quarters, … Each is one shuffle. */
template <class T, int half> struct Steps {
    static TF_INLINE void run(vec<T> *v) {
        for (int l = 0; l < lanes<T>; l++)
            if (!(l & half)) LanesOf<lanes<T>>::template swap<half>(v[l], v[l + half]);
        Steps<T, half / 2>::run(v);
    }
};
template <class T> struct Steps<T, 0> {
    static TF_INLINE void run(vec<T> *) {}
};

template <class T> void transpose_square(const T *in, int64_t stride, T *out, int64_t step) {
    vec<T> v[lanes<T>];
    for (int l = 0; l < lanes<T>; l++) v[l] = load(in + l * stride);
    Steps<T, lanes<T> / 2>::run(v);
    for (int k = 0; k < lanes<T>; k++) store(out + k * step, v[k]);
}
#else
template <class T> void transpose_square(const T *in, int64_t stride, T *out, int64_t step) {
    for (int k = 0; k < lanes<T>; k++)
        for (int l = 0; l < lanes<T>; l++) out[k * step + l] = in[l * stride + k];
}
#endif

/* One strip: out[k·NR + j] = b[k·row + j·column] for k < K, j < n, and 0 for the columns that are missing to NR. */
template <class T> void pack_strip(int64_t K, int64_t n, const T *b, int64_t row, int64_t column, T *out) {
    constexpr int W = lanes<T>;
    for (int v = 0; v < NV; v++, out += W) {
        const int64_t have = larger(0, smaller(n - v * W, W));
        const T *from = b + v * W * column;
        int64_t k = 0;
        if (have == W && column == 1) {
            for (; k < K; k++) {
                prefetch(from + (k + 16) * row);
                store(out + k * NR<T>, load(from + k * row));
            }
        } else if (have == W && row == 1) {
            for (; k + W <= K; k += W) transpose_square<T>(from + k, column, out + k * NR<T>, NR<T>);
        }
        for (; k < K; k++)
            for (int j = 0; j < W; j++) out[k * NR<T> + j] = j < have ? from[k * row + j * column] : T(0);
    }
}

/* The rows of one tile, k after k: out[k·m + i] = a[i·row + k·column]. May write up to a vector beyond the end. */
template <class T> void pack_rows(int64_t K, int64_t m, const T *a, int64_t row, int64_t column, T *out) {
    constexpr int W = lanes<T>;
    int64_t k = 0;
    if (column == 1) {
        /* Squares, as for a strip. A group of fewer rows than lanes writes into what follows: into the next k, which is
         * written later, or into the first rows of it, and so the last group of rows goes first. */
        const int64_t whole = K / W * W;
        for (int64_t first = (m - 1) / W * W; first >= 0; first -= W)
            for (k = 0; k < whole; k += W) {
                T square[W * W];
                for (int64_t i = 0; i < W; i++) store(square + i * W, load(a + smaller(first + i, m - 1) * row + k));
                transpose_square<T>(square, W, out + k * m + first, m);
            }
    }
    for (; k < K; k++)
        for (int64_t i = 0; i < m; i++) out[k * m + i] = a[i * row + k * column];
}

}  // namespace
