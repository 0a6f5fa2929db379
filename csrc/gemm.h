/* The matrix product C = A B, the way of Goto and of BLIS.
 *
 * One core does two vector multiply-adds a cycle but loads from main memory a hundred times more slowly, so all is
 * about using what was loaded many times. Five loops around one small kernel:
 *
 *      for a block of columns of C     (NC: as much of B as fits the last cache)
 *        for a block of k              (KC: so much that a strip of B stays in the first cache)
 *          pack this block of B        into strips of NR columns, each strip k after k
 *          for a chunk of C            (MC rows, some strips: what one thread takes at a time, A's part in the second
 *                                      cache)
 *            for a strip of NR columns
 *              for MR rows             the tile: MR × NR sums that stay in registers while k runs
 *
 * The tile loads NR numbers of B as vectors and MR numbers of A one at a time, each to all lanes, and does MR · NR
 * multiply-adds with them. Only B is read in vectors, so only B must be contiguous in its columns; A is read entry by
 * entry and may lie in any way. That is why x W, x Wᵀ and xᵀ dy are one kernel. A is packed only if its rows lie so far
 * apart that they would push each other out of the caches.
 *
 * Sources: Goto and van de Geijn (2008); Van Zee and van de Geijn (2015).
 */
#pragma once
#include "packing.h"

namespace {

constexpr int64_t KC = 384, NC = 4096, MC = 8 * MR;
constexpr int64_t FEW = 3; /* rows or columns that are better done as dot products */

/* Where a tile's sums go. */
template <class T> struct Target {
    T *c;
    int64_t row; /* stride */
    T alpha, beta;
    const T *bias, *residual; /* as in tf_epilogue; residual and preactivation laid out as c */
    T *preactivation;
    bool plain; /* no epilogue */
};

/* C[0:rows, 0:n] from the sums in `tile`, of NR columns a row. Away from the tile's registers, so that there is one
 * copy of it. */
template <class T> TF_NOINLINE void finish(const T *tile, int rows, int64_t n, const Target<T> &given, int64_t at,
                                           int64_t column) {
    constexpr int W = lanes<T>;
    const Target<T> to = given; /* a copy, which no store below can change */
    auto vector = [&](int64_t i, int64_t j, auto get, auto put) TF_INLINE_LAMBDA {
        const int64_t place = at + i * to.row + j;
        vec<T> v = load(tile + i * NR<T> + j) * to.alpha;
        if (to.beta != 0) v += get(to.c + place) * to.beta;
        if (to.bias) v += get(to.bias + column + j);
        if (to.preactivation) {
            put(to.preactivation + place, v);
            v *= gelu_gate<T>(v);
        }
        if (to.residual) v += get(to.residual + place);
        put(to.c + place, v);
    };
    for (int64_t j = 0; j + W <= n; j += W)
        for (int64_t i = 0; i < rows; i++)
            vector(
                i, j, [](const T *p) TF_INLINE_LAMBDA { return load(p); },
                [](T *p, vec<T> v) TF_INLINE_LAMBDA { store(p, v); });
    const int64_t j = n / W * W, left = n - j;
    if (left)
        for (int64_t i = 0; i < rows; i++)
            vector(
                i, j, [=](const T *p) TF_INLINE_LAMBDA { return load_some(p, left, T(0)); },
                [=](T *p, vec<T> v) TF_INLINE_LAMBDA { store_some(p, v, left); });
}

/* The tile: rows × vectors sums over K. a: entry (i, k) at i·ar + k·ac. b: row k at k·bk. Columns beyond n are not
 * stored.
 *
 * In training, operands come from beyond the second cache, and a tile that waited for each line would lose a fifth of
 * its time. So it asks for lines in advance, a few at a time between its multiply-adds: for C, and for the rows of A
 * that the next tile will read, which begin at `next`. (If A lies transposed, each step reads a line far from the last:
 * then for its own, AHEAD steps before.) */
template <class T, int rows, int vectors>
void tile(int64_t K, const T *a, int64_t ar, int64_t ac, const T *next, const T *b, int64_t bk, const Target<T> &to,
          int64_t at, int64_t column, int64_t n) {
    constexpr int64_t AHEAD = 24;
    vec<T> sums[rows][vectors];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vectors; j++) sums[i][j] = vec<T>{};

