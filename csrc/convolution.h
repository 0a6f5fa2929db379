/* Convolution of pictures, and max pooling.
 *
 * A convolution is a matrix product whose one operand is all patches of the picture. That matrix is kh·kw times as large
 * as the picture, and making it would take longer than multiplying. But it need not be made: in a picture with its
 * padding, whose rows follow one another in memory, the pixels that entry (i, j) of the kernel meets lie as the picture
 * itself lies, i·width + j further on. So each row of the matrix is the same picture, read from another place, and the
 * tile of gemm.h becomes one with a table of places. Outputs are then as wide as the picture: the windows that would run
 * over the right edge are computed too, and left out when the rows are copied to y.
 *
 * With a stride the picture is first dealt out to stride · stride smaller ones, of each stride-th row and column: windows
 * side by side read pixels side by side in each of them. They are called planes here.
 *
 * Each picture is the work of one thread, and dW that of sixteenths of the batch, summed in their order: the bits do not
 * depend on the number of threads.
 */
#pragma once
#include "gemm.h"
#include "rows.h"

namespace {

/* One picture of one group, dealt out to planes. */
template <class T> struct Planes {
    const tf::Conv<T> &p;
    int64_t C, O, K;       /* channels of x and of y in a group, places of the kernel over all channels */
    int64_t height, width; /* of a plane */
    int64_t used, wide;    /* outputs from the first to the last, with those between the rows; in whole vectors */
    int64_t plane, size;   /* numbers of a plane, and of all of them with what vectors may touch beyond */

    explicit Planes(const tf::Conv<T> &p) : p(p) {
        C = p.C / p.groups, O = p.O / p.groups, K = C * p.kh * p.kw;
        height = p.P + (p.kh - 1) * p.dilation[0] / p.stride[0];
        width = p.Q + (p.kw - 1) * p.dilation[1] / p.stride[1];
        used = (p.P - 1) * width + p.Q, wide = up(used, NR<T>);
        plane = height * width, size = C * p.stride[0] * p.stride[1] * plane + NR<T>;
    }

    /* Where output 0 meets entry (c, i, j) of the kernel. */
    int64_t place(int64_t c, int64_t i, int64_t j) const {
        const int64_t row = i * p.dilation[0], column = j * p.dilation[1], sh = p.stride[0], sw = p.stride[1];
        return ((c * sh + row % sh) * sw + column % sw) * plane + row / sh * width + column / sw;
    }

    /* f(row of x, of the planes) for each row of x that lies in a plane: first column of x, how many, their distance. */
    template <class F> void rows(F f) const {
        const int64_t sh = p.stride[0], sw = p.stride[1];
        for (int64_t c = 0; c < C; c++)
            for (int64_t row = 0; row < p.H; row++) {
                const int64_t down = row + p.padding[0];
                if (down / sh >= height) continue;
                for (int64_t b = 0; b < sw; b++) {
                    /* columns s of this plane: x's column is s · sw + b − padding */
                    const int64_t first = larger(0, parts(p.padding[1] - b, sw));
                    const int64_t end = smaller(width, parts(p.W + p.padding[1] - b, sw));
                    if (first >= end) continue;
                    f((c * p.H + row) * p.W + first * sw + b - p.padding[1],
                      ((c * sh + down % sh) * sw + b) * plane + down / sh * width + first, end - first, sw);
                }
            }
    }

    void deal_out(const T *x, T *to) const {
        for (int64_t i = 0; i < size; i++) to[i] = 0;
        rows([&](int64_t from, int64_t at, int64_t n, int64_t step) {
            if (step == 1) memcpy(to + at, x + from, sizeof(T) * n);
            else
                for (int64_t i = 0; i < n; i++) to[at + i] = x[from + i * step];
        });
    }

    void collect(const T *from, T *x) const {
        for (int64_t i = 0; i < C * p.H * p.W; i++) x[i] = 0; /* pixels that no window reaches */
        rows([&](int64_t to, int64_t at, int64_t n, int64_t step) {
            if (step == 1) memcpy(x + to, from + at, sizeof(T) * n);
            else
                for (int64_t i = 0; i < n; i++) x[to + i * step] = from[at + i];
        });
    }
};

/* The three tiles, each of rows × vectors sums in registers. */
struct Forward { /* out[r] = Σₖ w[k·rows + r] · (the picture from places[k] on) */
    template <class T> using Of = void (*)(int64_t, const T *, const int64_t *, const T *, T *, int64_t);
    template <class T, int rows, int vectors>
    static void run(int64_t K, const T *w, const int64_t *places, const T *picture, T *out, int64_t step) {
        vec<T> sums[rows][vectors] = {};
        for (int64_t k = 0; k < K; k++, w += rows) {
            vec<T> pixels[vectors];
            for (int j = 0; j < vectors; j++) pixels[j] = load(picture + places[k] + j * lanes<T>);
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < vectors; j++) sums[r][j] += w[r] * pixels[j];
        }
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < vectors; j++) store(out + r * step + j * lanes<T>, sums[r][j]);
    }
};

