// Bias and ReLU behind a product, in place, and ReLU's gradient.
//
//     y_nc <- max(y_nc + bias_c, 0)               rows of C features; NaN stays NaN
//     out_i = g_i where y_i > 0, else 0
//
// Each array is read and written once: the array versions would cross y twice.
// Launch: a thread for each element.

extern "C" __global__ void bias_relu(
    real* __restrict__ y, const real* __restrict__ bias, int C, int has_bias, int relu, int n)
{
    FOR_EACH(i, n) {
        real value = has_bias ? y[i] + bias[i % C] : y[i];
        y[i] = relu && value < 0 ? real(0) : value;
    }
}

extern "C" __global__ void relu_backward(
    real* __restrict__ out, const real* __restrict__ g, const real* __restrict__ y, int n)
{
    FOR_EACH(i, n) out[i] = y[i] != 0 ? g[i] : real(0);
}
