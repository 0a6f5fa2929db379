/* What the binding needs of Python: arguments that are arrays, refused by name where they are not or do not fit, and
 * calls without the GIL. */
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

#include "tinyformer.h"

namespace tf {

namespace py = pybind11;
using Array = py::array;
using Optional = std::optional<Array>; /* an array or None */

/* The array that `given` is. pybind11 would make one of a list or a number: a temporary, freed while the kernel still
 * reads it, and what a kernel writes there is lost. */
inline Array array(const char *name, py::handle given) {
    if (!py::isinstance<Array>(given))
        throw py::type_error(std::string(name) + " is a " + Py_TYPE(given.ptr())->tp_name + ", expected a NumPy array");
    return py::reinterpret_borrow<Array>(given);
}

inline Optional array_or_none(const char *name, py::handle given) {
    return given.is_none() ? Optional() : Optional(array(name, given));
}

/* Parameters as pybind11 passes them: where a kernel wants an array, any object, so that what refuses it is ours. */
template <class T> constexpr bool is_array = std::is_same_v<T, Array> || std::is_same_v<T, Optional>;
template <class T> using Given = std::conditional_t<is_array<T>, py::object, T>;

template <class T> decltype(auto) take(const char *name, const Given<T> &given) {
    if constexpr (std::is_same_v<T, Array>) return array(name, given);
    else if constexpr (std::is_same_v<T, Optional>) return array_or_none(name, given);
    else return (given);
}

template <class R, class... P, class... Argument, size_t... I>
void define(py::module_ &module, const char *name, R (*f)(P...), std::index_sequence<I...>,
            const Argument &...arguments) {
    const char *const names[] = {arguments.name...};
    auto call = [f, names](const Given<std::decay_t<P>> &...given) {
        return f(take<std::decay_t<P>>(names[I], given)...);
    };
    module.def(name, call, arguments...);
}

/* The function f as module.name, with a py::arg for each parameter. */
template <class R, class... P, class... Argument>
void define(py::module_ &module, const char *name, R (*f)(P...), const Argument &...arguments) {
    static_assert(sizeof...(P) == sizeof...(Argument), "a name for each parameter");
    define(module, name, f, std::index_sequence_for<P...>(), arguments...);
}

/* f() while other threads run Python.
 *
 * A thread that asks for the GIL when the interpreter has ended does not get it. Python ends the thread instead, before
 * 3.14 with pthread_exit, which unwinds its stack: through C++ code that may not throw, and then the whole process is
 * aborted. So a thread that Python ends sleeps here until the process is over. (From 3.14 on, Python does the same.) */
template <class F> auto without_gil(F f) {
    PyThreadState *const state = PyEval_SaveThread();
    const auto result = f(); /* f throws nothing: the C interface returns codes */
    try {
        PyEval_RestoreThread(state);
    } catch (...) {
        for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
    }
    return result;
}

[[noreturn]] inline void fail(const std::string &message) { throw py::value_error(message); }

inline void check(const char *what, int code) {
    if (code == TF_NO_MEMORY) throw std::bad_alloc();
    if (code) fail(std::string(what) + ": " + tf_message(code));
}

template <class F> void call(const char *what, F f) { check(what, without_gil(f)); }

inline int type_of(const char *name, const Array &a) {
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

inline void expect(const char *name, const Array &a, std::initializer_list<py::ssize_t> shape) {
    py::ssize_t axis = 0;
    bool same = a.ndim() == (py::ssize_t)shape.size();
    for (py::ssize_t length : shape) same = same && a.shape(axis++) == length;
    if (same) return;
    std::string wanted;
    for (py::ssize_t length : shape) wanted += (wanted.empty() ? "" : ", ") + std::to_string(length);
    fail(std::string(name) + " has shape " + std::string(py::str(a.attr("shape"))) + ", expected (" + wanted + ")");
}

/* Entries of the given type in one piece. */
inline void *whole(const char *name, const Array &a, int type, std::initializer_list<py::ssize_t> shape,
                   bool written = false) {
    expect(name, a, shape);
    const View view(name, a, type, a.ndim(), written);
    if (!(a.flags() & Array::c_style)) fail(std::string(name) + " is not contiguous");
    return view.data;
}

inline void *whole(const char *name, const Optional &a, int type, std::initializer_list<py::ssize_t> shape,
                   bool written = false) {
    return a ? whole(name, *a, type, shape, written) : nullptr;
}

/* int64 in one piece, such as targets and places. */
inline int64_t *indices(const char *name, const Array &a, std::initializer_list<py::ssize_t> shape,
                        bool written = false) {
    expect(name, a, shape);
    if (!py::isinstance<py::array_t<int64_t>>(a))
        throw py::type_error(std::string(name) + " is " + std::string(py::str(a.dtype())) + ", expected int64");
    if (!(a.flags() & Array::c_style)) fail(std::string(name) + " is not contiguous");
    if (written && !a.writeable()) fail(std::string(name) + " is read-only");
    return (int64_t *)a.data();
}

void bind_products(py::module_ &module); /* python_products.cpp */
void bind_step(py::module_ &module);     /* python_step.cpp */

}  // namespace tf
