/* The C interface of the matrix product and of attention: checks the arguments, gives them types, calls the kernels. */
#include "products.h"

#include <stdlib.h>

#include "codes.h"

using namespace tf;

namespace {

/* No two entries of an array may share memory. Enough, if not necessary: sorted by stride, each axis steps over the
 * last. The arrays have few axes, so a selection from what is left is sorting enough. */
bool distinct(int axes, const int64_t *shape, const int64_t *stride) {
    int64_t extent = 1;
    bool used[8] = {};
    for (int round = 0; round < axes; round++) {
        int next = -1;
        for (int axis = 0; axis < axes; axis++) {
            if (shape[axis] == 0) return true;
            if (!used[axis] && (next < 0 || llabs(stride[axis]) < llabs(stride[next]))) next = axis;
        }
        used[next] = true;
        if (shape[next] == 1) continue;
        if (llabs(stride[next]) < extent) return false;
        extent += (shape[next] - 1) * llabs(stride[next]);
    }
    return true;
}

int check_matmul(int axes, const int64_t *shape, int64_t M, int64_t N, int64_t K, const tf_matrices *A,
                 const tf_matrices *B, const tf_matrices *C) {
    if (axes < 0 || axes > TF_MAX_AXES || M < 0 || N < 0 || K < 0 || (axes && !shape)) return TF_BAD_SHAPE;
    int64_t lengths[TF_MAX_AXES + 2], strides[TF_MAX_AXES + 2], batch = 1;
    for (int axis = 0; axis < axes; axis++) {
        if (shape[axis] < 0) return TF_BAD_SHAPE;
        batch *= shape[axis];
    }
    if (!A || !B || !C || (axes && (!A->batch || !B->batch || !C->batch))) return TF_BAD_POINTER;
    if (batch == 0 || M == 0 || N == 0) return TF_OK;
    if (!C->data || (K && (!A->data || !B->data))) return TF_BAD_POINTER;
    if ((C->column != 1 && N > 1) || (C->row < N && M > 1)) return TF_BAD_STRIDE;
    for (int axis = 0; axis < axes; axis++) lengths[axis] = shape[axis], strides[axis] = C->batch[axis];
    lengths[axes] = M, strides[axes] = C->row, lengths[axes + 1] = N, strides[axes + 1] = 1;
    return distinct(axes + 2, lengths, strides) ? TF_OK : TF_BAD_STRIDE;
}

template <class T> Heads<T> heads(const tf_tensor4 *tensor) {
    Heads<T> h{};
    if (tensor) {
        h.data = (T *)tensor->data;
        for (int axis = 0; axis < 4; axis++) h.stride[axis] = tensor->stride[axis];
    }
    return h;
}

bool absent(const tf_tensor4 *tensor) { return !tensor || !tensor->data; }

bool clash(const tf_tensor4 *out, int64_t B, int64_t H, int64_t T, int64_t width) {
    const int64_t shape[4] = {B, H, T, width};
    return !distinct(4, shape, out->stride);
}

int check_attention(const tf_attention *a) {
    if (!a) return TF_BAD_POINTER;
    if (a->B < 0 || a->H < 0 || a->G < 0 || a->T < 0 || a->S < 0 || a->D < 0 || a->E < 0) return TF_BAD_SHAPE;
    return a->G == 0 ? (a->H ? TF_BAD_SHAPE : TF_OK) : a->H % a->G ? TF_BAD_SHAPE : TF_OK;
}

bool empty(const tf_attention *a) { return a->B * a->H == 0; }

}  // namespace

extern "C" {

int tf_matmul(int type, int batch_axes, const int64_t *batch_shape, int64_t M, int64_t N, int64_t K, double alpha,
              const tf_matrices *A, const tf_matrices *B, double beta, const tf_matrices *C,
              const tf_epilogue *epilogue) {
    if (int code = check_matmul(batch_axes, batch_shape, M, N, K, A, B, C)) return code;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Matmul<T> call{};
        call.axes = batch_axes, call.shape = batch_shape, call.M = M, call.N = N, call.K = K;
        call.alpha = T(alpha), call.beta = T(beta);
        call.A = (const T *)A->data, call.a_batch = A->batch, call.a_row = A->row, call.a_column = A->column;
        call.B = (const T *)B->data, call.b_batch = B->batch, call.b_row = B->row, call.b_column = B->column;
        call.C = (T *)C->data, call.c_batch = C->batch, call.c_row = C->row;
        if (epilogue) {
            call.bias = (const T *)epilogue->bias;
            call.residual = (const T *)epilogue->residual;
            call.preactivation = (T *)epilogue->preactivation;
        }
        run_matmul(call);
        return TF_OK;
    });
}

int tf_attention_forward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K, const tf_tensor4 *V,
                         const tf_tensor4 *bias, const tf_tensor4 *keep, const tf_tensor4 *O, void *L) {
    if (int code = check_attention(a)) return code;
    if (empty(a) || a->T == 0) return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE;
    const bool keys = a->S > 0;
    if ((a->D && (absent(Q) || (keys && absent(K)))) || (a->E && (absent(O) || (keys && absent(V)))) || !L)
        return TF_BAD_POINTER;
    if (a->E && clash(O, a->B, a->H, a->T, a->E)) return TF_BAD_STRIDE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Attention<T> call{};
        static_cast<tf_attention &>(call) = *a;
        call.Q = heads<T>(Q), call.K = heads<T>(K), call.V = heads<T>(V), call.O = heads<T>(O);
        call.bias = heads<T>(bias), call.keep = heads<T>(keep), call.L = (T *)L;
        run_attention_forward(call);
        return TF_OK;
    });
}

int tf_attention_backward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K,
                          const tf_tensor4 *V, const tf_tensor4 *bias, const tf_tensor4 *keep, const tf_tensor4 *O,
                          const void *L, const tf_tensor4 *dO, const tf_tensor4 *dQ, const tf_tensor4 *dK,
                          const tf_tensor4 *dV, const tf_tensor4 *dS) {
    if (int code = check_attention(a)) return code;
    if (empty(a)) return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE;
    const bool queries = a->T > 0, keys = a->S > 0;
    if ((a->D && queries && (absent(Q) || absent(dQ))) || (a->D && keys && (absent(K) || absent(dK)))
        || (a->E && queries && (absent(O) || absent(dO))) || (a->E && keys && (absent(V) || absent(dV)))
        || (queries && !L))
        return TF_BAD_POINTER;
    if ((a->D && queries && clash(dQ, a->B, a->H, a->T, a->D)) || (a->D && keys && clash(dK, a->B, a->H, a->S, a->D))
        || (a->E && keys && clash(dV, a->B, a->H, a->S, a->E)) || (!absent(dS) && clash(dS, a->B, a->H, a->T, a->S)))
        return TF_BAD_STRIDE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Attention<T> call{};
        static_cast<tf_attention &>(call) = *a;
        call.Q = heads<T>(Q), call.K = heads<T>(K), call.V = heads<T>(V), call.O = heads<T>(O), call.dO = heads<T>(dO);
        call.dQ = heads<T>(dQ), call.dK = heads<T>(dK), call.dV = heads<T>(dV), call.dS = heads<T>(dS);
        call.bias = heads<T>(bias), call.keep = heads<T>(keep), call.L = (T *)L;
        run_attention_backward(call);
        return TF_OK;
    });
}

}  // extern "C"
