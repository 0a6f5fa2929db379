/* The C interface of the kernels on a graphics card: tf_matmul, tf_attention_forward, tf_attention_backward and
 * tf_message of ../tinyformer.h, with the contracts that stand there, in a library of their own, and this:
 *
 * Arrays are the host's, as everywhere. A call copies its inputs to the device, computes, and copies the results back.
 * Codes below TF_CUDA are CUDA's own errors: TF_CUDA − 35, for one, is cudaErrorInsufficientDriver. */
#pragma once
#include "../tinyformer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The name of the device that computes, in at most `size` bytes of `name`, the final 0 among them; or the error that
 * there is none. */
TF_EXPORT int tf_cuda_device(char *name, int64_t size);

#ifdef __cplusplus
}
#endif