struct Backward { /* the picture from places[r] on += Σₒ w[o·rows + r] · dy[o] */
    template <class T> using Of = void (*)(int64_t, const T *, const int64_t *, const T *, T *, int64_t);
    template <class T, int rows, int vectors>
    static void run(int64_t O, const T *w, const int64_t *places, const T *dy, T *picture, int64_t step) {
        vec<T> sums[rows][vectors] = {};
        for (int64_t o = 0; o < O; o++, w += rows, dy += step) {
            vec<T> d[vectors];
            for (int j = 0; j < vectors; j++) d[j] = load(dy + j * lanes<T>);
            for (int r = 0; r < rows; r++)
                for (int j = 0; j < vectors; j++) sums[r][j] += w[r] * d[j];
        }
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < vectors; j++) {
                T *to = picture + places[r] + j * lanes<T>;
                store(to, load(to) + sums[r][j]);
            }
    }
};

struct Weights { /* out[r] += Σ over the windows (picture from places[r] on) · dy, dy with its channels side by side */
    template <class T>
    using Of = void (*)(int64_t, int64_t, int64_t, const T *, const int64_t *, const T *, T *, int64_t);
    template <class T, int rows, int vectors>
    static void run(int64_t P, int64_t Q, int64_t width, const T *picture, const int64_t *places, const T *dy, T *out,
                    int64_t step) {
        vec<T> sums[rows][vectors];
        const T *pixel[rows];
        for (int r = 0; r < rows; r++) pixel[r] = picture + places[r];
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < vectors; j++) sums[r][j] = load(out + r * step + j * lanes<T>);
        for (int64_t row = 0; row < P; row++)
            for (int64_t q = row * width; q < row * width + Q; q++, dy += NR<T>) {
                vec<T> d[vectors];
                for (int j = 0; j < vectors; j++) d[j] = load(dy + j * lanes<T>);
                for (int r = 0; r < rows; r++)
                    for (int j = 0; j < vectors; j++) sums[r][j] += pixel[r][q] * d[j];
            }
        for (int r = 0; r < rows; r++)
            for (int j = 0; j < vectors; j++) store(out + r * step + j * lanes<T>, sums[r][j]);
    }
};

/* The tile of the right size: of[rows − 1][vectors − 1]. */
template <class T, class Kind, int rows> struct FillSizes {
    static constexpr void row(typename Kind::template Of<T> (*table)[NV]) {
        table[rows - 1][0] = Kind::template run<T, rows, 1>;
        table[rows - 1][1] = Kind::template run<T, rows, 2>;
        if (NV > 2) table[rows - 1][NV - 1] = Kind::template run<T, rows, NV>;
        FillSizes<T, Kind, rows - 1>::row(table);
    }
};
template <class T, class Kind> struct FillSizes<T, Kind, 0> {
    static constexpr void row(typename Kind::template Of<T> (*)[NV]) {}
};
template <class T, class Kind> struct Sizes {
    typename Kind::template Of<T> of[MR][NV];
    constexpr Sizes() : of{} { FillSizes<T, Kind, MR>::row(of); }
};
template <class T, class Kind> constexpr Sizes<T, Kind> sizes; /* filled by the compiler, as the tiles of gemm.h */

/* f(first, how many) for n rows in tiles of about equal size. */
template <class F> void in_tiles(int64_t n, F f) {
    const int64_t count = parts(n, MR);
    for (int64_t t = 0; t < count; t++) f(t * n / count, (t + 1) * n / count - t * n / count);
}

/* The threads share n pieces of the work, unless all of it is done before a second one wakes. */
template <class T, class F> void share(const tf::Conv<T> &p, int64_t n, F f) {
    if (p.N * p.O * p.P * p.Q * (p.C / p.groups) * p.kh * p.kw < 400000)
        for (int64_t i = 0; i < n; i++) f(i);
    else parallel_for(n, f);
}

