// A step of stochastic gradient descent with momentum, in PyTorch's form and in the paper's.
//
//     torch:  g' = sign g + decay w;  v <- momentum v + (1 - dampening) g'
//             w <- w - lr (nesterov ? g' + momentum v : v)          (g' for v without momentum)
//     paper:  v <- momentum v - decay lr w - sign lr g;  w <- w + v
//
// w, g and v are read once, w and v written once: five arrays' bytes a step, where one operation
// after the other would move about fifteen.
// Launch: a thread for each element, in memory order.

extern "C" __global__ void torch_rule(
    real* __restrict__ w, const real* __restrict__ g, real* __restrict__ v, int has_v, real lr,
    real momentum, real decay, real undampened, real sign, int nesterov, int n)
{
    FOR_EACH(i, n) {
        real step = sign * g[i] + decay * w[i];
        if (has_v) {
            real velocity = momentum * v[i] + undampened * step;
            v[i] = velocity;
            step = nesterov ? step + momentum * velocity : velocity;
        }
        w[i] -= lr * step;
    }
}

extern "C" __global__ void paper_rule(
    real* __restrict__ w, const real* __restrict__ g, real* __restrict__ v, int has_v, real lr,
    real momentum, real decay, real sign, int n)
{
    FOR_EACH(i, n) {
        real velocity = (has_v ? momentum * v[i] : real(0)) - decay * lr * w[i] - sign * lr * g[i];
        if (has_v) v[i] = velocity;
        w[i] += velocity;
    }
}
