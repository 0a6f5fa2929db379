/* Everything that is compiled once for each instruction set. Included at the end of an isa_*.cpp, which has set the target,
 * TF_BYTES (the size of a vector) and TF_ISA. */
#include "attention.h"
#include "gemm.h"

#define TF_STRING(x) #x
#define TF_NAME(x) TF_STRING(x)
#define TF_JOIN(a, b) a##b
#define TF_TABLE(x) TF_JOIN(isa_, x)

namespace tf {
const Isa TF_TABLE(TF_ISA) = {
    TF_NAME(TF_ISA),
    {matmul<float>, attention_forward<float>, attention_backward<float>, peak<float>},
    {matmul<double>, attention_forward<double>, attention_backward<double>, peak<double>},
};
}  // namespace tf
