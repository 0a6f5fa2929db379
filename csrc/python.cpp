/* The pybind11 binding: NumPy arrays in, their pointers and strides out to the C interface, codes back as exceptions.
 *
 * Outputs are arrays that the caller has made. What is checked here is what C cannot see: the types of the arrays,
 * their number of axes and that their shapes fit each other. tinyformer/kernels/cffi.py does the same for cffi.
 */
#include "python.h"

#include <string>
#include <vector>

#include "declarations.h"
#include "tinyformer.h"

using namespace tf;

namespace {

[[noreturn]] void fail(const std::string &message) { throw py::value_error(message); }

void check(const char *what, int code) {
    if (code == TF_NO_MEMORY) throw std::bad_alloc();
    if (code) fail(std::string(what) + ": " + tf_message(code));
}

template <class F> void call(const char *what, F f) { check(what, without_gil(f)); }

int type_of(const char *name, const Array &a) {
    const py::dtype type = a.dtype();
    if (type.byteorder() == '=') {
        if (type.num() == py::detail::npy_api::NPY_FLOAT_) return TF_FLOAT32;
        if (type.num() == py::detail::npy_api::NPY_DOUBLE_) return TF_FLOAT64;
    }
    throw py::type_error(std::string(name) + " is " + std::string(py::str(type))
                         + ", expected float32 or float64 in native byte order");
}

/* An array as C sees it: its first entry and its strides, counted in entries. */
struct View {
    char *data;
    int64_t stride[TF_MAX_AXES + 2];
    View(const char *name, const Array &a, int type, py::ssize_t axes, bool written = false) {
        if (type_of(name, a) != type)
            throw py::type_error(std::string(name) + " is " + std::string(py::str(a.dtype()))
                                 + ", expected the type of the first argument");
        if (a.ndim() != axes || axes > TF_MAX_AXES + 2)
            fail(std::string(name) + " has " + std::to_string(a.ndim()) + " axes, expected " + std::to_string(axes));
        if (written && !a.writeable()) fail(std::string(name) + " is read-only");
        const py::ssize_t size = type == TF_FLOAT32 ? 4 : 8;
        data = (char *)a.data();
        bool aligned = (uintptr_t)data % size == 0;
        for (py::ssize_t axis = 0; axis < axes; axis++) {
            stride[axis] = a.strides(axis) / size;
            aligned = aligned && (a.strides(axis) % size == 0 || a.shape(axis) < 2);
        }
        if (!aligned) fail(std::string(name) + " is not aligned to its entries");
    }
};

void expect(const char *name, const Array &a, std::initializer_list<py::ssize_t> shape) {
    py::ssize_t axis = 0;
    bool same = a.ndim() == (py::ssize_t)shape.size();
    for (py::ssize_t length : shape) same = same && a.shape(axis++) == length;
    if (same) return;
    std::string wanted;
    for (py::ssize_t length : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(length);
    fail(std::string(name) + " has shape " + std::string(py::str(a.attr("shape"))) + ", expected (" + wanted + ")");
}

/* c ← epilogue(alpha a b + beta c); a (…, M, K), b (…, K, N), c (…, M, N) with the same leading axes. */
void matmul(const Array &a, const Array &b, Array c, double alpha, double beta, const Optional &bias,
            const Optional &preactivation, const Optional &residual) {
    const py::ssize_t axes = a.ndim();
    const int type = type_of("a", a);
    if (axes < 2) fail("a has fewer than two axes");
    const View A("a", a, type, axes), B("b", b, type, axes), C("c", c, type, axes, true);
    const int64_t M = a.shape(axes - 2), K = a.shape(axes - 1), N = b.shape(axes - 1);
    int64_t shape[TF_MAX_AXES];
    bool fits = b.shape(axes - 2) == K && c.shape(axes - 2) == M && c.shape(axes - 1) == N;
    for (py::ssize_t axis = 0; axis < axes - 2; axis++) {
        shape[axis] = a.shape(axis);
        fits = fits && b.shape(axis) == shape[axis] && c.shape(axis) == shape[axis];
    }
    if (!fits) fail("a, b and c do not have the shapes (…, M, K), (…, K, N) and (…, M, N)");

    tf_epilogue epilogue{nullptr, nullptr, nullptr};
    if (bias) {
        const Array &v = *bias;
        const View view("bias", v, type, 1);
        expect("bias", v, {N});
        if (N > 1 && view.stride[0] != 1) fail("bias is not contiguous");
        epilogue.bias = view.data;
    }
    auto like_c = [&](const char *name, const Optional &array, bool written) -> void * {
        if (!array) return nullptr;
        const Array &v = *array;
        const View view(name, v, type, axes, written);
        for (py::ssize_t axis = 0; axis < axes; axis++)
            if (v.shape(axis) != c.shape(axis) || (v.shape(axis) > 1 && view.stride[axis] != C.stride[axis]))
                fail(std::string(name) + " is not laid out as c");
        return view.data;
    };
    epilogue.preactivation = like_c("preactivation", preactivation, true);
    epilogue.residual = like_c("residual", residual, false);

    const int batch = (int)axes - 2;
    const tf_matrices ma{A.data, A.stride[batch], A.stride[batch + 1], A.stride},
        mb{B.data, B.stride[batch], B.stride[batch + 1], B.stride},
        mc{C.data, M > 1 ? C.stride[batch] : N, N > 1 ? C.stride[batch + 1] : 1, C.stride};
    call("matmul", [&] { return tf_matmul(type, batch, shape, M, N, K, alpha, &ma, &mb, beta, &mc, &epilogue); });
}

tf_tensor4 tensor4(const char *name, const Array &a, int type, bool written = false) {
    const View view(name, a, type, 4, written);
    return {view.data, {view.stride[0], view.stride[1], view.stride[2], view.stride[3]}};
}

tf_tensor4 tensor4(const char *name, const Optional &a, int type, std::initializer_list<py::ssize_t> shape,
                   bool written = false) {
    if (!a) return {nullptr, {0, 0, 0, 0}};
    expect(name, *a, shape);
    return tensor4(name, *a, type, written);
}

tf_attention sizes(const Array &q, const Array &k, const Array &v, double scale, bool is_causal) {
    if (q.ndim() != 4 || k.ndim() != 4 || v.ndim() != 4) fail("q, k and v do not have four axes");
    const tf_attention a{q.shape(0), q.shape(1), k.shape(1), q.shape(2), k.shape(2),
                         q.shape(3), v.shape(3), scale,      is_causal};
    expect("k", k, {a.B, a.G, a.S, a.D});
    expect("v", v, {a.B, a.G, a.S, a.E});
    return a;
}

const void *row_sums(const tf_attention &a, int type, const Array &L) {
    expect("L", L, {2, a.B, a.H, a.T});
    const View view("L", L, type, 4, true);
    if (!(L.flags() & Array::c_style)) fail("L is not contiguous");
    return view.data;
}

void attention_forward(const Array &q, const Array &k, const Array &v, const Optional &bias, const Optional &keep,
                       const Array &o, const Array &L, double scale, bool is_causal) {
    const int type = type_of("q", q);
    const tf_attention a = sizes(q, k, v, scale, is_causal);
    const tf_tensor4 Q = tensor4("q", q, type), K = tensor4("k", k, type), V = tensor4("v", v, type),
                     bias4 = tensor4("bias", bias, type, {a.B, a.H, a.T, a.S}),
                     keep4 = tensor4("keep", keep, type, {a.B, a.H, a.T, a.S}),
                     O = tensor4("o", o, type, {a.B, a.H, a.T, a.E}, true);
    void *sums = (void *)row_sums(a, type, L);
    call("attention", [&] { return tf_attention_forward(type, &a, &Q, &K, &V, &bias4, &keep4, &O, sums); });
}

void attention_backward(const Array &q, const Array &k, const Array &v, const Optional &bias, const Optional &keep,
                        const Array &o, const Array &L, const Array &dO, const Array &dq, const Array &dk,
                        const Array &dv, const Optional &ds, double scale, bool is_causal) {
    const int type = type_of("q", q);
    const tf_attention a = sizes(q, k, v, scale, is_causal);
    const tf_tensor4 Q = tensor4("q", q, type), K = tensor4("k", k, type), V = tensor4("v", v, type),
                     bias4 = tensor4("bias", bias, type, {a.B, a.H, a.T, a.S}),
                     keep4 = tensor4("keep", keep, type, {a.B, a.H, a.T, a.S}),
                     O = tensor4("o", o, type, {a.B, a.H, a.T, a.E}),
                     DO = tensor4("dO", dO, type, {a.B, a.H, a.T, a.E}),
                     DQ = tensor4("dq", dq, type, {a.B, a.H, a.T, a.D}, true),
                     DK = tensor4("dk", dk, type, {a.B, a.H, a.S, a.D}, true),
                     DV = tensor4("dv", dv, type, {a.B, a.H, a.S, a.E}, true),
                     DS = tensor4("ds", ds, type, {a.B, a.H, a.T, a.S}, true);
    const void *sums = row_sums(a, type, L);
    call("attention", [&] {
        return tf_attention_backward(type, &a, &Q, &K, &V, &bias4, &keep4, &O, sums, &DO, &DQ, &DK, &DV, &DS);
    });
}

/* ---------------------------------------------------------------- the rest of a training step: contiguous arrays */

void *whole(const char *name, const Array &a, int type, std::initializer_list<py::ssize_t> shape,
            bool written = false) {
    expect(name, a, shape);
    const View view(name, a, type, a.ndim(), written);
    if (!(a.flags() & Array::c_style)) fail(std::string(name) + " is not contiguous");
    return view.data;
}

void *whole(const char *name, const Optional &a, int type, std::initializer_list<py::ssize_t> shape,
            bool written = false) {
    return a ? whole(name, *a, type, shape, written) : nullptr;
}

const int64_t *indices(const char *name, const Array &a, py::ssize_t n) {
    expect(name, a, {n});
    if (!py::isinstance<py::array_t<int64_t>>(a))
        throw py::type_error(std::string(name) + " is " + std::string(py::str(a.dtype())) + ", expected int64");
    if (!(a.flags() & Array::c_style)) fail(std::string(name) + " is not contiguous");
    return (const int64_t *)a.data();
}

void matrix(const Array &a) {
    if (a.ndim() != 2) fail("the first argument does not have two axes");
}

void norm_forward(const Array &x, const Optional &weight, const Optional &bias, double eps, const Array &y,
                  const Optional &mean, const Array &inverse) {
    matrix(x);
    const int type = type_of("x", x);
    const int64_t N = x.shape(0), C = x.shape(1);
    const void *in = whole("x", x, type, {N, C}), *w = whole("weight", weight, type, {C}),
               *b = whole("bias", bias, type, {C});
    void *out = whole("y", y, type, {N, C}, true), *m = whole("mean", mean, type, {N}, true),
         *i = whole("inverse", inverse, type, {N}, true);
    call("norm", [&] { return tf_norm_forward(type, N, C, in, w, b, eps, out, m, i); });
}

void norm_backward(const Array &x, const Optional &weight, const Optional &mean, const Array &inverse, const Array &dy,
                   const Array &dx, const Optional &dweight, const Optional &dbias) {
    matrix(x);
    const int type = type_of("x", x);
    const int64_t N = x.shape(0), C = x.shape(1);
    const void *in = whole("x", x, type, {N, C}), *w = whole("weight", weight, type, {C}),
               *m = whole("mean", mean, type, {N}), *i = whole("inverse", inverse, type, {N}),
               *d = whole("dy", dy, type, {N, C});
    void *out = whole("dx", dx, type, {N, C}, true), *dw = whole("dweight", dweight, type, {C}, true),
         *db = whole("dbias", dbias, type, {C}, true);
    call("norm", [&] { return tf_norm_backward(type, N, C, in, w, m, i, d, out, dw, db); });
}

void softmax_forward(const Array &x, const Array &y) {
    matrix(x);
    const int type = type_of("x", x);
    const int64_t N = x.shape(0), C = x.shape(1);
    const void *in = whole("x", x, type, {N, C});
    void *out = whole("y", y, type, {N, C}, true);
    call("softmax", [&] { return tf_softmax_forward(type, N, C, in, out); });
}

void softmax_backward(const Array &y, const Array &dy, const Array &dx) {
    matrix(y);
    const int type = type_of("y", y);
    const int64_t N = y.shape(0), C = y.shape(1);
    const void *in = whole("y", y, type, {N, C}), *d = whole("dy", dy, type, {N, C});
    void *out = whole("dx", dx, type, {N, C}, true);
    call("softmax", [&] { return tf_softmax_backward(type, N, C, in, d, out); });
}

void cross_entropy_forward(const Array &logits, const Array &targets, double smoothing, const Array &losses,
                           const Array &sums) {
    matrix(logits);
    const int type = type_of("logits", logits);
    const int64_t N = logits.shape(0), V = logits.shape(1), *t = indices("targets", targets, N);
    const void *in = whole("logits", logits, type, {N, V});
    void *out = whole("losses", losses, type, {N}, true), *kept = whole("sums", sums, type, {N}, true);
    call("cross_entropy", [&] { return tf_cross_entropy_forward(type, N, V, in, t, smoothing, out, kept); });
}

void cross_entropy_backward(const Array &logits, const Array &targets, double smoothing, const Array &sums,
                            const Array &weights, const Array &dlogits) {
    matrix(logits);
    const int type = type_of("logits", logits);
    const int64_t N = logits.shape(0), V = logits.shape(1), *t = indices("targets", targets, N);
    const void *in = whole("logits", logits, type, {N, V}), *kept = whole("sums", sums, type, {N}),
               *w = whole("weights", weights, type, {N});
    void *out = whole("dlogits", dlogits, type, {N, V}, true);
    call("cross_entropy", [&] { return tf_cross_entropy_backward(type, N, V, in, t, smoothing, kept, w, out); });
}

void activation_forward(int kind, const Array &x, const Array &y) {
    const int type = type_of("x", x);
    const void *in = whole("x", x, type, {x.size()});
    void *out = whole("y", y, type, {x.size()}, true);
    call("activation", [&] { return tf_activation_forward(type, kind, x.size(), in, out); });
}

void activation_backward(int kind, const Array &x, const Array &dy, const Array &dx) {
    const int type = type_of("x", x);
    const void *in = whole("x", x, type, {x.size()}), *d = whole("dy", dy, type, {x.size()});
    void *out = whole("dx", dx, type, {x.size()}, true);
    call("activation", [&] { return tf_activation_backward(type, kind, x.size(), in, d, out); });
}

void dropout(const Array &x, const Array &draws, double p, const Array &y) {
    const int type = type_of("x", x);
    const void *in = whole("x", x, type, {x.size()});
    const float *random = (const float *)whole("draws", draws, TF_FLOAT32, {x.size()});
    void *out = whole("y", y, type, {x.size()}, true);
    call("dropout", [&] { return tf_dropout(type, x.size(), in, random, p, out); });
}

void embedding_gradient(const Array &places, const Array &dy, const Array &dweight) {
    matrix(dy), matrix(dweight);
    const int type = type_of("dy", dy);
    const int64_t N = dy.shape(0), C = dy.shape(1), V = dweight.shape(0), *i = indices("indices", places, N);
    const void *d = whole("dy", dy, type, {N, C});
    void *out = whole("dweight", dweight, type, {V, C}, true);
    call("embedding_gradient", [&] { return tf_embedding_gradient(type, V, C, N, i, d, out); });
}

/* windows: (stride, padding, dilation), each for rows and columns, as six integers. */
tf_conv conv_of(const Array &x, const Array &y, int64_t kh, int64_t kw, int64_t groups, const py::tuple &windows) {
    if (x.ndim() != 4 || y.ndim() != 4 || windows.size() != 6)
        fail("pictures do not have four axes, or windows six numbers");
    if (x.shape(0) != y.shape(0)) fail("the arrays hold different numbers of pictures");
    auto number = [&](int i) { return py::cast<int64_t>(windows[i]); };
    return {x.shape(0),
            x.shape(1),
            x.shape(2),
            x.shape(3),
            y.shape(1),
            y.shape(2),
            y.shape(3),
            kh,
            kw,
            groups,
            {number(0), number(1)},
            {number(2), number(3)},
            {number(4), number(5)}};
}

tf_conv conv_of(const Array &x, const Array &y, const Array &weight, const py::tuple &windows) {
    if (weight.ndim() != 4) fail("weight does not have four axes");
    const int64_t C = x.ndim() == 4 ? x.shape(1) : 0, each = weight.shape(1);
    return conv_of(x, y, weight.shape(2), weight.shape(3), each ? C / each : 1, windows);
}

void *pictures(const char *name, const Array &a, int type, const tf_conv &p, bool written = false) {
    return whole(name, a, type, {p.N, p.C, p.H, p.W}, written);
}

void *windows_of(const char *name, const Array &a, int type, const tf_conv &p, bool written = false) {
    return whole(name, a, type, {p.N, p.O, p.P, p.Q}, written);
}

void *kernel_of(const char *name, const Array &a, int type, const tf_conv &p, bool written = false) {
    return whole(name, a, type, {p.O, p.C / p.groups, p.kh, p.kw}, written);
}

void conv_forward(const Array &x, const Array &weight, const Optional &bias, const py::tuple &windows, const Array &y) {
    const int type = type_of("x", x);
    const tf_conv p = conv_of(x, y, weight, windows);
    const void *in = pictures("x", x, type, p), *w = kernel_of("weight", weight, type, p),
               *b = whole("bias", bias, type, {p.O});
    void *out = windows_of("y", y, type, p, true);
    call("conv", [&] { return tf_conv_forward(type, &p, in, w, b, out); });
}

void conv_input_gradient(const Array &dy, const Array &weight, const py::tuple &windows, const Array &dx) {
    const int type = type_of("dy", dy);
    const tf_conv p = conv_of(dx, dy, weight, windows);
    const void *d = windows_of("dy", dy, type, p), *w = kernel_of("weight", weight, type, p);
    void *out = pictures("dx", dx, type, p, true);
    call("conv", [&] { return tf_conv_input_gradient(type, &p, d, w, out); });
}

void conv_weight_gradient(const Array &dy, const Array &x, const py::tuple &windows, const Array &dweight) {
    const int type = type_of("dy", dy);
    const tf_conv p = conv_of(x, dy, dweight, windows);
    const void *d = windows_of("dy", dy, type, p), *in = pictures("x", x, type, p);
    void *out = kernel_of("dweight", dweight, type, p, true);
    call("conv", [&] { return tf_conv_weight_gradient(type, &p, d, in, out); });
}

int64_t *pixels_of(const Array &a, const tf_conv &p, bool written) {
    expect("indices", a, {p.N, p.C, p.P, p.Q});
    if (!py::isinstance<py::array_t<int64_t>>(a))
        throw py::type_error("indices is " + std::string(py::str(a.dtype())) + ", expected int64");
    if (!(a.flags() & Array::c_style)) fail("indices is not contiguous");
    if (written && !a.writeable()) fail("indices is read-only");
    return (int64_t *)a.data();
}

void max_pool_forward(const Array &x, int64_t kh, int64_t kw, const py::tuple &windows, const Array &y,
                      const Array &indices) {
    const int type = type_of("x", x);
    const tf_conv p = conv_of(x, y, kh, kw, 1, windows);
    const void *in = pictures("x", x, type, p);
    void *out = windows_of("y", y, type, p, true);
    int64_t *places = pixels_of(indices, p, true);
    call("max_pool", [&] { return tf_max_pool_forward(type, &p, in, out, places); });
}

void max_pool_backward(const Array &dy, const Array &indices, const Array &dx) {
    const int type = type_of("dy", dy);
    const tf_conv p = conv_of(dx, dy, 1, 1, 1, py::make_tuple(1, 1, 0, 0, 1, 1));
    const void *d = windows_of("dy", dy, type, p);
    const int64_t *places = pixels_of(indices, p, false);
    void *out = pictures("dx", dx, type, p, true);
    call("max_pool", [&] { return tf_max_pool_backward(type, &p, d, places, out); });
}

tf_lstm lstm_of(const Array &gates, const Optional &lengths, bool reverse) {
    if (gates.ndim() != 3 || gates.shape(2) % 4) fail("gates do not have the shape (T, B, 4H)");
    const int64_t B = gates.shape(1);
    return {gates.shape(0), B, gates.shape(2) / 4, lengths ? indices("lengths", *lengths, B) : nullptr, reverse};
}

void lstm_forward(const Array &gates, const Array &weight, const Optional &lengths, bool reverse, const Array &h,
                  const Array &c) {
    const int type = type_of("gates", gates);
    const tf_lstm p = lstm_of(gates, lengths, reverse);
    const void *w = whole("weight", weight, type, {4 * p.H, p.H});
    void *g = whole("gates", gates, type, {p.T, p.B, 4 * p.H}, true),
         *hidden = whole("h", h, type, {p.T + 1, p.B, p.H}, true),
         *cell = whole("c", c, type, {p.T + 1, p.B, p.H}, true);
    call("lstm", [&] { return tf_lstm_forward(type, &p, w, g, hidden, cell); });
}

void lstm_backward(const Array &gates, const Array &c, const Array &weight, const Optional &lengths, bool reverse,
                   const Array &dy, const Array &da, const Array &dh, const Array &dc) {
    const int type = type_of("gates", gates);
    const tf_lstm p = lstm_of(gates, lengths, reverse);
    const void *w = whole("weight", weight, type, {4 * p.H, p.H}),
               *g = whole("gates", gates, type, {p.T, p.B, 4 * p.H}), *cell = whole("c", c, type, {p.T + 1, p.B, p.H}),
               *d = whole("dy", dy, type, {p.T, p.B, p.H});
    void *out = whole("da", da, type, {p.T, p.B, 4 * p.H}, true), *hidden = whole("dh", dh, type, {p.B, p.H}, true),
         *last = whole("dc", dc, type, {p.B, p.H}, true);
    call("lstm", [&] { return tf_lstm_backward(type, &p, w, g, cell, d, out, hidden, last); });
}

/* weights: norm1, its bias, qkv, its bias, proj, its bias, norm2, its bias, fc, its bias, out, its bias; an array or
 * None each. */
void block_step(const Array &x, const Array &keys, const Array &values, int64_t past, const py::tuple &weights,
                double eps) {
    matrix(x);
    if (keys.ndim() != 4 || weights.size() != 12) fail("keys do not have four axes, or there are not twelve weights");
    const int type = type_of("x", x);
    const int64_t B = x.shape(0), C = x.shape(1), H = keys.shape(1), room = keys.shape(2), D = keys.shape(3);
    const Array fc = array("fc", weights[8]);
    const int64_t F = fc.ndim() ? fc.shape(0) : 0;
    expect("x", x, {B, H * D});
    int place = 0;
    auto weight = [&](const char *name, std::initializer_list<py::ssize_t> shape) {
        return (const void *)whole(name, array_or_none(name, weights[place++]), type, shape);
    };
    const tf_block p{B,
                     H,
                     D,
                     F,
                     room,
                     past,
                     eps,
                     weight("norm1", {C}),
                     weight("norm1's bias", {C}),
                     weight("qkv", {3 * C, C}),
                     weight("qkv's bias", {3 * C}),
                     weight("proj", {C, C}),
                     weight("proj's bias", {C}),
                     weight("norm2", {C}),
                     weight("norm2's bias", {C}),
                     weight("fc", {F, C}),
                     weight("fc's bias", {F}),
                     weight("out", {C, F}),
                     weight("out's bias", {C})};
    void *k = whole("keys", keys, type, {B, H, room, D}, true),
         *v = whole("values", values, type, {B, H, room, D}, true), *rows = whole("x", x, type, {B, C}, true);
    call("block_step", [&] { return tf_block_step(type, &p, k, v, rows); });
}

/* An array of any shape in one piece. `alive` keeps it while the kernel runs: another thread may take it out of the
 * list. */
void *flat(const char *name, py::handle given, int type, py::ssize_t size, bool written, std::vector<Array> &alive) {
    const Array a = array(name, given);
    if (type_of(name, a) != type)
        throw py::type_error(std::string(name) + " is " + std::string(py::str(a.dtype()))
                             + ", expected the type of the first array");
    if (a.size() != size) fail(std::string(name) + " is not laid out as theta");
    if (!(a.flags() & Array::c_style)) fail(std::string(name) + " is not contiguous");
    if (!(a.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_))
        fail(std::string(name) + " is not aligned to its entries");
    if (written && !a.writeable()) fail(std::string(name) + " is read-only");
    alive.push_back(a);
    return (void *)a.data();
}

/* parameters: (theta, gradient, m, v, lr, decay, beta1, beta2, eps, correction1, correction2) of each. */
void adamw(const py::list &parameters) {
    if (parameters.empty()) return;
    std::vector<tf_parameter> all;
    std::vector<Array> alive;
    int type = -1;
    for (py::handle item : parameters) {
        const py::tuple t = py::cast<py::tuple>(item);
        if (t.size() != 11) fail("a parameter does not have 11 entries");
        const Array theta = array("theta", t[0]);
        if (type < 0) type = type_of("theta", theta);
        auto part = [&](const char *name, int i, bool written) {
            return flat(name, t[i], type, theta.size(), written, alive);
        };
        auto number = [&](int i) { return py::cast<double>(t[i]); };
        all.push_back({theta.size(), part("theta", 0, true), part("m", 2, true), part("v", 3, true),
                       part("gradient", 1, false), number(4), number(5), number(6), number(7), number(8), number(9),
                       number(10)});
    }
    call("adamw", [&] { return tf_adamw(type, (int64_t)all.size(), all.data()); });
}

double sum_of_squares(const py::list &arrays) {
    if (arrays.empty()) return 0;
    std::vector<const void *> data;
    std::vector<int64_t> sizes;
    std::vector<Array> alive;
    const int type = type_of("arrays[0]", array("arrays[0]", arrays[0]));
    for (py::handle item : arrays) {
        const std::string name = "arrays[" + std::to_string(data.size()) + "]";
        const py::ssize_t size = array(name.c_str(), item).size();
        data.push_back(flat(name.c_str(), item, type, size, false, alive)), sizes.push_back(size);
    }
    double result = 0;
    call("sum_of_squares",
         [&] { return tf_sum_of_squares(type, (int64_t)data.size(), data.data(), sizes.data(), &result); });
    return result;
}

}  // namespace

PYBIND11_MODULE(_native, module) {
    using namespace py::literals;
    module.doc() = "tinyformer's kernels in C++. Arrays in, arrays written; csrc/tinyformer.h holds the contracts.";
    module.attr("declarations") = tf_declarations; /* tinyformer.h, for cffi: it must fit this very library */

    module.def("isa", &tf_isa);
    module.def("use_isa",
               [](const std::string &name) { check(("use_isa " + name).c_str(), tf_use_isa(name.c_str())); });
    module.def("set_num_threads", [](int n) { check("set_num_threads", tf_set_num_threads(n)); });
    module.def("get_num_threads", &tf_get_num_threads);
    module.def("threading", &tf_threading);
    module.def("peak", [](int type, int64_t rounds) { return without_gil([=] { return tf_peak(type, rounds); }); });
    define(module, "matmul", &matmul, "a"_a, "b"_a, "c"_a, "alpha"_a = 1.0, "beta"_a = 0.0, "bias"_a = py::none(),
           "preactivation"_a = py::none(), "residual"_a = py::none());
    define(module, "attention_forward", &attention_forward, "q"_a, "k"_a, "v"_a, "bias"_a, "keep"_a, "o"_a, "L"_a,
           "scale"_a, "is_causal"_a);
    define(module, "attention_backward", &attention_backward, "q"_a, "k"_a, "v"_a, "bias"_a, "keep"_a, "o"_a, "L"_a,
           "dO"_a, "dq"_a, "dk"_a, "dv"_a, "ds"_a, "scale"_a, "is_causal"_a);
    define(module, "norm_forward", &norm_forward, "x"_a, "weight"_a, "bias"_a, "eps"_a, "y"_a, "mean"_a, "inverse"_a);
    define(module, "norm_backward", &norm_backward, "x"_a, "weight"_a, "mean"_a, "inverse"_a, "dy"_a, "dx"_a,
           "dweight"_a, "dbias"_a);
    define(module, "softmax_forward", &softmax_forward, "x"_a, "y"_a);
    define(module, "softmax_backward", &softmax_backward, "y"_a, "dy"_a, "dx"_a);
    define(module, "cross_entropy_forward", &cross_entropy_forward, "logits"_a, "targets"_a, "smoothing"_a, "losses"_a,
           "sums"_a);
    define(module, "cross_entropy_backward", &cross_entropy_backward, "logits"_a, "targets"_a, "smoothing"_a, "sums"_a,
           "weights"_a, "dlogits"_a);
    define(module, "activation_forward", &activation_forward, "kind"_a, "x"_a, "y"_a);
    define(module, "activation_backward", &activation_backward, "kind"_a, "x"_a, "dy"_a, "dx"_a);
    define(module, "dropout", &dropout, "x"_a, "draws"_a, "p"_a, "y"_a);
    define(module, "embedding_gradient", &embedding_gradient, "indices"_a, "dy"_a, "dweight"_a);
    define(module, "conv_forward", &conv_forward, "x"_a, "weight"_a, "bias"_a, "windows"_a, "y"_a);
    define(module, "conv_input_gradient", &conv_input_gradient, "dy"_a, "weight"_a, "windows"_a, "dx"_a);
    define(module, "conv_weight_gradient", &conv_weight_gradient, "dy"_a, "x"_a, "windows"_a, "dweight"_a);
    define(module, "max_pool_forward", &max_pool_forward, "x"_a, "kh"_a, "kw"_a, "windows"_a, "y"_a, "indices"_a);
    define(module, "max_pool_backward", &max_pool_backward, "dy"_a, "indices"_a, "dx"_a);
    define(module, "lstm_forward", &lstm_forward, "gates"_a, "weight"_a, "lengths"_a, "reverse"_a, "h"_a, "c"_a);
    define(module, "lstm_backward", &lstm_backward, "gates"_a, "c"_a, "weight"_a, "lengths"_a, "reverse"_a, "dy"_a,
           "da"_a, "dh"_a, "dc"_a);
    define(module, "block_step", &block_step, "x"_a, "keys"_a, "values"_a, "past"_a, "weights"_a, "eps"_a);
    define(module, "adamw", &adamw, "parameters"_a);
    define(module, "sum_of_squares", &sum_of_squares, "arrays"_a);
}
