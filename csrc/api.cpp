/* The C interface: checks what came, gives it types, calls the kernels of this processor. */
#include <stdlib.h>

#include <new>

#include "dispatch.h"

using namespace tf;

namespace {

/* f with a number of the type asked for; whatever is thrown on the way becomes a code. */
template <class F> int with_type(int type, F f) {
    try {
        if (type == TF_FLOAT32) return f(float());
        if (type == TF_FLOAT64) return f(double());
        return TF_BAD_TYPE;
    } catch (const std::bad_alloc &) {
        return TF_NO_MEMORY;
    }
}

/* No two entries of an array may share memory. Enough, if not necessary: sorted by stride, each axis steps over the last.
 * The arrays have few axes, so a selection from what is left is sorting enough. */
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

int check_matmul(int axes, const int64_t *shape, int64_t M, int64_t N, int64_t K, const tf_matrices *A, const tf_matrices *B,
                 const tf_matrices *C) {
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

/* Are all of these there? */
template <class... P> bool there(P... pointers) { return (... && (pointers != nullptr)); }

int check_type(int type) { return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE; }

bool empty(const tf_attention *a) { return a->B * a->H == 0; }

}  // namespace

extern "C" {

const char *tf_message(int code) {
    switch (code) {
        case TF_OK: return "no error";
        case TF_BAD_TYPE: return "the type is neither float32 nor float64";
        case TF_BAD_SHAPE: return "a length is negative, or heads do not fit key heads, or there are too many axes";
        case TF_BAD_POINTER: return "an array is missing";
        case TF_BAD_STRIDE: return "entries of an output would share memory, or its rows are not contiguous";
        case TF_BAD_VALUE: return "an argument is out of range";
        case TF_NO_MEMORY: return "there is not enough memory";
        default: return "unknown code";
    }
}

const char *tf_isa(void) { return isa().name; }
int tf_use_isa(const char *name) { return name && use_isa(name) ? TF_OK : TF_BAD_VALUE; }

int tf_set_num_threads(int n) {
    if (n < 1) return TF_BAD_VALUE;
    set_num_threads(n);
    return TF_OK;
}

int tf_get_num_threads(void) { return num_threads(); }
const char *tf_threading(void) { return threading(); }

int64_t tf_peak(int type, int64_t rounds) {
    if (type == TF_FLOAT32) return kernels<float>().peak(rounds);
    return type == TF_FLOAT64 ? kernels<double>().peak(rounds) : int64_t(TF_BAD_TYPE);
}

int tf_matmul(int type, int batch_axes, const int64_t *batch_shape, int64_t M, int64_t N, int64_t K, double alpha,
              const tf_matrices *A, const tf_matrices *B, double beta, const tf_matrices *C, const tf_epilogue *epilogue) {
    if (int code = check_matmul(batch_axes, batch_shape, M, N, K, A, B, C)) return code;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Matmul<T> call{batch_axes, batch_shape, A->batch, B->batch, C->batch, M, N, K, T(alpha), T(beta),
                       (const T *)A->data, A->row, A->column, (const T *)B->data, B->row, B->column, (T *)C->data, C->row,
                       nullptr, nullptr, nullptr};
        if (epilogue) {
            call.bias = (const T *)epilogue->bias;
            call.residual = (const T *)epilogue->residual;
            call.preactivation = (T *)epilogue->preactivation;
        }
        kernels<T>().matmul(call);
        return TF_OK;
    });
}

