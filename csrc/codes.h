/* What the functions of the C interface return, and how they get there. */
#pragma once
#include <new>

#include "tinyformer.h"

namespace tf {

struct Failure { /* thrown where a call cannot go on */
    int code;
};

/* Calls f with a number of the given type. Every exception becomes a code. */
template <class F> int with_type(int type, F f) {
    try {
        if (type == TF_FLOAT32) return f(float());
        if (type == TF_FLOAT64) return f(double());
        return TF_BAD_TYPE;
    } catch (const std::bad_alloc &) { return TF_NO_MEMORY; } catch (const Failure &failure) {
        return failure.code;
    }
}

inline const char *message(int code) {
    switch (code) {
        case TF_OK: return "no error";
        case TF_BAD_TYPE: return "the type is neither float32 nor float64";
        case TF_BAD_SHAPE: return "a length is negative, or heads do not fit key heads, or there are too many axes";
        case TF_BAD_POINTER: return "an array is missing";
        case TF_BAD_STRIDE: return "entries of an output would share memory, or its rows are not contiguous";
        case TF_BAD_VALUE: return "an argument is out of range";
        case TF_NO_MEMORY: return "there is not enough memory";
        default: return "unknown code";
    }
}

}  // namespace tf
