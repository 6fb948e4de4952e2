// im2col and its adjoint on channels-last images (N, H, W, channels), one group of C channels from
// channel `first` on. `images` are not padded: what lies outside counts as 0.
//
//     col[(b, y, x), (u, v, c)] = images[b, y*sh + u*dh - ph, x*sw + v*dw - pw, first + c]
//
// im2col reads a pixel once from memory and then from the cache, and writes every element of col
// once, as an `element`: `real`, or float16 or bfloat16 if the launch defines that. col2im gathers:
// each pixel adds up the elements of col that were taken from it, always in the same order and
// without atomics; it reads col once and writes the images once. Its col is always `real`: it is a
// matrix product's result, which is float32, and would lose small gradients in 16 bits.
// Launch: a thread for each element of what is written, channels fastest, so that neighbouring
// threads touch neighbouring addresses.

#ifndef element
#define element real
#endif

extern "C" __global__ void im2col(
    const real* __restrict__ images, element* __restrict__ col, int H, int W, int channels,
    int first, int C, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw, int oh, int ow, int n)
{
    FOR_EACH(i, n) {
        unsigned t = i;
        int c = t % C; t /= C;
        int v = t % kw; t /= kw;
        int u = t % kh; t /= kh;
        int x = t % ow; t /= ow;
        int y = t % oh;
        int b = t / oh;
        int row = y * sh + u * dh - ph, column = x * sw + v * dw - pw;
        bool inside = row >= 0 && row < H && column >= 0 && column < W;
        col[i] = element(
            inside ? images[((b * H + row) * W + column) * channels + first + c] : real(0));
    }
}

extern "C" __global__ void col2im(
    real* __restrict__ images, const real* __restrict__ col, int H, int W, int channels, int first,
    int C, int kh, int kw, int sh, int sw, int ph, int pw, int dh, int dw, int oh, int ow, int n)
{
    FOR_EACH(i, n) {
        unsigned t = i;
        int c = t % C; t /= C;
        int column = t % W; t /= W;
        int row = t % H;
        int b = t / H;
        real sum = 0;
        for (int u = 0; u < kh; ++u) {
            int down = row + ph - u * dh;  // = y * sh for the window row y that has this pixel at u
            if (down < 0 || down % sh || down / sh >= oh) continue;
            for (int v = 0; v < kw; ++v) {
                int right = column + pw - v * dw;
                if (right < 0 || right % sw || right / sw >= ow) continue;
                int window = (b * oh + down / sh) * ow + right / sw;
                sum += col[((window * kh + u) * kw + v) * C + c];
            }
        }
        images[((b * H + row) * W + column) * channels + first + c] = sum;
    }
}
