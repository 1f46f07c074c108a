// Multiply-add peaks of one core: sixteen independent chains that never leave the registers. Built outside the product by
// bench/peers/products.sh; the benchmark loads it if it is there. Each function runs ROUNDS rounds and says how many
// operations (a multiply and an add are two) a round has when called with 0.
#include <immintrin.h>

#define CHAINS(STEP) STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8) STEP(9) STEP(10) STEP(11) STEP(12) STEP(13) STEP(14) STEP(15)
#define KEEP(i) __asm__ volatile("" : : "v"(a[i]));

__attribute__((target("avx512f"))) long peak_fp32_512(long rounds)
{
    if (rounds == 0) return 16 * 16 * 2;
    __m512 x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f), a[16];
    for (int i = 0; i < 16; i++) a[i] = x;
    for (; rounds > 0; rounds--)
    {
#define STEP(i) __asm__ volatile("vfmadd231ps %1, %2, %0" : "+v"(a[i]) : "v"(x), "v"(y));
        CHAINS(STEP)
#undef STEP
    }
    CHAINS(KEEP)
    return 0;
}

__attribute__((target("avx512bf16,avx512f"))) long peak_bf16_512(long rounds)
{
    if (rounds == 0) return 16 * 16 * 4;
    __m512 x = _mm512_setzero_ps(), y = x, a[16];
    for (int i = 0; i < 16; i++) a[i] = x;
    for (; rounds > 0; rounds--)
    {
#define STEP(i) __asm__ volatile("vdpbf16ps %1, %2, %0" : "+v"(a[i]) : "v"(x), "v"(y));
        CHAINS(STEP)
#undef STEP
    }
    CHAINS(KEEP)
    return 0;
}

__attribute__((target("avx512vnni,avx512f"))) long peak_int8_512(long rounds)
{
    if (rounds == 0) return 16 * 16 * 8;
    __m512i x = _mm512_set1_epi8(3), y = x, a[16];
    for (int i = 0; i < 16; i++) a[i] = x;
    for (; rounds > 0; rounds--)
    {
#define STEP(i) __asm__ volatile("vpdpbusd %1, %2, %0" : "+v"(a[i]) : "v"(x), "v"(y));
        CHAINS(STEP)
#undef STEP
    }
    CHAINS(KEEP)
    return 0;
}

// Which of the above this processor can run: bits 0, 1, 2.
int peak_available(void)
{
    __builtin_cpu_init();
    return (__builtin_cpu_supports("avx512f") ? 1 : 0) | (__builtin_cpu_supports("avx512bf16") ? 2 : 0) | (__builtin_cpu_supports("avx512vnni") ? 4 : 0);
}