int tf_attention_forward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K, const tf_tensor4 *V,
                         const tf_tensor4 *bias, const tf_tensor4 *keep, const tf_tensor4 *O, void *L) {
    if (int code = check_attention(a)) return code;
    if (empty(a) || a->T == 0) return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE;
    const bool keys = a->S > 0;
    if ((a->D && (absent(Q) || (keys && absent(K)))) || (a->E && (absent(O) || (keys && absent(V)))) || !L) return TF_BAD_POINTER;
    if (a->E && clash(O, a->B, a->H, a->T, a->E)) return TF_BAD_STRIDE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Attention<T> call{};
        static_cast<tf_attention &>(call) = *a;
        call.Q = heads<T>(Q), call.K = heads<T>(K), call.V = heads<T>(V), call.O = heads<T>(O);
        call.bias = heads<T>(bias), call.keep = heads<T>(keep), call.L = (T *)L;
        kernels<T>().attention_forward(call);
        return TF_OK;
    });
}

int tf_attention_backward(int type, const tf_attention *a, const tf_tensor4 *Q, const tf_tensor4 *K, const tf_tensor4 *V,
                          const tf_tensor4 *bias, const tf_tensor4 *keep, const tf_tensor4 *O, const void *L,
                          const tf_tensor4 *dO, const tf_tensor4 *dQ, const tf_tensor4 *dK, const tf_tensor4 *dV,
                          const tf_tensor4 *dS) {
    if (int code = check_attention(a)) return code;
    if (empty(a)) return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE;
    const bool queries = a->T > 0, keys = a->S > 0;
    if ((a->D && queries && (absent(Q) || absent(dQ))) || (a->D && keys && (absent(K) || absent(dK))) ||
        (a->E && queries && (absent(O) || absent(dO))) || (a->E && keys && (absent(V) || absent(dV))) || (queries && !L))
        return TF_BAD_POINTER;
    if ((a->D && queries && clash(dQ, a->B, a->H, a->T, a->D)) || (a->D && keys && clash(dK, a->B, a->H, a->S, a->D)) ||
        (a->E && keys && clash(dV, a->B, a->H, a->S, a->E)) || (!absent(dS) && clash(dS, a->B, a->H, a->T, a->S)))
        return TF_BAD_STRIDE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Attention<T> call{};
        static_cast<tf_attention &>(call) = *a;
        call.Q = heads<T>(Q), call.K = heads<T>(K), call.V = heads<T>(V), call.O = heads<T>(O), call.dO = heads<T>(dO);
        call.dQ = heads<T>(dQ), call.dK = heads<T>(dK), call.dV = heads<T>(dV), call.dS = heads<T>(dS);
        call.bias = heads<T>(bias), call.keep = heads<T>(keep), call.L = (T *)L;
        kernels<T>().attention_backward(call);
        return TF_OK;
    });
}

int tf_norm_forward(int type, int64_t N, int64_t C, const void *x, const void *weight, const void *bias, double eps, void *y,
                    void *mean, void *inverse) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N == 0 || C == 0) return check_type(type);
    if (!there(x, y, inverse)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().norm_forward({N, C, T(eps), (const T *)x, (const T *)weight, (const T *)bias, nullptr, (T *)y, (T *)mean,
                                   (T *)inverse, nullptr, nullptr, nullptr});
        return TF_OK;
    });
}

int tf_norm_backward(int type, int64_t N, int64_t C, const void *x, const void *weight, const void *mean, const void *inverse,
                     const void *dy, void *dx, void *dweight, void *dbias) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N && C && !there(x, inverse, dy, dx)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().norm_backward({N, C, T(0), (const T *)x, (const T *)weight, nullptr, (const T *)dy, nullptr, (T *)mean,
                                    (T *)inverse, (T *)dx, (T *)dweight, (T *)dbias});
        return TF_OK;
    });
}

int tf_softmax_forward(int type, int64_t N, int64_t C, const void *x, void *y) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N && C && !there(x, y)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().softmax_forward({N, C, (const T *)x, nullptr, (T *)y, nullptr});
        return TF_OK;
    });
}

int tf_softmax_backward(int type, int64_t N, int64_t C, const void *y, const void *dy, void *dx) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N && C && !there(y, dy, dx)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().softmax_backward({N, C, nullptr, (const T *)dy, (T *)y, (T *)dx});
        return TF_OK;
    });
}

