/* Vectors: `vec<T>` holds TF_BYTES bytes of float or double, and + − · / compare work on it lane by lane.
 *
 * GCC and Clang have such types built in: the compiler picks the instructions of the target that is in force where this
 * is included, so one source serves SSE, AVX2, AVX-512 and NEON. Where they are missing (MSVC), vector_fallback.h has a
 * class that does the same with loops.
 *
 * This file and those that include it are compiled once for each instruction set. All they define lies in an unnamed
 * namespace, and they include no C++ standard header: a function of such a header, compiled for AVX-512, could be the
 * copy that the linker keeps for the whole program, and crash on a processor without it.
 */
#pragma once
#include <stdint.h>
#include <string.h>

namespace {

#if defined(__GNUC__) && !defined(TF_NO_VECTOR_TYPES)
template <class T> struct Types;
template <> struct Types<float> {
    typedef float vec __attribute__((vector_size(TF_BYTES)));
    typedef int32_t ivec __attribute__((vector_size(TF_BYTES)));
};
template <> struct Types<double> {
    typedef double vec __attribute__((vector_size(TF_BYTES)));
    typedef int64_t ivec __attribute__((vector_size(TF_BYTES)));
};
template <class T> using vec = typename Types<T>::vec;
template <class T> using ivec = typename Types<T>::ivec;

template <class To, class From> inline To as_bits(From v) { return (To)v; }

/* Lane by lane: a where the comparison held, else b. */
template <class Mask, class V> inline V choose(Mask mask, V a, V b) { return mask ? a : b; }
#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define TF_SHUFFLE 1
#endif
#endif
#else
#include "vector_fallback.h"
#endif

#ifdef __GNUC__
#define TF_INLINE inline __attribute__((always_inline))
#define TF_NOINLINE __attribute__((noinline))
#define TF_INLINE_LAMBDA __attribute__((always_inline))
#else
#define TF_INLINE __forceinline
#define TF_NOINLINE __declspec(noinline)
#define TF_INLINE_LAMBDA
#endif

/* How many numbers a vector holds. */
template <class T> constexpr int lanes = TF_BYTES / (int)sizeof(T);

template <class T> TF_INLINE vec<T> load(const T *p) {
    vec<T> v;
    memcpy(&v, p, sizeof v); /* an unaligned load */
    return v;
}

template <class T> TF_INLINE void store(T *p, vec<T> v) { memcpy(p, &v, sizeof v); }

template <class T> TF_INLINE vec<T> splat(T x) { return x - vec<T>{}; }

/* The first n lanes; the rest is `fill`, or is not written. */
template <class T> TF_INLINE vec<T> load_some(const T *p, int64_t n, T fill) {
    T lane[lanes<T>];
    for (int i = 0; i < lanes<T>; i++) lane[i] = i < n ? p[i] : fill;
    return load(lane);
}

template <class T> TF_INLINE void store_some(T *p, vec<T> v, int64_t n) {
    T lane[lanes<T>];
    store(lane, v);
    for (int i = 0; i < n; i++) p[i] = lane[i];
}

/* Ask for the line of memory at p, to be read or to be written soon. p may point anywhere: nothing comes of a wrong
 * one. */
#ifdef __GNUC__
TF_INLINE void prefetch(const void *p) { __builtin_prefetch(p, 0); }
TF_INLINE void prefetch_to_write(const void *p) { __builtin_prefetch(p, 1); }
#else
TF_INLINE void prefetch(const void *) {}
TF_INLINE void prefetch_to_write(const void *) {}
#endif

/* b where a is NaN: only arguments without NaN may be compared this way, or those whose NaN comes back in elsewhere. */
template <class T> TF_INLINE vec<T> vmax(vec<T> a, vec<T> b) { return choose(a > b, a, b); }

/* Shuffles, whose lane numbers must be constants: LanesOf<n> has 0 … n − 1 at hand as I. */
#ifdef TF_SHUFFLE
template <int... I> struct Lanes {
    /* Blocks of `half` lanes change places: b's even ones with a's odd ones. */
    template <int half, class V> static TF_INLINE void swap(V &a, V &b) {
        constexpr int W = sizeof...(I);
        const V low = __builtin_shufflevector(a, b, ((I & half) ? W + I - half : I)...);
        b = __builtin_shufflevector(a, b, ((I & half) ? W + I : I + half)...);
        a = low;
    }
    template <int by, class V> static TF_INLINE V rotate(V v) {
        return __builtin_shufflevector(v, v, (I + by) % sizeof...(I)...);
    }
};
template <int n, int... I> struct LanesOf : LanesOf<n - 1, n - 1, I...> {};
template <int... I> struct LanesOf<0, I...> : Lanes<I...> {};

/* Sum and maximum over the lanes, by halves: always in the same order. */
template <class T, int half> struct Halves {
    static TF_INLINE vec<T> sum(vec<T> v) {
        return Halves<T, half / 2>::sum(v + LanesOf<lanes<T>>::template rotate<half>(v));
    }
    static TF_INLINE vec<T> largest(vec<T> v) {
        return Halves<T, half / 2>::largest(vmax<T>(v, LanesOf<lanes<T>>::template rotate<half>(v)));
    }
};
template <class T> struct Halves<T, 0> {
    static TF_INLINE vec<T> sum(vec<T> v) { return v; }
    static TF_INLINE vec<T> largest(vec<T> v) { return v; }
};
template <class T> TF_INLINE T sum(vec<T> v) { return Halves<T, lanes<T> / 2>::sum(v)[0]; }
template <class T> TF_INLINE T largest(vec<T> v) { return Halves<T, lanes<T> / 2>::largest(v)[0]; }
#else
template <class T> TF_INLINE T sum(vec<T> v) {
    T lane[lanes<T>];
    store(lane, v);
    for (int half = lanes<T> / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] += lane[i + half];
    return lane[0];
}

template <class T> TF_INLINE T largest(vec<T> v) {
    T lane[lanes<T>];
    store(lane, v);
    for (int half = lanes<T> / 2; half; half /= 2)
        for (int i = 0; i < half; i++) lane[i] = lane[i] > lane[i + half] ? lane[i] : lane[i + half];
    return lane[0];
}
#endif

template <class T> struct Constants;
template <> struct Constants<float> {
    static constexpr float infinity = float(HUGE_VAL);
    /* Adding 1.5 · 2²³ leaves no bits behind the point: it rounds, and the integer stands in the low bits. */
    static constexpr float round = 12582912.0f, log2e = 1.44269504f;
    static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
    static constexpr float exp_smallest = -86.98f, exp_largest = 88.72283f;
    static constexpr int mantissa = 23, exponent_bias = 127, taylor = 7;
};
template <> struct Constants<double> {
    static constexpr double infinity = HUGE_VAL;
    static constexpr double round = 6755399441055744.0, log2e = 1.4426950408889634074;
    static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723212e-6;
    static constexpr double exp_smallest = -708.04, exp_largest = 709.782712893384;
    static constexpr int mantissa = 52, exponent_bias = 1023, taylor = 13;
};

/* eˣ = 2ⁿ e^r with n = round(x / ln 2), |r| ≤ ln 2 / 2, where e^r is its Taylor series: at that distance from 0 the
 * terms left out lie below half a unit in the last place. ln 2 is taken away in two parts, so that n ln 2 is exact
 * enough. Results below 2⁻¹²⁵·⁵ (2⁻¹⁰²¹·⁵), close to the smallest normal number, are 0. NaN stays NaN. */
template <class T> TF_INLINE vec<T> vexp(vec<T> x) {
    using C = Constants<T>;
    vec<T> low = splat(C::exp_smallest), high = splat(C::exp_largest);
    vec<T> inside = choose(x < low, low, x);
    inside = choose(inside > high, high, inside);
    vec<T> shifted = inside * C::log2e + C::round;
    vec<T> n = shifted - C::round;
    vec<T> r = inside - n * C::ln2_high;
    r = r - n * C::ln2_low;
    constexpr T inverse_factorial[] = {1,
                                       1,
                                       T(1) / 2,
                                       T(1) / 6,
                                       T(1) / 24,
                                       T(1) / 120,
                                       T(1) / 720,
                                       T(1) / 5040,
                                       T(1) / 40320,
                                       T(1) / 362880,
                                       T(1) / 3628800,
                                       T(1) / 39916800,
                                       T(1) / 479001600,
                                       T(1) / 6227020800.0};
    vec<T> p = splat(inverse_factorial[C::taylor]);
    for (int i = C::taylor - 1; i >= 0; i--) p = p * r + inverse_factorial[i];
    /* 2ⁿ⁻¹ from its bits, and 2 afterwards: 2ⁿ itself would not fit at the upper end. */
    ivec<T> bits = as_bits<ivec<T>>(shifted) + (C::exponent_bias - 1);
    vec<T> power = as_bits<vec<T>>(bits << C::mantissa);
    vec<T> y = p * power * T(2);
    y = choose(x < low, splat(T(0)), y);
    return choose(x > high, splat(C::infinity), y);
}

template <class T> TF_INLINE vec<T> vsqrt(vec<T> v) {
    T lane[lanes<T>];
    store(lane, v);
    for (int i = 0; i < lanes<T>; i++) lane[i] = (T)(sizeof(T) == 4 ? sqrtf((float)lane[i]) : sqrt((double)lane[i]));
    return load(lane);
}

/* σ(x) = 1 / (1 + e⁻ˣ). */
template <class T> TF_INLINE vec<T> vsigmoid(vec<T> x) { return T(1) / (T(1) + vexp<T>(-x)); }

/* GELU, tanh form: x h with h = (1 + tanh u)/2 = σ(2u), u = √(2/π) (x + 0.044715 x³). */
template <class T> TF_INLINE vec<T> gelu_gate(vec<T> x) {
    constexpr T a = T(2 * 0.7978845608028654), c = T(0.044715);
    return vsigmoid<T>(x * (x * x * (a * c) + a));
}

/* A loop that threads share: f(i) for i = 0 … n − 1. */
template <class F> void parallel_for(int64_t n, F f) {
    tf::parallel(n, [](void *f, int64_t i) { (*(F *)f)(i); }, &f);
}

inline int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t up(int64_t n, int64_t step) { return (n + step - 1) / step * step; } /* to a multiple of step */
inline int64_t parts(int64_t n, int64_t step) { return (n + step - 1) / step; }

}  // namespace
