/* What the binding needs of Python: arguments that are arrays, refused by name where they are not, and calls without
 * the GIL. */
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <chrono>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

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

}  // namespace tf
