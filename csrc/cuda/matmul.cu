/* C ← epilogue(alpha A B + beta C) for each matrix of a batch: a block of threads for each tile of each C. */
#include <math.h>

#include "tile.h"

namespace tf {
namespace {

/* What a kernel is given lies in the device's memory, so strides travel by value. */
struct Steps {
    int64_t of[TF_MAX_AXES];
};

template <class T> struct Call {
    int axes;
    Steps shape, a_batch, b_batch, c_batch;
    Matrix<T> A, B; /* the first of the batch */
    T alpha, beta;
    T *C;
    int64_t c_row;
    const T *bias, *residual;
    T *preactivation;
};

/* Where matrix i of the batch begins: the digits of i, in the mixed base of the batch's shape, times the strides. */
__device__ int64_t offset(int axes, const Steps &shape, const Steps &step, int64_t i) {
    int64_t sum = 0;
    for (int axis = axes - 1; axis >= 0; i /= shape.of[axis], axis--) sum += i % shape.of[axis] * step.of[axis];
    return sum;
}

/* GELU in its tanh form, as x σ(2 √(2/π) (x + 0.044715 x³)). */
template <class T> __device__ T gelu(T x) {
    constexpr T a = T(2 * 0.7978845608028654), c = T(0.044715);
    return x / (1 + exp(-x * (x * x * (a * c) + a)));
}

template <class T> __global__ void __launch_bounds__(SIDE *SIDE) matmul_kernel(Call<T> call) {
    __shared__ Chunks<T> chunks;
    const int64_t M = call.A.rows, N = call.B.columns;
    const int64_t down = (M + TILE<T> - 1) / TILE<T>, across = (N + TILE<T> - 1) / TILE<T>;
    const int64_t batch = blockIdx.x / across / down, m = blockIdx.x / across % down * TILE<T>,
                  n = blockIdx.x % across * TILE<T>;

    Matrix<T> A = call.A, B = call.B;
    A.data += offset(call.axes, call.shape, call.a_batch, batch);
    B.data += offset(call.axes, call.shape, call.b_batch, batch);
    T sums[MINE<T>][MINE<T>] = {};
    product(sums, chunks, A.from(m, 0), B.from(0, n));

    const int64_t start = offset(call.axes, call.shape, call.c_batch, batch);
#pragma unroll /* registers have no index: each pass names its own */
    for (int i = 0; i < MINE<T>; i++)
#pragma unroll
        for (int j = 0; j < MINE<T>; j++) {
            const int64_t row = m + mine(i, threadIdx.y), column = n + mine(j, threadIdx.x);
            if (row >= M || column >= N) continue;
            const int64_t place = start + row * call.c_row + column;
            T x = call.alpha * sums[i][j];
            if (call.beta != 0) x += call.beta * call.C[place];
            if (call.bias) x += call.bias[column];
            if (call.preactivation) {
                call.preactivation[place] = x;
                x = gelu(x);
            }
            if (call.residual) x += call.residual[place];
            call.C[place] = x;
        }
}

Steps steps(int axes, const int64_t *from) {
    Steps to{};
    for (int axis = 0; axis < axes; axis++) to.of[axis] = from[axis];
    return to;
}

/* The twin of a batch of matrices. */
template <class T>
Twin<T> twin(const Matmul<T> &m, const T *data, int64_t rows, int64_t columns, const int64_t *batch, int64_t row,
             int64_t column) {
    std::vector<int64_t> shape(m.shape, m.shape + m.axes), stride(batch, batch + m.axes);
    shape.insert(shape.end(), {rows, columns});
    stride.insert(stride.end(), {row, column});
    return Twin<T>(data, shape, stride);
}

}  // namespace

template <class T> void run_matmul(const Matmul<T> &m) {
    int64_t count = 1;
    for (int axis = 0; axis < m.axes; axis++) count *= m.shape[axis];
    if (count == 0 || m.M == 0 || m.N == 0) return;
    const auto like_c = [&](const T *data) { return twin(m, data, m.M, m.N, m.c_batch, m.c_row, 1); };
    const Twin<T> A = twin(m, m.A, m.M, m.K, m.a_batch, m.a_row, m.a_column),
                  B = twin(m, m.B, m.K, m.N, m.b_batch, m.b_row, m.b_column);
    const Twin<T> C = like_c(m.C), residual = like_c(m.residual), preactivation = like_c(m.preactivation);
    const Twin<T> bias(m.bias, {m.N}, {1});
    for (const Twin<T> *input : {&A, &B, &residual, &bias}) input->copy_in();
    if (m.beta != 0) C.copy_in();

    const Call<T> call{m.axes,
                       steps(m.axes, m.shape),
                       steps(m.axes, m.a_batch),
                       steps(m.axes, m.b_batch),
                       steps(m.axes, m.c_batch),
                       {A.data(), m.a_row, m.a_column, m.M, m.K},
                       {B.data(), m.b_row, m.b_column, m.K, m.N},
                       m.alpha,
                       m.beta,
                       C.data(),
                       m.c_row,
                       bias.data(),
                       residual.data(),
                       preactivation.data()};
    launch(matmul_kernel<T>, count * tiles<T>(m.M) * tiles<T>(m.N), threads(), call);
    check(cudaDeviceSynchronize());
    C.copy_out();
    preactivation.copy_out();
}

template void run_matmul(const Matmul<float> &);
template void run_matmul(const Matmul<double> &);

}  // namespace tf
