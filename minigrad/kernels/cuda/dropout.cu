// Dropout from counter-based bits, the same as on the CPU: Threefry-2x32 with 20 rounds encrypts the
// counter (i, stream) under the key (low, high); its two words decide on elements i and half + i.
//
//     y_e = x_e * factor where bits_e >= threshold, else x_e * 0
//
// x is read once and y written once; the bits live in registers, no mask is stored.
// Launch: a thread for each pair of elements.

__device__ __forceinline__ unsigned rotate(unsigned word, int by)
{
    return word << by | word >> (32 - by);
}

__device__ __forceinline__ void threefry(unsigned low, unsigned high, unsigned& a, unsigned& b)
{
    const int rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const unsigned keys[3] = {low, high, low ^ high ^ 0x1BD11BDAu};
    a += keys[0];
    b += keys[1];
    for (int group = 0; group < 5; ++group) {
        for (int round = 0; round < 4; ++round) {
            a += b;
            b = rotate(b, rotations[group % 2 * 4 + round]) ^ a;
        }
        a += keys[(group + 1) % 3];
        b += keys[(group + 2) % 3] + group + 1;
    }
}

extern "C" __global__ void dropout(
    real* __restrict__ y, const real* __restrict__ x, unsigned low, unsigned high, unsigned stream,
    unsigned threshold, real factor, int size, int half)
{
    FOR_EACH(i, half) {
        unsigned a = i, b = stream, other = half + i;
        threefry(low, high, a, b);
        y[i] = x[i] * (a >= threshold ? factor : real(0));
        if (other < (unsigned)size) y[other] = x[other] * (b >= threshold ? factor : real(0));
    }
}
