// A step of stochastic gradient descent with momentum for many parameters, in PyTorch's form and in
// the paper's, which are one formula with different numbers:
//
//     d = sign g + decay w
//     v <- momentum v + gain d
//     w <- w - rate (nesterov ? d + momentum v : v)           (d for v where there is no velocity)
//
//     torch:  gain = 1 - dampening, rate = lr
//     paper:  gain = -lr, rate = -1, so that w <- w + v; without velocity rate = lr
//
// w, g and v are read once, w and v written once: five arrays' bytes a step, where one operation
// after the other would move about fifteen.
// Launch: a thread for each element of all parameters, one parameter after the other, in memory
// order. The table travels with the launch: no copy to the device, nothing to wait for.

struct Row {
    real* w;
    const real* g;
    real* v;  // or null
    unsigned end;  // elements of all rows up to this one
    int nesterov;
    real sign, decay, momentum, gain, rate;
};

struct Table {  // as in sgd.py beside
    Row rows[ROWS];
};

extern "C" __global__ void sgd(const Table table, int n)
{
    int r = 0;
    unsigned begin = 0;
    FOR_EACH(i, n) {
        while (i >= table.rows[r].end) begin = table.rows[r++].end;
        const Row& row = table.rows[r];
        unsigned e = i - begin;
        real w = row.w[e], d = row.sign * row.g[e] + row.decay * w;
        if (row.v) {
            real v = row.momentum * row.v[e] + row.gain * d;
            row.v[e] = v;
            d = row.nesterov ? d + row.momentum * v : v;
        }
        row.w[e] = w - row.rate * d;
    }
}
