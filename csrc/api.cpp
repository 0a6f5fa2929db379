/* The C interface except the products (products.cpp). It checks the arguments, gives them types and calls the kernels
 * of this processor. */
#include <initializer_list>

#include "codes.h"
#include "dispatch.h"

using namespace tf;

namespace {

/* Are all of these there? */
template <class... P> bool there(P... pointers) { return (... && (pointers != nullptr)); }

int check_type(int type) { return type == TF_FLOAT32 || type == TF_FLOAT64 ? TF_OK : TF_BAD_TYPE; }

int check_conv(const tf_conv *p) {
    if (!p) return TF_BAD_POINTER;
    for (int64_t length : {p->N, p->C, p->H, p->W, p->O, p->P, p->Q, p->kh - 1, p->kw - 1})
        if (length < 0) return TF_BAD_SHAPE;
    if (p->groups < 1 || p->C % p->groups || p->O % p->groups) return TF_BAD_SHAPE;
    for (int axis = 0; axis < 2; axis++)
        if (p->stride[axis] < 1 || p->padding[axis] < 0 || p->dilation[axis] < 1) return TF_BAD_VALUE;
    return TF_OK;
}

bool has_pictures(const tf_conv *p) { return p->N * p->C * p->H * p->W != 0; }
bool has_windows(const tf_conv *p) { return p->N * p->O * p->P * p->Q != 0; }
bool has_weights(const tf_conv *p) { return p->O * p->C != 0; }

int check_lstm(const tf_lstm *p) {
    if (!p) return TF_BAD_POINTER;
    if (p->T < 0 || p->B < 0 || p->H < 0) return TF_BAD_SHAPE;
    for (int64_t i = 0; p->lengths && i < p->B; i++)
        if (p->lengths[i] < 0 || p->lengths[i] > p->T) return TF_BAD_VALUE;
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

int tf_norm_forward(int type, int64_t N, int64_t C, const void *x, const void *weight, const void *bias, double eps,
                    void *y, void *mean, void *inverse) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N == 0 || C == 0) return check_type(type);
    if (!there(x, y, inverse)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Norm<T> call{};
        call.N = N, call.C = C, call.eps = T(eps);
        call.x = (const T *)x, call.weight = (const T *)weight, call.bias = (const T *)bias;
        call.y = (T *)y, call.mean = (T *)mean, call.inverse = (T *)inverse;
        kernels<T>().norm_forward(call);
        return TF_OK;
    });
}

int tf_norm_backward(int type, int64_t N, int64_t C, const void *x, const void *weight, const void *mean,
                     const void *inverse, const void *dy, void *dx, void *dweight, void *dbias) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N && C && !there(x, inverse, dy, dx)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Norm<T> call{};
        call.N = N, call.C = C;
        call.x = (const T *)x, call.weight = (const T *)weight, call.mean = (T *)mean, call.inverse = (T *)inverse;
        call.dy = (const T *)dy, call.dx = (T *)dx, call.dweight = (T *)dweight, call.dbias = (T *)dbias;
        kernels<T>().norm_backward(call);
        return TF_OK;
    });
}

int tf_softmax_forward(int type, int64_t N, int64_t C, const void *x, void *y) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N && C && !there(x, y)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Rows2<T> call{};
        call.N = N, call.C = C, call.x = (const T *)x, call.y = (T *)y;
        kernels<T>().softmax_forward(call);
        return TF_OK;
    });
}

int tf_softmax_backward(int type, int64_t N, int64_t C, const void *y, const void *dy, void *dx) {
    if (N < 0 || C < 0) return TF_BAD_SHAPE;
    if (N && C && !there(y, dy, dx)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Rows2<T> call{};
        call.N = N, call.C = C, call.y = (T *)y, call.dy = (const T *)dy, call.dx = (T *)dx;
        kernels<T>().softmax_backward(call);
        return TF_OK;
    });
}

