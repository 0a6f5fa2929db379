/* The binding of the products: matrix product, attention, convolution and pooling. */
#include "python.h"
#include "tinyformer.h"

namespace tf {

namespace {

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
    const int64_t groups = 0 < each && each < C ? C / each : 1; /* never 0: kernel_of divides by it */
    return conv_of(x, y, weight.shape(2), weight.shape(3), groups, windows);
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
    return indices("indices", a, {p.N, p.C, p.P, p.Q}, written);
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

}  // namespace

void bind_products(py::module_ &module) {
    using namespace py::literals;
    define(module, "matmul", &matmul, "a"_a, "b"_a, "c"_a, "alpha"_a = 1.0, "beta"_a = 0.0, "bias"_a = py::none(),
           "preactivation"_a = py::none(), "residual"_a = py::none());
    define(module, "attention_forward", &attention_forward, "q"_a, "k"_a, "v"_a, "bias"_a, "keep"_a, "o"_a, "L"_a,
           "scale"_a, "is_causal"_a);
    define(module, "attention_backward", &attention_backward, "q"_a, "k"_a, "v"_a, "bias"_a, "keep"_a, "o"_a, "L"_a,
           "dO"_a, "dq"_a, "dk"_a, "dv"_a, "ds"_a, "scale"_a, "is_causal"_a);
    define(module, "conv_forward", &conv_forward, "x"_a, "weight"_a, "bias"_a, "windows"_a, "y"_a);
    define(module, "conv_input_gradient", &conv_input_gradient, "dy"_a, "weight"_a, "windows"_a, "dx"_a);
    define(module, "conv_weight_gradient", &conv_weight_gradient, "dy"_a, "x"_a, "windows"_a, "dweight"_a);
    define(module, "max_pool_forward", &max_pool_forward, "x"_a, "kh"_a, "kw"_a, "windows"_a, "y"_a, "indices"_a);
    define(module, "max_pool_backward", &max_pool_backward, "dy"_a, "indices"_a, "dx"_a);
}

}  // namespace tf