int tf_cross_entropy_forward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets, double smoothing,
                             void *losses, void *lse) {
    if (N < 0 || V < 1) return TF_BAD_SHAPE;
    if (N && !there(logits, targets, losses, lse)) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++) if (targets[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().cross_entropy_forward({N, V, T(smoothing), (const T *)logits, nullptr, targets, (T *)losses, (T *)lse, nullptr});
        return TF_OK;
    });
}

int tf_cross_entropy_backward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets, double smoothing,
                              const void *lse, const void *weights, void *dlogits) {
    if (N < 0 || V < 1) return TF_BAD_SHAPE;
    if (N && !there(logits, targets, lse, weights, dlogits)) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++) if (targets[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().cross_entropy_backward({N, V, T(smoothing), (const T *)logits, (const T *)weights, targets, nullptr, (T *)lse,
                                             (T *)dlogits});
        return TF_OK;
    });
}

int tf_activation_forward(int type, int kind, int64_t n, const void *x, void *y) {
    if (n < 0) return TF_BAD_SHAPE;
    if (kind != TF_GELU_TANH && kind != TF_SILU && kind != TF_GELU) return TF_BAD_VALUE;
    if (n && !there(x, y)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().activation_forward({kind, n, (const T *)x, nullptr, (T *)y, nullptr});
        return TF_OK;
    });
}

int tf_activation_backward(int type, int kind, int64_t n, const void *x, const void *dy, void *dx) {
    if (n < 0) return TF_BAD_SHAPE;
    if (kind != TF_GELU_TANH && kind != TF_SILU && kind != TF_GELU) return TF_BAD_VALUE;
    if (n && !there(x, dy, dx)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().activation_backward({kind, n, (const T *)x, (const T *)dy, nullptr, (T *)dx});
        return TF_OK;
    });
}

int tf_dropout(int type, int64_t n, const void *x, const float *draws, double p, void *y) {
    if (n < 0) return TF_BAD_SHAPE;
    if (!(p >= 0 && p < 1)) return TF_BAD_VALUE;
    if (n && !there(x, draws, y)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().dropout({n, (const T *)x, draws, float(p), T(1 / (1 - p)), (T *)y});
        return TF_OK;
    });
}

int tf_embedding_gradient(int type, int64_t V, int64_t C, int64_t N, const int64_t *indices, const void *dy, void *dweight) {
    if (V < 0 || C < 0 || N < 0) return TF_BAD_SHAPE;
    if ((V && C && !dweight) || (N && (!indices || (C && !dy)))) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++) if (indices[i] < 0 || indices[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().embedding_gradient({V, C, N, indices, (const T *)dy, (T *)dweight});
        return TF_OK;
    });
}

int tf_adamw(int type, int64_t count, const tf_parameter *parameters) {
    if (count < 0) return TF_BAD_SHAPE;
    if (count && !parameters) return TF_BAD_POINTER;
    for (int64_t i = 0; i < count; i++) {
        const tf_parameter &p = parameters[i];
        if (p.size < 0) return TF_BAD_SHAPE;
        if (p.size && !there((const void *)p.theta, (const void *)p.m, (const void *)p.v, p.gradient)) return TF_BAD_POINTER;
    }
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().adamw({count, parameters});
        return TF_OK;
    });
}

int tf_sum_of_squares(int type, int64_t count, const void *const *arrays, const int64_t *sizes, double *result) {
    if (count < 0) return TF_BAD_SHAPE;
    if (!result || (count && (!arrays || !sizes))) return TF_BAD_POINTER;
    for (int64_t i = 0; i < count; i++) {
        if (sizes[i] < 0) return TF_BAD_SHAPE;
        if (sizes[i] && !arrays[i]) return TF_BAD_POINTER;
    }
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        *result = kernels<T>().sum_of_squares({count, (const T *const *)arrays, sizes});
        return TF_OK;
    });
}

}  // extern "C"
