/* Everything that is compiled once for each instruction set. Included at the end of an isa_*.cpp, which has set the
 * target, TF_BYTES (the size of a vector) and TF_ISA. */
#include "attention.h"
#include "convolution.h"
#include "decode.h"
#include "pointwise.h"
#include "recurrence.h"

#define TF_STRING(x) #x
#define TF_NAME(x) TF_STRING(x)
#define TF_JOIN(a, b) a##b
#define TF_TABLE(x) TF_JOIN(isa_, x)

namespace tf {

/* Addresses only, which the linker fills in: nothing of this instruction set may run before it is chosen. */
template <class T> constexpr Kernels<T> addresses() {
    Kernels<T> table{};
#define TF_ADDRESS(result, name, argument) table.name = name<T>;
    TF_EACH_KERNEL(TF_ADDRESS)
#undef TF_ADDRESS
    return table;
}

/* In two lines: a constexpr variable that is declared extern would be a name of this file alone for some compilers. */
constexpr Isa table = {TF_NAME(TF_ISA), addresses<float>(), addresses<double>()};
const Isa TF_TABLE(TF_ISA) = table;

}  // namespace tf
