"""The shim's barriers, in kernels of a few lines."""

import numpy as np
import pytest

from minigrad.testing import cuda_on_cpu as emulate

pytestmark = pytest.mark.skipif(
    emulate.COMPILER is None, reason="no GPU, and no C++ compiler (g++, clang++) to do without"
)

# In a round, each thread hands its number to the one opposite.
TURN = """
extern "C" __global__ void turn(int* out, int rounds)
{
    __shared__ int values[64];
    unsigned i = threadIdx.x, opposite = blockDim.x - 1 - i;
    int value = blockIdx.x * blockDim.x + i;
    for (int r = 0; r < rounds; ++r) {
        values[i] = value;
        __syncthreads();
        value = values[opposite];
        __syncthreads();
    }
    out[blockIdx.x * blockDim.x + i] = value;
}
"""
FIRST, SECOND = (
    f"        {line}\n        __syncthreads();\n"
    for line in ("values[i] = value;", "value = values[opposite];")
)


def turned(cupy, code=TURN, rounds=1, blocks=3, threads=64):
    """What the kernel writes: (blocks, threads)."""
    out = cupy.zeros((blocks, threads), np.int32)
    turn = emulate.RawModule(code).get_function("turn")
    turn((blocks,), (threads,), (out, np.int32(rounds)))
    return out.get()


@pytest.mark.parametrize("order", emulate.ORDERS)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_barrier_waits_for_all_threads_of_the_block(cupy, monkeypatch, order, workers):
    monkeypatch.setattr(emulate, "order", order)
    monkeypatch.setattr(emulate, "workers", workers)
    numbers = np.arange(3 * 64).reshape(3, 64)
    np.testing.assert_array_equal(turned(cupy), numbers[:, ::-1])
    np.testing.assert_array_equal(turned(cupy, rounds=2), numbers)


def test_without_the_barrier_the_order_shows(cupy, monkeypatch):
    assert TURN.count(FIRST) == 1
    hasty = TURN.replace(FIRST, FIRST.partition("\n")[0])
    results = []
    for order in emulate.ORDERS:
        monkeypatch.setattr(emulate, "order", order)
        results.append(turned(cupy, hasty))
    assert not (results[0] == results[1]).all()


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (SECOND, SECOND.replace("__sync", "if (i < 32) __sync")),  # the others finish
        (SECOND, SECOND.replace("__sync", "if (i == 7) return;\n __sync")),  # one has left
        (
            FIRST,
            FIRST.replace("__sync", "if (i == 0) __syncthreads(); else\n __sync"),
        ),  # two
    ],
)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_barrier_that_some_threads_miss_is_an_error(cupy, monkeypatch, right, wrong, workers):
    monkeypatch.setattr(emulate, "workers", workers)
    assert TURN.count(right) == 1
    with pytest.raises(RuntimeError, match=r"turn: only some threads .* kernels.cu:\d+ .*__sync"):
        turned(cupy, TURN.replace(right, wrong))
