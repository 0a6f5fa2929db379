/* The C interface, but for the products, whose checks are ../products.cpp's. */
#include "device.h"

#include <stdio.h>

#include "cuda.h"

using namespace tf;

extern "C" {

int tf_cuda_device(char *name, int64_t size) {
    return with_type(TF_FLOAT32, [&](auto) {
        cudaDeviceProp properties;
        int device = 0;
        check(cudaGetDeviceCount(&device)); /* says better than the next what is missing */
        check(cudaGetDevice(&device));
        check(cudaGetDeviceProperties(&properties, device));
        snprintf(name, size_t(size), "%s", properties.name);
        return TF_OK;
    });
}

const char *tf_message(int code) {
    if (code >= TF_CUDA) return message(code);
    const cudaError_t error = cudaError_t(TF_CUDA - code);
    if (error == cudaErrorNoDevice) return "no CUDA device";
    if (error == cudaErrorInsufficientDriver)
        return "no CUDA device: its driver is missing, or older than this library needs";
    return cudaGetErrorString(error);
}

}  // extern "C"