    /* As many stretches as rows, each with one row's lines. */
    const int64_t stretch = larger(1, parts(K, rows));
    const T *c = to.c + at;
    for (int64_t k = 0, i = 0; k < K; i++, c += to.row) {
        const int64_t end = smaller(K, k + stretch);
        for (int j = 0; j <= vectors; j++) prefetch_to_write(c + j * lanes<T>);
        if (ar != 1)
            for (int64_t q = 0; q < K; q += lanes<T>) prefetch(next + i * ar + q * ac);

        if (ar == 1) {
            for (; k < end; k++, a += ac, b += bk) {
                prefetch(a + AHEAD * ac);
                prefetch(a + AHEAD * ac + rows - 1);
                vec<T> bv[vectors];
                for (int j = 0; j < vectors; j++) bv[j] = load(b + j * lanes<T>);
                for (int r = 0; r < rows; r++)
                    for (int j = 0; j < vectors; j++) sums[r][j] += a[r] * bv[j];
            }
        } else {
            /* Three rows to a pointer: an address may be pointer + stride or pointer + 2·stride, and registers are
             * few. */
            const T *third[(rows + 2) / 3];
            for (int r = 0; r < rows; r += 3) third[r / 3] = a + r * ar + k * ac;
            for (; k < end; k++, b += bk) {
                vec<T> bv[vectors];
                for (int j = 0; j < vectors; j++) bv[j] = load(b + j * lanes<T>);
                for (int r = 0; r < rows; r++) {
                    const T x = third[r / 3][r % 3 * ar];
                    for (int j = 0; j < vectors; j++) sums[r][j] += x * bv[j];
                }
                for (int r = 0; r < rows; r += 3) third[r / 3] += ac;
            }
        }
    }

    if (to.plain && n == vectors * lanes<T> && to.beta == 0) {
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vectors; j++) store(to.c + at + i * to.row + j * lanes<T>, sums[i][j] * to.alpha);
    } else if (to.plain && n == vectors * lanes<T> && to.beta == 1) {
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vectors; j++) {
                T *c = to.c + at + i * to.row + j * lanes<T>;
                store(c, load(c) + sums[i][j] * to.alpha);
            }
    } else {
        T kept[rows * NR<T>];
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vectors; j++) store(kept + i * NR<T> + j * lanes<T>, sums[i][j]);
        finish<T>(kept, rows, n, to, at, column);
    }
}

/* The tile of the right size: table[rows − 1][vectors − 1]. */
template <class T> using TileOf = void (*)(int64_t, const T *, int64_t, int64_t, const T *, const T *, int64_t,
                                           const Target<T> &, int64_t, int64_t, int64_t);
template <class T, int rows> struct Fill {
    static constexpr void row(TileOf<T> (*table)[NV]) {
        table[rows - 1][0] = tile<T, rows, 1>;
        table[rows - 1][1] = tile<T, rows, 2>;
        if (NV > 2) table[rows - 1][NV - 1] = tile<T, rows, NV>;
        Fill<T, rows - 1>::row(table);
    }
};
template <class T> struct Fill<T, 0> {
    static constexpr void row(TileOf<T> (*)[NV]) {}
};
template <class T> struct Tiles {
    TileOf<T> of[MR][NV];
    constexpr Tiles() : of{} { Fill<T, MR>::row(of); }
};
template <class T> constexpr Tiles<T> tiles; /* filled by the compiler: nothing of this set may run at start */

/* Strips of B, NR columns each: strip s starts at data + s·strip, its row k at k·row. */
template <class T> struct Strips {
    const T *data;
    int64_t strip, row;
};

/* A as the tiles read it: either as it lies, or packed. */
template <class T> struct Rows {
    const T *data;
    int64_t row, column;
};

