// The bits of each number in bfloat16: float32's upper 16, rounded.
//
//     bits[i] = x[i] rounded to 8 significant bits, to nearest, ties to even
//
// Reads x once and writes half as many bytes once.
// Launch: a thread for each element.

extern "C" __global__ void bfloat16_bits(
    const real* __restrict__ x, bfloat16* __restrict__ bits, int n)
{
    FOR_EACH(i, n) bits[i] = bfloat16(x[i]);
}
