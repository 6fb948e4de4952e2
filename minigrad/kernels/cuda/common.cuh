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

// Each row below n, spread over the blocks; all threads of a block have the same.
#define FOR_EACH_ROW(row, n) for (unsigned row = blockIdx.x; row < (unsigned)(n); row += gridDim.x)

// The place along the fastest axis, of `size`, of element t; t is then the element's number in what
// remains of the axes. Called for one axis after the other, it undoes ((b * H + y) * W + x) * C + c.
__device__ __forceinline__ int take(unsigned& t, int size)
{
    int place = t % size;
    t /= size;
    return place;
}

// Call visit(u, v, y, x) for each window (y, x) that has the pixel (row, column) as its tap (u, v),
// taps in rising order: row = y*sh + u*dh - ph, column = x*sw + v*dw - pw.
template <class Visit>
__device__ __forceinline__ void windows_of(
    int row, int column, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw, int oh,
    int ow, Visit visit)
{
    for (int u = 0; u < kh; ++u) {
        int down = row + ph - u * dh;
        if (down < 0 || down % sh || down / sh >= oh) continue;
        for (int v = 0; v < kw; ++v) {
            int right = column + pw - v * dw;
            if (right < 0 || right % sw || right / sw >= ow) continue;
            visit(u, v, down / sh, right / sw);
        }
    }
}
