// Softmax over rows of C classes, its logarithm, and cross-entropy with label smoothing e.
//
//     p_i    = exp(x_i - m) / sum_j exp(x_j - m)            m = max_j x_j
//     loss   = -sum_i t_i log p_i                           t = (1 - e) one-hot(label) + e / C
//     dx_i   = g (p_i - t_i)
//
// Forward reads x from memory once (twice more from the cache) and writes one array of its size;
// backward reads log p once and writes dx once. A label out of range makes the loss NaN; backward
// takes it modulo C.
// Launch: forward has a block for each row, whose threads share the row's maximum and sum through
// shared memory; its threads are a power of two. Backward has a thread for each element.

// What `combine` makes of the values of all threads of the block. In a fixed order.
template <class Combine>
__device__ __forceinline__ real over_block(real value, Combine combine)
{
    __shared__ real values[1024];  // the most threads that a block can have
    values[threadIdx.x] = value;
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            values[threadIdx.x] = combine(values[threadIdx.x], values[threadIdx.x + half]);
    }
    __syncthreads();
    real all = values[0];
    __syncthreads();  // all have read it before the next call writes
    return all;
}

__device__ __forceinline__ real block_sum(real value)
{
    return over_block(value, [](real a, real b) { return a + b; });
}

__device__ __forceinline__ real row_max(const real* x, int C)
{
    real largest = x[0];
    for (int i = threadIdx.x; i < C; i += blockDim.x) largest = max(largest, x[i]);
    return over_block(largest, [](real a, real b) { return max(a, b); });
}

// sum_i exp(x_i - m)
__device__ __forceinline__ real row_sum(const real* x, int C, real m)
{
    real sum = 0;
    for (int i = threadIdx.x; i < C; i += blockDim.x) sum += exp(x[i] - m);
    return block_sum(sum);
}

// out_i = log p_i; returns this thread's share of their sum.
__device__ __forceinline__ real row_log_softmax(real* out, const real* x, int C)
{
    real m = row_max(x, C), log_sum = log(row_sum(x, C, m)), share = 0;
    for (int i = threadIdx.x; i < C; i += blockDim.x) {
        out[i] = x[i] - m - log_sum;
        share += out[i];
    }
    return share;
}

extern "C" __global__ void softmax(real* __restrict__ y, const real* __restrict__ x, int C, int n)
{
    FOR_EACH_ROW(row, n) {
        const real* from = x + row * C;
        real m = row_max(from, C), sum = row_sum(from, C, m);
        for (int i = threadIdx.x; i < C; i += blockDim.x) y[row * C + i] = exp(from[i] - m) / sum;
    }
}

extern "C" __global__ void log_softmax(
    real* __restrict__ y, const real* __restrict__ x, int C, int n)
{
    FOR_EACH_ROW(row, n) row_log_softmax(y + row * C, x + row * C, C);
}

extern "C" __global__ void cross_entropy(
    real* __restrict__ loss, real* __restrict__ log_p, const real* __restrict__ x,
    const long long* __restrict__ labels, real smoothing, int C, int n)
{
    FOR_EACH_ROW(row, n) {
        real share = row_log_softmax(log_p + row * C, x + row * C, C);
        real sum = smoothing > 0 ? block_sum(share) : real(0);
        __syncthreads();  // log_p of this row is there for the thread that picks one of it
        if (threadIdx.x == 0) {
            long long label = labels[row];
            real picked = label >= 0 && label < C ? log_p[row * C + label] : real(nan(""));
            loss[row] = -(1 - smoothing) * picked - smoothing / C * sum;
        }
    }
}

extern "C" __global__ void cross_entropy_backward(
    real* __restrict__ dx, const real* __restrict__ g, const real* __restrict__ log_p,
    const long long* __restrict__ labels, real smoothing, int C, int n)
{
    FOR_EACH(i, n) {
        unsigned row = i;
        int c = take(row, C);
        int label = ((int)(labels[row] % C) + C) % C;
        real target = smoothing / C + (c == label ? 1 - smoothing : real(0));
        dx[i] = g[row] * (exp(log_p[i]) - target);
    }
}
