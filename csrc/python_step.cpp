/* The binding of the rest of a training step, and of a step of generation: norms, softmax, cross-entropy, activations,
 * recurrence, a layer for one position, AdamW. Their arrays are contiguous. */
#include <vector>

#include "python.h"
#include "tinyformer.h"

namespace tf {

namespace {

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
    const int64_t N = logits.shape(0), V = logits.shape(1), *t = indices("targets", targets, {N});
    const void *in = whole("logits", logits, type, {N, V});
    void *out = whole("losses", losses, type, {N}, true), *kept = whole("sums", sums, type, {N}, true);
    call("cross_entropy", [&] { return tf_cross_entropy_forward(type, N, V, in, t, smoothing, out, kept); });
}

void cross_entropy_backward(const Array &logits, const Array &targets, double smoothing, const Array &sums,
                            const Array &weights, const Array &dlogits) {
    matrix(logits);
    const int type = type_of("logits", logits);
    const int64_t N = logits.shape(0), V = logits.shape(1), *t = indices("targets", targets, {N});
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
    const int64_t N = dy.shape(0), C = dy.shape(1), V = dweight.shape(0), *i = indices("indices", places, {N});
    const void *d = whole("dy", dy, type, {N, C});
    void *out = whole("dweight", dweight, type, {V, C}, true);
    call("embedding_gradient", [&] { return tf_embedding_gradient(type, V, C, N, i, d, out); });
}

tf_lstm lstm_of(const Array &gates, const Optional &lengths, bool reverse) {
    if (gates.ndim() != 3 || gates.shape(2) % 4) fail("gates do not have the shape (T, B, 4H)");
    const int64_t B = gates.shape(1);
    return {gates.shape(0), B, gates.shape(2) / 4, lengths ? indices("lengths", *lengths, {B}) : nullptr, reverse};
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
                double eps, const Optional &pasts) {
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
                     pasts ? indices("pasts", *pasts, {B}) : nullptr,
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

void bind_step(py::module_ &module) {
    using namespace py::literals;
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
    define(module, "lstm_forward", &lstm_forward, "gates"_a, "weight"_a, "lengths"_a, "reverse"_a, "h"_a, "c"_a);
    define(module, "lstm_backward", &lstm_backward, "gates"_a, "c"_a, "weight"_a, "lengths"_a, "reverse"_a, "dy"_a,
           "da"_a, "dh"_a, "dc"_a);
    define(module, "block_step", &block_step, "x"_a, "keys"_a, "values"_a, "past"_a, "weights"_a, "eps"_a,
           "pasts"_a = py::none());
    define(module, "adamw", &adamw, "parameters"_a);
    define(module, "sum_of_squares", &sum_of_squares, "arrays"_a);
}

}  // namespace tf
