// What all kernels share. `real` is float or double; the launcher defines it.

// Each i below n, spread over all threads of the launch, neighbours side by side.
#define FOR_EACH(i, n)                                                                \
    for (unsigned i = blockIdx.x * blockDim.x + threadIdx.x; i < (unsigned)(n);       \
         i += blockDim.x * gridDim.x)
