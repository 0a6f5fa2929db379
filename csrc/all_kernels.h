/* Everything that is compiled once for each instruction set. Included at the end of an isa_*.cpp, which has set the target,
 * TF_BYTES (the size of a vector) and TF_ISA. */
#include "attention.h"
#include "decode.h"
#include "pointwise.h"
#include "recurrence.h"

#define TF_STRING(x) #x
#define TF_NAME(x) TF_STRING(x)
#define TF_JOIN(a, b) a##b
#define TF_TABLE(x) TF_JOIN(isa_, x)

namespace tf {

/* Addresses only, which the linker fills in: nothing of this instruction set may run before it is chosen. */
#define TF_KERNELS(T) \
    {matmul<T>, attention_forward<T>, attention_backward<T>, norm_forward<T>, norm_backward<T>, softmax_forward<T>, \
     softmax_backward<T>, cross_entropy_forward<T>, cross_entropy_backward<T>, activation_forward<T>, activation_backward<T>, \
     dropout<T>, embedding_gradient<T>, lstm_forward<T>, lstm_backward<T>, block_step<T>, adamw<T>, sum_of_squares<T>, \
     peak<T>}

const Isa TF_TABLE(TF_ISA) = {TF_NAME(TF_ISA), TF_KERNELS(float), TF_KERNELS(double)};

}  // namespace tf