int tf_cross_entropy_forward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets,
                             double smoothing, void *losses, void *sums) {
    if (N < 0 || V < 1) return TF_BAD_SHAPE;
    if (N && !there(logits, targets, losses, sums)) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++)
        if (targets[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        CrossEntropy<T> call{};
        call.N = N, call.V = V, call.smoothing = T(smoothing), call.logits = (const T *)logits, call.targets = targets;
        call.losses = (T *)losses, call.sums = (T *)sums;
        kernels<T>().cross_entropy_forward(call);
        return TF_OK;
    });
}

int tf_cross_entropy_backward(int type, int64_t N, int64_t V, const void *logits, const int64_t *targets,
                              double smoothing, const void *sums, const void *weights, void *dlogits) {
    if (N < 0 || V < 1) return TF_BAD_SHAPE;
    if (N && !there(logits, targets, sums, weights, dlogits)) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++)
        if (targets[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        CrossEntropy<T> call{};
        call.N = N, call.V = V, call.smoothing = T(smoothing), call.logits = (const T *)logits, call.targets = targets;
        call.weights = (const T *)weights, call.sums = (T *)sums, call.dlogits = (T *)dlogits;
        kernels<T>().cross_entropy_backward(call);
        return TF_OK;
    });
}

int tf_activation_forward(int type, int kind, int64_t n, const void *x, void *y) {
    if (n < 0) return TF_BAD_SHAPE;
    if (kind != TF_GELU_TANH && kind != TF_SILU && kind != TF_GELU) return TF_BAD_VALUE;
    if (n && !there(x, y)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Pointwise<T> call{};
        call.kind = kind, call.n = n, call.x = (const T *)x, call.y = (T *)y;
        kernels<T>().activation_forward(call);
        return TF_OK;
    });
}

int tf_activation_backward(int type, int kind, int64_t n, const void *x, const void *dy, void *dx) {
    if (n < 0) return TF_BAD_SHAPE;
    if (kind != TF_GELU_TANH && kind != TF_SILU && kind != TF_GELU) return TF_BAD_VALUE;
    if (n && !there(x, dy, dx)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Pointwise<T> call{};
        call.kind = kind, call.n = n, call.x = (const T *)x, call.dy = (const T *)dy, call.dx = (T *)dx;
        kernels<T>().activation_backward(call);
        return TF_OK;
    });
}

int tf_dropout(int type, int64_t n, const void *x, const float *draws, double p, void *y) {
    if (n < 0) return TF_BAD_SHAPE;
    if (!(p >= 0 && p < 1)) return TF_BAD_VALUE;
    if (n && !there(x, draws, y)) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Dropout<T> call{};
        call.n = n, call.x = (const T *)x, call.draws = draws, call.p = float(p), call.scale = T(1 / (1 - p)),
        call.y = (T *)y;
        kernels<T>().dropout(call);
        return TF_OK;
    });
}

int tf_embedding_gradient(int type, int64_t V, int64_t C, int64_t N, const int64_t *indices, const void *dy,
                          void *dweight) {
    if (V < 0 || C < 0 || N < 0) return TF_BAD_SHAPE;
    if ((V && C && !dweight) || (N && (!indices || (C && !dy)))) return TF_BAD_POINTER;
    for (int64_t i = 0; i < N; i++)
        if (indices[i] < 0 || indices[i] >= V) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Embedding<T> call{};
        call.V = V, call.C = C, call.N = N, call.indices = indices, call.dy = (const T *)dy,
        call.dweight = (T *)dweight;
        kernels<T>().embedding_gradient(call);
        return TF_OK;
    });
}

int tf_conv_forward(int type, const tf_conv *p, const void *x, const void *weight, const void *bias, void *y) {
    if (int code = check_conv(p)) return code;
    if (!has_windows(p)) return check_type(type);
    if (!there(y) || (has_pictures(p) && !there(x)) || (has_weights(p) && !there(weight))) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Conv<T> call{};
        static_cast<tf_conv &>(call) = *p;
        call.x = (const T *)x, call.weight = (const T *)weight, call.bias = (const T *)bias, call.y = (T *)y;
        kernels<T>().conv_forward(call);
        return TF_OK;
    });
}

