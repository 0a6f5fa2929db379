/* Memory of the device, launches, and errors. Compiled by nvcc it is CUDA; by another compiler, shim.h plays the
 * device. */
#pragma once
#include <stdlib.h>

#include <vector>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include "shim.h"
#endif

#include "../codes.h"
#include "../products.h"

namespace tf {

inline void check(cudaError_t error) {
    if (error == cudaErrorMemoryAllocation) throw Failure{TF_NO_MEMORY};
    if (error != cudaSuccess) throw Failure{TF_CUDA - int(error)};
}

/* Run `kernel` in `blocks` blocks of `threads` threads each. */
template <class Call> void launch(void (*kernel)(Call), int64_t blocks, dim3 threads, const Call &call) {
    if (blocks == 0) return;
    if (blocks > INT32_MAX) throw Failure{TF_BAD_SHAPE};
#ifdef __CUDACC__
    kernel<<<unsigned(blocks), threads>>>(call); /* the one thing that C++ has no syntax for */
#else
    shim::launch([&] { kernel(call); }, unsigned(blocks), threads);
#endif
    check(cudaGetLastError());
}

/* n numbers in the memory of the device. */
template <class T> class Memory {
public:
    explicit Memory(int64_t n) {
        if (n) check(cudaMalloc((void **)&data, n * sizeof(T)));
    }
    ~Memory() { cudaFree(data); }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;

    T *data = nullptr;
};

/* The twin on the device of an array of the host.
 *
 * An array with strides is any choice of numbers between its first and its last address. The twin is all that lies
 * between them, in the same order, so that kernels walk it with the strides of the host's array. That is the least work
 * where the array is dense, as most are; of a few columns of a wide matrix, it moves more than is needed. */
template <class T> class Twin {
public:
    Twin(const T *host, std::vector<int64_t> shape, std::vector<int64_t> stride)
        : host_(host),
          shape_(std::move(shape)),
          stride_(std::move(stride)),
          memory_(measure()) {}

    /* Where the entry lies whose indices are all 0; NULL for an absent array. */
    T *data() const { return memory_.data ? memory_.data + before_ : nullptr; }

    void copy_in() const {
        if (span_) check(cudaMemcpy(memory_.data, host_ - before_, span_ * sizeof(T), cudaMemcpyHostToDevice));
    }

    /* To the host, which gets the entries of the array and nothing of what lies between them. */
    void copy_out() const {
        T *host = const_cast<T *>(host_);
        if (span_ == count_) {
            if (span_) check(cudaMemcpy(host - before_, memory_.data, span_ * sizeof(T), cudaMemcpyDeviceToHost));
            return;
        }
        std::vector<T> all(span_);
        check(cudaMemcpy(all.data(), memory_.data, span_ * sizeof(T), cudaMemcpyDeviceToHost));
        for (int64_t i = 0; i < count_; i++) {
            int64_t place = 0, rest = i;
            for (size_t axis = shape_.size(); axis-- > 0; rest /= shape_[axis])
                place += rest % shape_[axis] * stride_[axis];
            host[place] = all[before_ + place];
        }
    }

private:
    /* Count the entries, and the numbers from the first address to the last; returns the latter. */
    int64_t measure() {
        count_ = host_ ? 1 : 0;
        for (int64_t length : shape_) count_ *= length;
        if (!count_) return 0;
        int64_t after = 0;
        for (size_t axis = 0; axis < shape_.size(); axis++)
            (stride_[axis] < 0 ? before_ : after) += llabs(stride_[axis]) * (shape_[axis] - 1);
        return span_ = before_ + 1 + after;
    }

    const T *host_;
    std::vector<int64_t> shape_, stride_;
    int64_t count_ = 0, span_ = 0, before_ = 0;
    Memory<T> memory_;
};

}  // namespace tf
