// Max-pooling over (overlapping) windows of channels-last maps (N, H, W, C), and its gradient.
//
//     y[b, i, j, c] = max over (u, v) of x[b, i*sh + u*dh - ph, j*sw + v*dw - pw, c]
//
// Padding counts as minus infinity; of equal values the first wins; a NaN makes its windows NaN.
// won[...] = u*kw + v, one byte (two for more than 256 taps), is all that backward needs.
// Forward reads x from memory once (overlaps come from the cache) and writes y and won once.
// Backward gathers: each pixel adds up the gradients of the windows it won, in the order of the
// taps, without atomics; it reads dy and won once and writes dx once.
// Launch: a thread for each element of y, or of dx; channels fastest.

template <class Number>
__device__ __forceinline__ void forward(
    real* y, Number* won, const real* x, int H, int W, int C, int kh, int kw, int sh, int sw,
    int ph, int pw, int dh, int dw, int oh, int ow, int keep, int n)
{
    FOR_EACH(i, n) {
        unsigned t = i;
        int c = take(t, C), right = take(t, ow) * sw - pw, down = take(t, oh) * sh - ph, b = t;
        real best = 0;
        int winner = -1;
        for (int u = 0; u < kh; ++u) {
            int row = down + u * dh;
            if (row < 0 || row >= H) continue;
            for (int v = 0; v < kw; ++v) {
                int column = right + v * dw;
                if (column < 0 || column >= W) continue;
                real value = x[((b * H + row) * W + column) * C + c];
                if (winner < 0 || value > best || value != value) {
                    best = value;
                    winner = u * kw + v;
                }
            }
        }
        y[i] = best;
        if (keep) won[i] = winner;
    }
}

template <class Number>
__device__ __forceinline__ void backward(
    real* dx, const real* dy, const Number* won, int H, int W, int C, int kh, int kw, int sh,
    int sw, int ph, int pw, int dh, int dw, int oh, int ow, int n)
{
    FOR_EACH(i, n) {
        unsigned t = i;
        int c = take(t, C), column = take(t, W), row = take(t, H), b = t;
        real sum = 0;
        windows_of(row, column, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, [&](int u, int v, int y, int x) {
            int window = ((b * oh + y) * ow + x) * C + c;
            if (won[window] == u * kw + v) sum += dy[window];
        });
        dx[i] = sum;
    }
}

#define KERNELS(Number, bits)                                                                     \
    extern "C" __global__ void max_forward##bits(                                                 \
        real* __restrict__ y, Number* __restrict__ won, const real* __restrict__ x, int H, int W, \
        int C, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw, int oh, int ow,    \
        int keep, int n)                                                                          \
    { forward(y, won, x, H, W, C, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, keep, n); }             \
    extern "C" __global__ void max_backward##bits(                                                \
        real* __restrict__ dx, const real* __restrict__ dy, const Number* __restrict__ won,       \
        int H, int W, int C, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw,      \
        int oh, int ow, int n)                                                                    \
    { backward(dx, dy, won, H, W, C, kh, kw, sh, sw, ph, pw, dh, dw, oh, ow, n); }

KERNELS(unsigned char, 8)
KERNELS(unsigned short, 16)
