/* The instruction set in use. */
#pragma once
#include "kernels.h"

namespace tf {

const Isa &isa();
bool use_isa(const char *name); /* false: not on this processor, or not in this build */

template <class T> const Kernels<T> &kernels();
template <> inline const Kernels<float> &kernels<float>() { return isa().f32; }
template <> inline const Kernels<double> &kernels<double>() { return isa().f64; }

}  // namespace tf
