/* Which instruction set: the best that the processor has, or the one that TINYFORMER_ISA names. */
#include "dispatch.h"

#include <stdlib.h>
#include <string.h>

#include "products.h"

namespace tf {
namespace {

struct Candidate {
    const Isa *isa;
    bool (*runs_here)();
};

/* The best first. */
const Candidate candidates[] = {
#if defined(__x86_64__) && defined(__GNUC__)
    {&isa_avx512,
     [] {
         return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
                && __builtin_cpu_supports("bmi2");
     }},
    {&isa_avx2,
     [] { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2"); }},
#elif defined(__aarch64__) && defined(__GNUC__)
    {&isa_neon, [] { return true; }},
#endif
    {&isa_portable, [] { return true; }},
};

const Isa *find(const char *name) {
    for (const Candidate &candidate : candidates)
        if ((!name || !strcmp(candidate.isa->name, name)) && candidate.runs_here()) return candidate.isa;
    return nullptr;
}

/* An unknown name in the environment is no reason to fail: tf_isa() tells what runs. */
const Isa *at_start() {
    const char *wanted = getenv("TINYFORMER_ISA");
    const Isa *isa = wanted ? find(wanted) : nullptr;
    return isa ? isa : find(nullptr);
}

const Isa *live = nullptr;

}  // namespace

const Isa &isa() {
    static const Isa *const first = at_start();
    return live ? *live : *first;
}

bool use_isa(const char *name) {
    const Isa *isa = find(name);
    if (isa) live = isa;
    return isa != nullptr;
}

template <> void run_matmul(const Matmul<float> &call) { isa().f32.matmul(call); }
template <> void run_matmul(const Matmul<double> &call) { isa().f64.matmul(call); }
template <> void run_attention_forward(const Attention<float> &call) { isa().f32.attention_forward(call); }
template <> void run_attention_forward(const Attention<double> &call) { isa().f64.attention_forward(call); }
template <> void run_attention_backward(const Attention<float> &call) { isa().f32.attention_backward(call); }
template <> void run_attention_backward(const Attention<double> &call) { isa().f64.attention_backward(call); }

}  // namespace tf
