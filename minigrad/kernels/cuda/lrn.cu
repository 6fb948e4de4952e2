// Local response normalisation across channels (paper, section 3.3), and its gradient. Arrays are
// rows of C channels; the channels of a group of the network are a row of their own.
//
//     s_i  = k + alpha * sum_j a_j^2              j from i - before to i + after, inside the row
//     b_i  = a_i * s_i^-beta
//     da_i = g_i s_i^-beta - 2 alpha beta a_i * sum_j g_j a_j s_j^(-beta-1)
//                                                 j from i - after to i + before: the mirrored window
//
// The window's neighbours come from the cache: forward reads a from memory once and writes b and,
// if `keep`, s; backward reads g, a and s once and writes da.
// Launch: a thread for each element; channels are neighbours.

__device__ __forceinline__ real power(real s, real beta)
{
    if (beta == real(0.75)) {
        real root = sqrt(s);
        return root * sqrt(root);
    }
    return pow(s, beta);
}

extern "C" __global__ void lrn_forward(
    real* __restrict__ b, real* __restrict__ scale, const real* __restrict__ a, int C, int before,
    int after, real k, real alpha, real beta, int keep, int n)
{
    FOR_EACH(i, n) {
        int c = i % C;
        const real* row = a + (i - c);
        int low = max(c - before, 0), high = min(c + after, C - 1);
        real sum = 0;
        for (int j = low; j <= high; ++j) sum += row[j] * row[j];
        real s = k + alpha * sum;
        b[i] = a[i] / power(s, beta);
        if (keep) scale[i] = s;
    }
}

extern "C" __global__ void lrn_backward(
    real* __restrict__ da, const real* __restrict__ g, const real* __restrict__ a,
    const real* __restrict__ s, int C, int before, int after, real alpha, real beta, int n)
{
    FOR_EACH(i, n) {
        int c = i % C;
        unsigned row = i - c;
        int low = max(c - after, 0), high = min(c + before, C - 1);
        real sum = 0;
        for (unsigned j = row + low; j <= row + high; ++j)
            sum += g[j] * a[j] / (power(s[j], beta) * s[j]);
        da[i] = g[i] / power(s[i], beta) - 2 * alpha * beta * a[i] * sum;
    }
}
