// uint8 crops (N, size, size, 3) to what the network gets, less the mean at the place of each crop.
//
//     x = (pixel - mean + shift_bc) * factor * scale_c            (shift and scale where there are)
//
// places (N, 3): rows above a crop, columns left of it, is it mirrored? The mean has `stride`
// numbers in a row; 0 for a mean that is one row, the same for all.
// A pixel is read once, as a byte, and written once, as a float; the mean comes from the cache.
// Launch: a thread for each number.

extern "C" __global__ void to_float(
    real* __restrict__ x, const unsigned char* __restrict__ pixels, const real* __restrict__ mean,
    int stride, const int* __restrict__ places, const real* __restrict__ shift, int has_shift,
    real factor, const real* __restrict__ scale, int has_scale, int size, int n)
{
    FOR_EACH(i, n) {
        unsigned t = i;
        int c = take(t, 3), column = take(t, size), row = take(t, size), b = t;
        int top = places[3 * b], left = places[3 * b + 1], mirrored = places[3 * b + 2];
        int across = mirrored ? size - 1 - column : column;
        real value = pixels[i] - mean[(top + row) * stride + (left + across) * 3 + c];
        if (has_shift) value = (value + shift[3 * b + c]) * factor;
        x[i] = has_scale ? value * scale[c] : value;
    }
}