/* Tiles over C[0:M, first column … + N], one thread. The rows are shared out evenly: 64 rows are 5 tiles of 13 or 12,
 * not 4 of 14 and one of 8, since a tile of few rows uses the machine badly. */
template <class T>
void tile_over(int64_t M, int64_t N, int64_t K, const Rows<T> &a, const Strips<T> &b, const Target<T> &to, int64_t at,
               int64_t column) {
    const int64_t count = parts(M, MR);
    for (int64_t j = 0; j < N; j += NR<T>) {
        const T *strip = b.data + j / NR<T> * b.strip;
        const int64_t n = smaller(N - j, NR<T>), vectors = parts(n, lanes<T>);
        for (int64_t t = 0; t < count; t++) {
            const int64_t i = t * M / count, rows = (t + 1) * M / count - i;
            const T *next = a.data + (t + 1 < count ? i + rows : 0) * a.row;
            tiles<T>.of[rows - 1][vectors - 1](K, a.data + i * a.row, a.row, a.column, next, strip, b.row, to,
                                               at + i * to.row + j, column + j, n);
        }
    }
}

/* ---------------------------------------------------------------- dot products */

/* out[r·step] = Σₖ x[r·stride + k] y[k] for r < count ≤ 8. */
template <class T> void eight_dots(int64_t K, int64_t count, const T *x, int64_t stride, const T *y, T *out,
                                   int64_t step) {
    constexpr int W = lanes<T>;
    const T *row[8];
    vec<T> sums[8];
    for (int r = 0; r < 8; r++) row[r] = x + smaller(r, count - 1) * stride, sums[r] = vec<T>{};
    int64_t k = 0;
    for (; k + W <= K; k += W) {
        const vec<T> v = load(y + k);
        for (int r = 0; r < 8; r++) {
            prefetch(row[r] + k + 8 * stride); /* the next eight rows, if there are: weights come from far */
            sums[r] += load(row[r] + k) * v;
        }
    }
    if (k < K) {
        const vec<T> v = load_some(y + k, K - k, T(0));
        for (int r = 0; r < 8; r++) sums[r] += load_some(row[r] + k, K - k, T(0)) * v;
    }
    for (int r = 0; r < count; r++) out[r * step] = sum<T>(sums[r]);
}

/* C[0:M, 0:N] of a few rows, or of a few columns, where rows of A and columns of B are contiguous: as dot products. A
 * tile would have B copied first, more work than one row makes of it, or would fill a vector with one column. */
template <class T>
void by_dots(int64_t M, int64_t N, int64_t K, const T *A, int64_t a_row, const T *B, int64_t b_column,
             const Target<T> &to, int64_t at, int64_t column) {
    T kept[8 * NR<T>];
    for (int64_t i = 0; i < M; i += 8)
        for (int64_t j = 0; j < N; j += NR<T>) {
            const int64_t m = smaller(8, M - i), n = smaller(NR<T>, N - j);
            if (m < n)
                for (int64_t r = 0; r < m; r++)
                    for (int64_t q = 0; q < n; q += 8)
                        eight_dots<T>(K, smaller(8, n - q), B + (j + q) * b_column, b_column, A + (i + r) * a_row,
                                      kept + r * NR<T> + q, 1);
            else
                for (int64_t q = 0; q < n; q++)
                    eight_dots<T>(K, m, A + i * a_row, a_row, B + (j + q) * b_column, kept + q, NR<T>);
            finish<T>(kept, (int)m, n, to, at + i * to.row + j, column + j);
        }
}

/* ---------------------------------------------------------------- the loops */

/* One product. Rows of B are packed unless it is so small, or used so little, that a copy would cost more than it
 * saves. */
