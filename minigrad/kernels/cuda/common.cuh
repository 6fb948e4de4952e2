// What all kernels share. `real` is float or double; the launcher defines it.

// Each i below n, spread over all threads of the launch, neighbours side by side.
#define FOR_EACH(i, n)                                                                \
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)(n);       \
         i += blockDim.x * gridDim.x)

// The 16-bit types, to store: a number is rounded to nearest, ties to even.
struct float16 {
    unsigned short bits;
    __device__ explicit float16(float x)
    {
#ifdef __CUDA_ARCH__
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
#else
        bits = float16_bits(x);
#endif
    }
};

struct bfloat16 {
    unsigned short bits;
    __device__ explicit bfloat16(float x)
    {
        union { float number; unsigned bits; } u = {x};
        bits = x == x ? (u.bits + 0x7fff + (u.bits >> 16 & 1)) >> 16 : 0x7fc0;
    }
};
