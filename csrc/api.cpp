/* The C interface, but for the products (products.cpp): checks what came, gives it types, calls the kernels of this processor. */
#include "codes.h"
#include "dispatch.h"

using namespace tf;

namespace {

/* Are all of these there? */
template <class... P> bool there(P... pointers) { return (... && (pointers != nullptr)); }

int check_type(int type) { return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE; }

int check_lstm(const tf_lstm *p) {
    if (!p) return TF_BAD_POINTER;
    if (p->T < 0 || p->B < 0 || p->H < 0) return TF_BAD_SHAPE;
    for (int64_t i = 0; p->lengths && i < p->B; i++) if (p->lengths[i] < 0 || p->lengths[i] > p->T) return TF_BAD_VALUE;
    return TF_OK;
}

}  // namespace

extern "C" {

const char *tf_message(int code) { return message(code); }

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
                             void *losses, void *sums) {
    if (N < 0 || V < 1) return TF_BAD_SHAPE;
    if (N && !there(logits, targets, losses, sums)) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++) if (targets[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().cross_entropy_forward({N, V, T(smoothing), (const T *)logits, nullptr, targets, (T *)losses, (T *)sums, nullptr});
        return TF_OK;
    });
}

int tf_cross_entropy_backward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets, double smoothing,
                              const void *sums, const void *weights, void *dlogits) {
    if (N < 0 || V < 1) return TF_BAD_SHAPE;
    if (N && !there(logits, targets, sums, weights, dlogits)) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++) if (targets[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        kernels<T>().cross_entropy_backward({N, V, T(smoothing), (const T *)logits, (const T *)weights, targets, nullptr, (T *)sums,
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

int tf_lstm_forward(int type, const tf_lstm *p, const void *weight, void *gates, void *h, void *c) {
    if (int code = check_lstm(p)) return code;
    if (p->T == 0 || p->B == 0 || p->H == 0) return check_type(type);
    if (!there(weight, gates, h, c)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Lstm<T> call{};
        static_cast<tf_lstm &>(call) = *p;
        call.weight = (const T *)weight, call.gates = (T *)gates, call.h = (T *)h, call.c = (T *)c;
        kernels<T>().lstm_forward(call);
        return TF_OK;
    });
}

int tf_lstm_backward(int type, const tf_lstm *p, const void *weight, const void *gates, const void *c, const void *dy, void *da,
                     void *dh, void *dc) {
    if (int code = check_lstm(p)) return code;
    if (p->T == 0 || p->B == 0 || p->H == 0) return check_type(type);
    if (!there(weight, gates, c, dy, da, dh, dc)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Lstm<T> call{};
        static_cast<tf_lstm &>(call) = *p;
        call.weight = (const T *)weight, call.gates = (T *)gates, call.c = (T *)c, call.dy = (const T *)dy;
        call.da = (T *)da, call.dh = (T *)dh, call.dc = (T *)dc;
        kernels<T>().lstm_backward(call);
        return TF_OK;
    });
}

int tf_block_step(int type, const tf_block *p, void *keys, void *values, void *x) {
    if (!p) return TF_BAD_POINTER;
    if (p->B < 0 || p->H < 0 || p->D < 0 || p->F < 0 || p->room < 0) return TF_BAD_SHAPE;
    if (p->past < 0 || p->past >= p->room) return TF_BAD_VALUE;
    if (p->B == 0 || p->H == 0 || p->D == 0) return check_type(type);
    if (!there(keys, values, x, p->qkv, p->proj) || (p->F && !there(p->fc, p->out))) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Block<T> call{};
        static_cast<tf_block &>(call) = *p;
        call.keys = (T *)keys, call.values = (T *)values, call.x = (T *)x;
        kernels<T>().block_step(call);
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
