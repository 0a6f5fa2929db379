/* The pybind11 binding: NumPy arrays in, their pointers and strides out to the C interface, codes back as exceptions.
 *
 * Outputs are arrays that the caller has made. What is checked (python.h) is what C cannot see: the types of the
 * arrays, their number of axes and that their shapes fit each other. tinyformer/kernels/cffi.py does the same for cffi.
 */
#include "python.h"

#include "declarations.h"
#include "tinyformer.h"

using namespace tf;

PYBIND11_MODULE(_native, module) {
    module.doc() = "tinyformer's kernels in C++. Arrays in, arrays written; csrc/tinyformer.h holds the contracts.";
    module.attr("declarations") = tf_declarations; /* tinyformer.h, for cffi: it must fit this very library */

    module.def("isa", &tf_isa);
    module.def("use_isa",
               [](const std::string &name) { check(("use_isa " + name).c_str(), tf_use_isa(name.c_str())); });
    module.def("set_num_threads", [](int n) { check("set_num_threads", tf_set_num_threads(n)); });
    module.def("get_num_threads", &tf_get_num_threads);
    module.def("threading", &tf_threading);
    module.def("peak", [](int type, int64_t rounds) { return without_gil([=] { return tf_peak(type, rounds); }); });
    bind_products(module);
    bind_step(module);
}
