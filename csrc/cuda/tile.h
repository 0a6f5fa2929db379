/* A product of two matrices, one tile of the result by one block of threads. The matrix product is one of these a
 * block; attention is made of them.
 *
 * Every entry of A B needs a row of A and a column of B, and reading them from the device's memory takes far longer
 * than the arithmetic. Two levels of tiles read each number once and use it many times:
 *
 *                      b  DEPTH × TILE         Both matrices are walked in chunks of DEPTH terms. The block
 *                     ┌──────────┐             copies a chunk of A and one of B into shared memory, which is small
 *                     └──────────┘             and fast, and all its threads read them there: TILE times each number.
 *        ┌──┐         ┌──────────┐
 *        │  │         │ ∎   ∎    │             A thread holds MINE × MINE sums in registers. For each term it reads
 *      a │  │         │          │ TILE × TILE MINE numbers of a and MINE of b, and multiplies all with all.
 *        │  │         │ ∎   ∎    │ sums        Its rows and columns (∎) lie SIDE apart, so that threads that are
 *        └──┘         └──────────┘             neighbors in x always use neighboring columns.
 *    TILE × DEPTH
 *
 * Between copying and multiplying all threads wait for each other, twice a chunk: no thread may read before the chunk is
 * whole, and none may overwrite it before all have read.
 */
#pragma once
#include "device.h"

namespace tf {

constexpr int SIDE = 16;                                        /* a block is SIDE × SIDE threads */
constexpr int DEPTH = 16;                                       /* terms of a chunk */
template <class T> constexpr int MINE = sizeof(T) == 4 ? 4 : 2; /* double needs twice the room */
template <class T> constexpr int TILE = SIDE * MINE<T>;         /* 64, or 32 for double */

template <class T> int64_t tiles(int64_t n) { return (n + TILE<T> - 1) / TILE<T>; }
inline dim3 threads() { return dim3(SIDE, SIDE); }

/* The row, or column, in the tile of the i-th of a thread's own; at is threadIdx.y for rows, threadIdx.x for
 * columns. */
__device__ inline int mine(int i, int at) { return at + SIDE * i; }

/* A matrix in the device's memory, by any strides. Beyond its edges it is taken to be 0. */
template <class T> struct Matrix {
    const T *data;
    int64_t row, column; /* strides */
    int64_t rows, columns;

    __device__ Matrix from(int64_t r, int64_t c) const { /* without the first r rows and c columns */
        return {data + r * row + c * column, row, column, rows - r, columns - c};
    }
    __device__ Matrix transposed() const { return {data, column, row, columns, rows}; }
};

/* Numbers that the threads of a block share. One more column than is used: threads that go down a column then find its
 * entries in different banks of the memory, which can be read at once; a row of 16 numbers would put many into the
 * same. */
template <class T> struct Chunks {
    T a[TILE<T>][DEPTH + 1];
    T b[DEPTH][TILE<T> + 1];
};

/* The upper left ROWS × COLUMNS of a matrix into shared memory, each thread some entries. Memory comes in pieces of 32
 * neighboring bytes or more, so threads that are neighbors walk along whichever axis has the smaller step. */
template <class T, int ROWS, int WIDTH> __device__ void load(T (&to)[ROWS][WIDTH], const Matrix<T> &from) {
    constexpr int COLUMNS = WIDTH - 1;
    const bool down = llabs(from.row) < llabs(from.column);
    for (int i = threadIdx.y * SIDE + threadIdx.x; i < ROWS * COLUMNS; i += SIDE * SIDE) {
        const int r = down ? i % ROWS : i / COLUMNS, c = down ? i / ROWS : i % COLUMNS;
        to[r][c] = r < from.rows && c < from.columns ? from.data[r * from.row + c * from.column] : T(0);
    }
}

/* sums += a b over DEPTH terms, of a from its column `first` on. */
template <class T, int WIDTH>
__device__ void multiply(T (&sums)[MINE<T>][MINE<T>], const T (&a)[TILE<T>][WIDTH], int first,
                         const T (&b)[DEPTH][TILE<T> + 1]) {
    for (int k = 0; k < DEPTH; k++) {
        T x[MINE<T>], y[MINE<T>];
        for (int i = 0; i < MINE<T>; i++) x[i] = a[mine(i, threadIdx.y)][first + k];
        for (int j = 0; j < MINE<T>; j++) y[j] = b[k][mine(j, threadIdx.x)];
        for (int i = 0; i < MINE<T>; i++)
            for (int j = 0; j < MINE<T>; j++) sums[i][j] += x[i] * y[j];
    }
}

/* sums += A B for the upper left tile of the product. All threads of the block must come here together. */
template <class T> __device__ void product(T (&sums)[MINE<T>][MINE<T>], Chunks<T> &chunks, const Matrix<T> &A,
                                           const Matrix<T> &B) {
    for (int64_t k = 0; k < A.columns; k += DEPTH) {
        load(chunks.a, A.from(0, k));
        load(chunks.b, B.from(k, 0));
        __syncthreads(); /* the chunk is whole */
        multiply(sums, chunks.a, 0, chunks.b);
        __syncthreads(); /* all have read it */
    }
}

/* The same where the left matrix is a tile in shared memory that the threads have just written. */
template <class T>
__device__ void product(T (&sums)[MINE<T>][MINE<T>], Chunks<T> &chunks, const T (&a)[TILE<T>][TILE<T> + 1],
                        const Matrix<T> &B) {
    for (int k = 0; k < TILE<T> && k < B.rows; k += DEPTH) {
        load(chunks.b, B.from(k, 0));
        __syncthreads(); /* the chunk is whole, and a */
        multiply(sums, a, k, chunks.b);
        __syncthreads(); /* all have read it */
    }
}

}  // namespace tf
