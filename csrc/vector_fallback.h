/* What GCC's vector types do, as a class with loops, for compilers without them. Included by simd.h within its
 * namespace. */

template <class T, class Int> struct Pack {
    static constexpr int size = TF_BYTES / (int)sizeof(T);
    T lane[size];
    T &operator[](int i) { return lane[i]; }
    T operator[](int i) const { return lane[i]; }
};

template <class T> struct Types;
template <> struct Types<float> {
    typedef Pack<float, int32_t> vec;
    typedef Pack<int32_t, int32_t> ivec;
};
template <> struct Types<double> {
    typedef Pack<double, int64_t> vec;
    typedef Pack<int64_t, int64_t> ivec;
};
template <class T> using vec = typename Types<T>::vec;
template <class T> using ivec = typename Types<T>::ivec;

/* Each operator for two vectors, and for a vector and a number on either side. */
#define TF_OPERATOR(op)                                                                                    \
    template <class T, class I> inline Pack<T, I> operator op(Pack<T, I> a, const Pack<T, I> &b) {         \
        for (int i = 0; i < a.size; i++) a.lane[i] = a.lane[i] op b.lane[i];                               \
        return a;                                                                                          \
    }                                                                                                      \
    template <class T, class I, class S> inline Pack<T, I> operator op(Pack<T, I> a, S b) {                \
        for (int i = 0; i < a.size; i++) a.lane[i] = a.lane[i] op T(b);                                    \
        return a;                                                                                          \
    }                                                                                                      \
    template <class T, class I> inline Pack<T, I> operator op(T a, Pack<T, I> b) {                         \
        for (int i = 0; i < b.size; i++) b.lane[i] = a op b.lane[i];                                       \
        return b;                                                                                          \
    }                                                                                                      \
    template <class T, class I, class S> inline Pack<T, I> &operator op## = (Pack<T, I> & a, const S &b) { \
        return a = a op b;                                                                                 \
    }
TF_OPERATOR(+)
TF_OPERATOR(-)
TF_OPERATOR(*)
TF_OPERATOR(/)
#undef TF_OPERATOR

template <class T, class I> inline Pack<T, I> operator-(Pack<T, I> a) {
    for (T &x : a.lane) x = -x;
    return a;
}

template <class T, class I> inline Pack<T, I> operator<<(Pack<T, I> a, int by) {
    for (T &x : a.lane) x = T((unsigned long long)x << by);
    return a;
}

#define TF_COMPARISON(op)                                                                                 \
    template <class T, class I> inline Pack<I, I> operator op(const Pack<T, I> &a, const Pack<T, I> &b) { \
        Pack<I, I> mask;                                                                                  \
        for (int i = 0; i < a.size; i++) mask.lane[i] = a.lane[i] op b.lane[i] ? I(-1) : I(0);            \
        return mask;                                                                                      \
    }
TF_COMPARISON(<)
TF_COMPARISON(>)
#undef TF_COMPARISON

template <class To, class From> inline To as_bits(const From &v) {
    To bits;
    static_assert(sizeof bits == sizeof v, "the same bits, read as another type");
    memcpy(&bits, &v, sizeof v);
    return bits;
}

template <class Mask, class V> inline V choose(const Mask &mask, const V &a, V b) {
    for (int i = 0; i < b.size; i++)
        if (mask.lane[i]) b.lane[i] = a.lane[i];
    return b;
}