template <class T> void conv_forward(const tf::Conv<T> &p) {
    const Planes<T> planes(p);
    const int64_t K = planes.K, O = planes.O, area = p.P * p.Q, field = p.kh * p.kw;
    if (area == 0) return;
    int64_t *places = (int64_t *)tf::scratch(4, sizeof(int64_t) * larger(1, K));
    for (int64_t k = 0; k < K; k++) places[k] = planes.place(k / field, k % field / p.kw, k % p.kw);
    T *packed = (T *)tf::scratch(3, sizeof(T) * larger(1, p.O * K)), *to = packed; /* rows of a tile side by side */
    for (int64_t g = 0; g < p.groups; g++)
        in_tiles(O, [&](int64_t first, int64_t rows) {
            for (int64_t k = 0; k < K; k++)
                for (int64_t r = 0; r < rows; r++) *to++ = p.weight[(g * O + first + r) * K + k];
        });
    share(p, p.N, [&](int64_t n) {
        T *picture = (T *)tf::scratch(2, sizeof(T) * (planes.size + O * planes.wide)), *out = picture + planes.size;
        for (int64_t g = 0; g < p.groups; g++) {
            planes.deal_out(p.x + (n * p.groups + g) * planes.C * p.H * p.W, picture);
            for (int64_t t = 0; t < planes.wide; t += NR<T>) {
                const int64_t vectors = parts(smaller(planes.used - t, NR<T>), lanes<T>);
                in_tiles(O, [&](int64_t first, int64_t rows) {
                    sizes<T, Forward>.of[rows - 1][vectors - 1](K, packed + (g * O + first) * K, places, picture + t,
                                                                out + first * planes.wide + t, planes.wide);
                });
            }
            for (int64_t o = 0; o < O; o++) {
                const T bias = p.bias ? p.bias[g * O + o] : T(0), *row = out + o * planes.wide;
                T *y = p.y + (n * p.O + g * O + o) * area;
                for (int64_t i = 0; i < p.P; i++, y += p.Q, row += planes.width)
                    for (int64_t q = 0; q < p.Q; q++) y[q] = row[q] + bias;
            }
        }
    });
}

template <class T> void conv_input_gradient(const tf::Conv<T> &p) {
    const int64_t pixels = p.N * p.C * p.H * p.W, area = p.P * p.Q, field = p.kh * p.kw;
    if (area == 0) {
        for (int64_t i = 0; i < pixels; i++) p.dx[i] = 0;
        return;
    }
    const Planes<T> planes(p);
    const int64_t C = planes.C, O = planes.O, K = planes.K;
    /* The channels are the rows of a tile: their planes lie apart, so no sum waits for the one just stored. */
    int64_t *places = (int64_t *)tf::scratch(4, sizeof(int64_t) * larger(1, K));
    T *packed = (T *)tf::scratch(3, sizeof(T) * larger(1, p.O * K)), *to = packed;
    for (int64_t k = 0; k < K; k++) places[k] = planes.place(k % C, k / C / p.kw, k / C % p.kw);
    for (int64_t g = 0; g < p.groups; g++)
        for (int64_t entry = 0; entry < field; entry++)
            in_tiles(C, [&](int64_t first, int64_t rows) {
                for (int64_t o = 0; o < O; o++)
                    for (int64_t r = 0; r < rows; r++) *to++ = p.weight[(g * O + o) * K + (first + r) * field + entry];
            });
    share(p, p.N, [&](int64_t n) {
        T *picture = (T *)tf::scratch(2, sizeof(T) * (planes.size + O * planes.wide)), *dy = picture + planes.size;
        for (int64_t g = 0; g < p.groups; g++) {
            for (int64_t i = 0; i < planes.size; i++) picture[i] = 0;
            for (int64_t o = 0; o < O; o++) { /* as wide as the planes, with zeros between the rows */
                const T *from = p.dy + (n * p.O + g * O + o) * area;
                T *row = dy + o * planes.wide;
                for (int64_t i = 0; i < planes.wide; i++) row[i] = 0;
                for (int64_t i = 0; i < p.P; i++) memcpy(row + i * planes.width, from + i * p.Q, sizeof(T) * p.Q);
            }
            for (int64_t t = 0; t < planes.wide; t += NR<T>) {
                const int64_t vectors = parts(smaller(planes.used - t, NR<T>), lanes<T>);
                for (int64_t entry = 0; entry < field; entry++)
                    in_tiles(C, [&](int64_t first, int64_t rows) {
                        sizes<T, Backward>.of[rows - 1][vectors - 1](O, packed + g * O * K + (entry * C + first) * O,
                                                                     places + entry * C + first, dy + t, picture + t,
                                                                     planes.wide);
                    });
            }
            planes.collect(picture, p.dx + (n * p.groups + g) * C * p.H * p.W);
        }
    });
}