int tf_conv_input_gradient(int type, const tf_conv *p, const void *dy, const void *weight, void *dx) {
    if (int code = check_conv(p)) return code;
    if (!has_pictures(p)) return check_type(type);
    if (!there(dx) || (has_windows(p) && !there(dy, weight))) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Conv<T> call{};
        static_cast<tf_conv &>(call) = *p;
        call.dy = (const T *)dy, call.weight = (const T *)weight, call.dx = (T *)dx;
        kernels<T>().conv_input_gradient(call);
        return TF_OK;
    });
}

int tf_conv_weight_gradient(int type, const tf_conv *p, const void *dy, const void *x, void *dweight) {
    if (int code = check_conv(p)) return code;
    if (!has_weights(p)) return check_type(type);
    if (!there(dweight) || (has_windows(p) && !there(dy)) || (has_pictures(p) && !there(x))) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Conv<T> call{};
        static_cast<tf_conv &>(call) = *p;
        call.dy = (const T *)dy, call.x = (const T *)x, call.dweight = (T *)dweight;
        kernels<T>().conv_weight_gradient(call);
        return TF_OK;
    });
}

int tf_max_pool_forward(int type, const tf_conv *p, const void *x, void *y, int64_t *indices) {
    if (int code = check_conv(p)) return code;
    if (p->groups != 1 || p->O != p->C) return TF_BAD_SHAPE;
    if (!has_windows(p)) return check_type(type);
    if (!there(y, (void *)indices) || (has_pictures(p) && !there(x))) return TF_BAD_POINTER;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Conv<T> call{};
        static_cast<tf_conv &>(call) = *p;
        call.x = (const T *)x, call.y = (T *)y, call.indices = indices;
        kernels<T>().max_pool_forward(call);
        return TF_OK;
    });
}

int tf_max_pool_backward(int type, const tf_conv *p, const void *dy, const int64_t *indices, void *dx) {
    if (int code = check_conv(p)) return code;
    if (p->groups != 1 || p->O != p->C) return TF_BAD_SHAPE;
    if (!has_pictures(p)) return check_type(type);
    if (!there(dx) || (has_windows(p) && !there(dy, (const void *)indices))) return TF_BAD_POINTER;
    for (int64_t i = 0; i < p->N * p->C * p->P * p->Q; i++)
        if (indices[i] >= p->H * p->W) return TF_BAD_VALUE;
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        Conv<T> call{};
        static_cast<tf_conv &>(call) = *p;
        call.dy = (const T *)dy, call.dx = (T *)dx, call.indices = (int64_t *)indices;
        kernels<T>().max_pool_backward(call);
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

int tf_lstm_backward(int type, const tf_lstm *p, const void *weight, const void *gates, const void *c, const void *dy,
                     void *da, void *dh, void *dc) {
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
    for (int64_t b = 0; b < (p->pasts ? p->B : 1); b++) {
        const int64_t past = p->pasts ? p->pasts[b] : p->past;
        if (past < 0 || past >= p->room) return TF_BAD_VALUE;
    }
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
        if (p.size && !there((const void *)p.theta, (const void *)p.m, (const void *)p.v, p.gradient))
            return TF_BAD_POINTER;
    }
    return with_type(type, [&](auto number) {
        using T = decltype(number);
        AdamW<T> call{};
        call.count = count, call.parameters = parameters;
        kernels<T>().adamw(call);
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
        Arrays<T> call{};
        call.count = count, call.arrays = (const T *const *)arrays, call.sizes = sizes;
        *result = kernels<T>().sum_of_squares(call);
        return TF_OK;
    });
}

}  // extern "C"
