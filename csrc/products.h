/* Who computes the products: this processor's kernels (dispatch.cpp), or a graphics card's (cuda/). */
#pragma once
#include "kernels.h"

namespace tf {

template <class T> void run_matmul(const Matmul<T> &);
template <class T> void run_attention_forward(const Attention<T> &);
template <class T> void run_attention_backward(const Attention<T> &);

}  // namespace tf