template <class T> void conv_weight_gradient(const tf::Conv<T> &p) {
    constexpr int64_t PIECES = 16;
    const int64_t area = p.P * p.Q;
    if (area == 0 || p.N == 0) {
        for (int64_t i = 0; i < p.O * (p.C / p.groups) * p.kh * p.kw; i++) p.dweight[i] = 0;
        return;
    }
    const Planes<T> planes(p);
    const int64_t K = planes.K, O = planes.O, field = p.kh * p.kw, strips = parts(O, NR<T>), row = strips * NR<T>;
    int64_t *places = (int64_t *)tf::scratch(4, sizeof(int64_t) * larger(1, K));
    for (int64_t k = 0; k < K; k++) places[k] = planes.place(k / field, k % field / p.kw, k % p.kw);
    const int64_t each = parts(p.N, PIECES), pieces = parts(p.N, each), whole = p.groups * K * row;
    T *partial = (T *)tf::scratch(3, sizeof(T) * larger(1, pieces * whole)); /* (pieces, groups, K, O) */
    share(p, pieces, [&](int64_t piece) {
        T *sums = partial + piece * whole;
        for (int64_t i = 0; i < whole; i++) sums[i] = 0;
        T *picture = (T *)tf::scratch(2, sizeof(T) * (planes.size + area * NR<T>)), *dy = picture + planes.size;
        for (int64_t n = piece * each; n < smaller(p.N, (piece + 1) * each); n++)
            for (int64_t g = 0; g < p.groups; g++) {
                planes.deal_out(p.x + (n * p.groups + g) * planes.C * p.H * p.W, picture);
                for (int64_t s = 0; s < strips; s++) {
                    const int64_t channels = smaller(NR<T>, O - s * NR<T>), vectors = parts(channels, lanes<T>);
                    pack_strip<T>(area, channels, p.dy + (n * p.O + g * O + s * NR<T>)*area, 1, area, dy);
                    in_tiles(K, [&](int64_t first, int64_t rows) {
                        sizes<T, Weights>.of[rows - 1][vectors - 1](p.P, p.Q, planes.width, picture, places + first, dy,
                                                                    sums + (g * K + first) * row + s * NR<T>, row);
                    });
                }
            }
    });
    for (int64_t g = 0; g < p.groups; g++)
        for (int64_t o = 0; o < O; o++)
            for (int64_t k = 0; k < K; k++) {
                T total = 0;
                for (int64_t piece = 0; piece < pieces; piece++)
                    total += partial[piece * whole + (g * K + k) * row + o];
                p.dweight[(g * O + o) * K + k] = total;
            }
}

/* ---------------------------------------------------------------- max pooling */

template <class T> void max_pool_forward(const tf::Conv<T> &p) {
    auto plane = [&](int64_t n) {
        const T *x = p.x + n * p.H * p.W;
        T *y = p.y + n * p.P * p.Q;
        int64_t *index = p.indices + n * p.P * p.Q;
        for (int64_t out = 0; out < p.P; out++)
            for (int64_t q = 0; q < p.Q; q++) {
                const int64_t top = out * p.stride[0] - p.padding[0], left = q * p.stride[1] - p.padding[1];
                T best = -Constants<T>::infinity;
                int64_t at = -1;
                for (int64_t i = 0; i < p.kh; i++) {
                    const int64_t row = top + i * p.dilation[0];
                    if (row < 0 || row >= p.H) continue;
                    for (int64_t j = 0; j < p.kw; j++) {
                        const int64_t column = left + j * p.dilation[1];
                        if (column < 0 || column >= p.W) continue;
                        const T value = x[row * p.W + column];
                        const bool better = value > best || at < 0 || value != value; /* NaN is the largest */
                        best = better ? value : best, at = better ? row * p.W + column : at;
                    }
                }
                *y++ = best, *index++ = at;
            }
    };
    if (p.N * p.C * p.P * p.Q * p.kh * p.kw < SMALL)
        for (int64_t n = 0; n < p.N * p.C; n++) plane(n);
    else parallel_for(p.N * p.C, plane);
}

template <class T> void max_pool_backward(const tf::Conv<T> &p) {
    auto plane = [&](int64_t n) {
        T *dx = p.dx + n * p.H * p.W;
        const T *dy = p.dy + n * p.P * p.Q;
        const int64_t *index = p.indices + n * p.P * p.Q;
        for (int64_t i = 0; i < p.H * p.W; i++) dx[i] = 0;
        for (int64_t i = 0; i < p.P * p.Q; i++)
            if (index[i] >= 0) dx[index[i]] += dy[i];
    };
    if (p.N * p.C * p.H * p.W < SMALL)
        for (int64_t n = 0; n < p.N * p.C; n++) plane(n);
    else parallel_for(p.N * p.C, plane);
}

}  // namespace
