#include "tern_cpu.h"

int32_t tern_cpu_features(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq")) {
        return 0;
    }

    return (__builtin_cpu_supports("avx512bf16") ? TERN_HAS_BF16 : 0) | (__builtin_cpu_supports("avx512vnni") ? TERN_HAS_INT8 : 0);
}
