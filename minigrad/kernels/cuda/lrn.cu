// Local response normalisation across channels (paper, section 3.3), and its gradient. Arrays are
// rows of C channels; the channels of a group of the network are a row of their own.
//
//     s_i  = k + alpha * sum_j a_j^2              j from i - BEFORE to i + AFTER, inside the row
//     b_i  = a_i * s_i^-beta
//     da_i = g_i s_i^-beta - 2 alpha beta a_i * sum_j g_j a_j s_j^(-beta-1)
//                                                 j from i - AFTER to i + BEFORE: the mirrored window
//
// Forward reads a from memory once and writes b and, if `keep`, s; backward reads g, a and s once
// and writes da. A thread holds its channels and their neighbours in registers.
// Launch: a thread for each run of RUN channels, which move as one word of up to 16 bytes; n counts
// runs. WINDOW (the window's size) and RUN come from the launcher; RUN divides C. With RUN 4 the
// arrays begin at a multiple of 16 bytes.

constexpr int BEFORE = WINDOW / 2, AFTER = (WINDOW - 1) / 2;
constexpr int SIDE = (BEFORE + RUN - 1) / RUN;  // runs at each side of a thread's own
constexpr int OWN = SIDE * RUN;                 // its own begin here, in `held`
constexpr int HELD = OWN + RUN + OWN;

struct alignas(RUN == 1 ? sizeof(real) : 16) Run {
    real at[RUN];
};

// The channels of run i and of those around it; `outside` for what lies beyond the row.
__device__ __forceinline__ void load(
    real (&held)[HELD], const real* array, unsigned i, int runs, real outside)
{
    int place = i % runs;
#pragma unroll
    for (int r = -SIDE; r <= SIDE; ++r) {
        bool inside = place + r >= 0 && place + r < runs;
        Run run = inside ? reinterpret_cast<const Run*>(array)[i + r] : Run{};
#pragma unroll
        for (int c = 0; c < RUN; ++c) held[OWN + r * RUN + c] = inside ? run.at[c] : outside;
    }
}

__device__ __forceinline__ void store(real* array, unsigned i, const Run& run)
{
    reinterpret_cast<Run*>(array)[i] = run;
}

// s^-beta
__device__ __forceinline__ real lowered(real s, real beta)
{
    if (beta == real(0.75)) {
        real root = rsqrt(s);
        return root * sqrt(root);
    }
    return pow(s, -beta);
}

extern "C" __global__ void lrn_forward(
    real* __restrict__ b, real* __restrict__ scale, const real* __restrict__ a, int C, real k,
    real alpha, real beta, int keep, int n)
{
    FOR_EACH(i, n) {
        real held[HELD];
        load(held, a, i, C / RUN, 0);
        Run out, s;
#pragma unroll
        for (int c = 0; c < RUN; ++c) {
            real sum = 0;
#pragma unroll
            for (int j = OWN + c - BEFORE; j <= OWN + c + AFTER; ++j) sum += held[j] * held[j];
            s.at[c] = k + alpha * sum;
            out.at[c] = held[OWN + c] * lowered(s.at[c], beta);
        }
        store(b, i, out);
        if (keep) store(scale, i, s);
    }
}

extern "C" __global__ void lrn_backward(
    real* __restrict__ da, const real* __restrict__ g, const real* __restrict__ a,
    const real* __restrict__ s, int C, real alpha, real beta, int n)
{
    FOR_EACH(i, n) {
        real scaled[HELD], held[HELD], ratio[HELD];
        load(scaled, g, i, C / RUN, 0);
        load(held, a, i, C / RUN, 0);
        load(ratio, s, i, C / RUN, 1);
#pragma unroll
        for (int j = OWN - AFTER; j < OWN + RUN + BEFORE; ++j) {
            scaled[j] *= lowered(ratio[j], beta);       // g_j s_j^-beta
            ratio[j] = scaled[j] * held[j] / ratio[j];  // g_j a_j s_j^(-beta-1)
        }
        Run out;
#pragma unroll
        for (int c = 0; c < RUN; ++c) {
            real sum = 0;
#pragma unroll
            for (int j = OWN + c - AFTER; j <= OWN + c + BEFORE; ++j) sum += ratio[j];
            out.at[c] = scaled[OWN + c] - 2 * alpha * beta * held[OWN + c] * sum;
        }
        store(da, i, out);
    }
}