template <class T> void matmul_one(const tf::Matmul<T> &p, const T *A, const T *B, T *C, T *preactivation,
                                   const T *residual) {
    const int64_t M = p.M, N = p.N, K = p.K;
    if (M == 0 || N == 0) return;
    /* Products of fewer multiply-adds than this are over before a second thread is awake. */
    const bool alone = M * N * K < 400000;
    /* Whole, if it has few rows; or its last columns, if they are too few for a tile. */
    const bool dots = p.a_column == 1 && p.b_row == 1;
    const int64_t columns = !dots ? 0 : M <= FEW ? N : N % NR<T> <= FEW ? N % NR<T> : 0, first_column = N - columns;
    if (columns) {
        if (first_column) {
            tf::Matmul<T> others = p;
            others.N = first_column;
            matmul_one<T>(others, A, B, C, preactivation, residual);
        }
        const Target<T> to{C, p.c_row, p.alpha, p.beta, p.bias, residual, preactivation, false};
        const int64_t each = larger(NR<T>, 100000 / larger(1, M * K)), wide = parts(columns, each), tall = parts(M, MC);
        auto piece = [&](int64_t c) {
            const int64_t i = c / wide * MC, j = first_column + c % wide * each;
            by_dots<T>(smaller(MC, M - i), smaller(each, N - j), K, A + i * p.a_row, p.a_row, B + j * p.b_column,
                       p.b_column, to, i * p.c_row + j, j);
        };
        if (alone)
            for (int64_t c = 0; c < wide * tall; c++) piece(c);
        else parallel_for(wide * tall, piece);
        return;
    }
    const bool as_it_lies = p.b_column == 1 && M < 4 * MR && K <= KC;
    /* Rows a multiple of 1024 bytes apart share the same few places of a first cache. */
    const bool rows_collide = p.a_row != 1 && ((p.a_row * (int64_t)sizeof(T)) % 1024 == 0 || K > KC) && N > 4 * NR<T>;
    /* In blocks of k, C holds the sums so far: not where it is also what is added last. */
    const int64_t blocks_of_k = residual == C ? 1 : larger(1, parts(K, KC)), kc = parts(K, blocks_of_k);

    for (int64_t jc = 0; jc < N; jc += NC) {
        const int64_t nc = smaller(N - jc, NC), strips = parts(nc, NR<T>);
        for (int64_t block = 0; block < blocks_of_k; block++) {
            const int64_t pc = block * kc, k = smaller(K - pc, kc);
            Target<T> to{C, p.c_row, p.alpha, block ? T(1) : p.beta, nullptr, nullptr, nullptr, true};
            if (block == blocks_of_k - 1 && (p.bias || preactivation || residual)) {
                to.bias = p.bias, to.preactivation = preactivation, to.residual = residual, to.plain = false;
            }
            const T *b = B + pc * p.b_row + jc * p.b_column;
            Strips<T> packed{b, NR<T>, p.b_row};
            if (!as_it_lies || nc % NR<T>) {
                T *space = (T *)tf::scratch(0, sizeof(T) * strips * NR<T> * k);
                packed = {space, k * NR<T>, NR<T>};
                auto pack = [&](int64_t s) {
                    pack_strip<T>(k, smaller(nc - s * NR<T>, NR<T>), b + s * NR<T> * p.b_column, p.b_row, p.b_column,
                                  space + s * k * NR<T>);
                };
                if (alone || strips * k < 1024)
                    for (int64_t s = 0; s < strips; s++) pack(s);
                else parallel_for(strips, pack);
            }

            /* Chunks of about a million multiply-adds: small enough to share evenly, large enough not to notice. Rows
             * first where there are many or they are copied, so that a thread keeps to its rows; else columns first, so
             * that it finds the strips that it packed in its own cache. */
            const bool tall = M > nc || rows_collide;
            const int64_t rows_each = tall ? smaller(MC, larger(2 * MR, M / 8)) : MC;
            const int64_t row_chunks = alone ? 1 : parts(M, rows_each), mc = parts(M, row_chunks);
            const int64_t wide = rows_collide ? 8 : 1;
            const int64_t strips_each = alone ? strips : larger(1, wide * 1000000 / (mc * larger(k, 1) * NR<T>));
            const int64_t column_chunks = parts(strips, strips_each);
            auto chunk = [&](int64_t c) {
                const int64_t r = tall ? c / column_chunks : c % row_chunks;
                const int64_t i = r * M / row_chunks, m = (r + 1) * M / row_chunks - i;
                const int64_t s = (tall ? c % column_chunks : c / row_chunks) * strips_each, j = s * NR<T>;
                const int64_t n = smaller(nc - j, strips_each * NR<T>);
                Rows<T> rows{A + i * p.a_row + pc * p.a_column, p.a_row, p.a_column};
                const Strips<T> strip{packed.data + s * packed.strip, packed.strip, packed.row};
                if (!rows_collide) {
                    tile_over<T>(m, n, k, rows, strip, to, i * p.c_row + jc + j, jc + j);
                    return;
                }
                T *space = (T *)tf::scratch(1, sizeof(T) * (m * k + 2 * lanes<T>));
                const int64_t count = parts(m, MR);
                for (int64_t t = 0; t < count; t++) {
                    const int64_t first = t * m / count, few = (t + 1) * m / count - first;
                    pack_rows<T>(k, few, rows.data + first * p.a_row, p.a_row, p.a_column, space + first * k);
                }
                for (int64_t q = 0; q < n; q += NR<T>) /* strip by strip: B's stays in the first cache */
                    for (int64_t t = 0; t < count; t++) {
                        const int64_t first = t * m / count, few = (t + 1) * m / count - first;
                        tile_over<T>(few, smaller(n - q, NR<T>), k, {space + first * k, 1, few},
                                     {strip.data + q / NR<T> * strip.strip, strip.strip, strip.row}, to,
                                     (i + first) * p.c_row + jc + j + q, jc + j + q);
                    }
            };
            const int64_t chunks = row_chunks * column_chunks;
            if (alone)
                for (int64_t c = 0; c < chunks; c++) chunk(c);
            else parallel_for(chunks, chunk);
        }
    }
}

template <class T> void matmul(const tf::Matmul<T> &p) {
    int64_t batch = 1;
    for (int axis = 0; axis < p.axes; axis++) batch *= p.shape[axis];
    auto one = [&](int64_t index) {
        int64_t a = 0, b = 0, c = 0;
        for (int axis = p.axes - 1; axis >= 0; axis--) {
            const int64_t i = index % p.shape[axis];
            index /= p.shape[axis];
            a += i * p.a_batch[axis], b += i * p.b_batch[axis], c += i * p.c_batch[axis];
        }
        matmul_one<T>(p, p.A + a, p.B + b, p.C + c, p.preactivation ? p.preactivation + c : nullptr,
                      p.residual ? p.residual + c : nullptr);
    };
    /* Many small products: a thread takes whole ones, several at a time. Few large ones: all threads work on each. */
    const int64_t each = larger(1, p.M * p.N * p.K);
    if (batch == 1 || each > 8000000) {
        for (int64_t i = 0; i < batch; i++) one(i);
    } else {
        const int64_t together = larger(1, 200000 / each), groups = parts(batch, together);
        auto group = [&](int64_t g) {
            for (int64_t i = g * together; i < smaller(batch, (g + 1) * together); i++) one(i);
        };
        if (each * batch < 400000)
            for (int64_t g = 0; g < groups; g++) group(g);
        else parallel_for(groups, group);
    }
}

/* Multiply-adds that depend on nothing but themselves, as many at once as hide their latency. */
template <class T> int64_t peak(int64_t rounds) {
    constexpr int chains = 12;
    vec<T> sums[chains];
    for (int i = 0; i < chains; i++) sums[i] = splat(T(i));
    vec<T> x = splat(T(0.999));
    for (int64_t r = 0; r < rounds; r++)
        for (int i = 0; i < chains; i++) sums[i] = sums[i] * x + x;
    vec<T> all = sums[0];
    for (int i = 1; i < chains; i++) all += sums[i];
    volatile T sink = sum<T>(all);
    (void)sink;
    return rounds * chains * lanes<T>;
}

}  // namespace
