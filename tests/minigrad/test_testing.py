"""`minigrad.testing` as a stranger uses it, with kernels of their own."""

import importlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest

import alexnet_scratch
import minigrad as mg
from minigrad import _moved, arrays
from minigrad.cuda import device
from minigrad.kernels.cuda import SWITCH
from minigrad.testing import cuda_on_cpu, cupy_memory_on_cpu, launch, orders

compiled = pytest.mark.skipif(
    mg.testing.problem() is not None, reason="no C++ compiler (g++, clang++)"
)
SAXPY = """
extern "C" __global__ void saxpy(float* y, const float* x, float a, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;  // of (all) elements
    if (i < n) y[i] += a * x[i];
}
"""
BLOCK_SUM = """
#define BLOCK 64
extern "C" __global__ void block_sum(double* sums, const double* x, int n)
{
    __shared__ double part[BLOCK];
    int t = threadIdx.x, i = blockIdx.x * blockDim.x + t;
    part[t] = i < n ? x[i] : 0;
    __syncthreads();
    for (int step = BLOCK / 2; step > 0; step /= 2) {
        if (t < step) part[t] += part[t + step];
        __syncthreads();
    }
    if (t == 0) sums[blockIdx.x] = part[0];
}
"""
TOTAL = """
extern "C" __global__ void total(NUMBER* sum, const NUMBER* x, int n)
{
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) ADD;
}
"""
ATOMIC, PLAIN = ({"NUMBER": "float", "ADD": add} for add in ("atomicAdd(sum,x[i])", "*sum+=x[i]"))
X = np.random.default_rng(0).standard_normal(1000).astype("f4")


def saxpy(*args, source=SAXPY, kernel="saxpy", **options):
    y = np.ones_like(X)
    mg.testing.run_cuda(source, kernel, X.size, y, *args, **options)
    return y


@compiled
@pytest.mark.parametrize("order", ["forward", "reversed", "shuffled"])
def test_a_kernel_of_ones_own_runs_in_place(order):
    np.testing.assert_array_equal(saxpy(X, 0.5, order=order), 1 + np.float32(0.5) * X)
    assert cuda_on_cpu.order == "forward"


@compiled
def test_a_sum_over_blocks_waits_at_its_barriers():
    x = X.astype("f8")
    sums = np.zeros(16)
    mg.testing.run_cuda(BLOCK_SUM, "block_sum", x.size, sums, x, block=64)
    np.testing.assert_allclose(sums, np.resize(np.append(x, np.zeros(24)), (16, 64)).sum(1))
    assert mg.testing.check_orders(BLOCK_SUM, "block_sum", 90, sums, x, block=64, races=False).agree


@compiled
def test_a_barrier_that_some_threads_miss_is_an_error():
    wrong = BLOCK_SUM.replace("if (t < step) part[t]", "if (t < step) __syncthreads(), part[t]")
    with pytest.raises(RuntimeError, match=r"only some threads .* kernels.cu:1\d "):
        mg.testing.run_cuda(wrong, "block_sum", 90, np.zeros(2), np.zeros(90), block=64)


@compiled
def test_an_order_shows_a_missing_barrier():
    first = "x[i] : 0;\n    __syncthreads();"
    assert BLOCK_SUM.count(first) == 1
    hasty = BLOCK_SUM.replace(first, first.partition("\n")[0])
    args = (np.zeros(2), X.astype("f8"))
    found = mg.testing.check_orders(hasty, "block_sum", 90, *args, block=64, races=False)
    assert not found.agree
    assert found.difference.startswith("`double* sums` at [")
    assert not args[0].any(), "it runs on copies"
    assert found.not_looked_for == "not asked for"


@compiled
def test_sums_in_another_order_are_near():
    args = (TOTAL, "total", X.size, np.zeros(1, "f4"), abs(X))
    exact = mg.testing.check_orders(*args, defines=ATOMIC, races=False)
    assert exact.difference.startswith("`NUMBER* sum` at [0]: ")
    assert mg.testing.check_orders(*args, defines=ATOMIC, races=False, rtol=1e-4).agree


needs_sanitizer = pytest.mark.skipif(
    cuda_on_cpu.COMPILER is None or orders.sanitizer_runtime("thread") is None,
    reason="no C++ compiler with a thread sanitizer",
)


@pytest.mark.slow
@needs_sanitizer
def test_a_race_that_no_order_shows_is_found():
    """Threads of one block, or of two, add to one place, as whole numbers: no order shows it."""
    args = (np.zeros(1, "i4"), np.ones(300, "i4"))
    for n in (2, 300):
        racy = mg.testing.check_orders(
            TOTAL, "total", n, *args, defines={**PLAIN, "NUMBER": "int"}, file="mine.cu"
        )
        assert racy.difference is None
        assert not racy.agree
        assert "mine.cu:5 (if (i < n) ADD;)" in racy.race
    atomic = {**ATOMIC, "NUMBER": "int"}
    assert mg.testing.check_orders(TOTAL, "total", 300, *args, defines=atomic).agree


@pytest.mark.slow
@needs_sanitizer
def test_the_sanitizer_sees_a_missing_barrier():
    args = (np.zeros(2), X.astype("f8"))
    right = mg.testing.check_orders(BLOCK_SUM, "block_sum", 90, *args, block=64)
    assert (right.agree, right.not_looked_for) == (True, None)
    last = "        __syncthreads();\n    }"
    assert BLOCK_SUM.count(last) == 1
    wrong = BLOCK_SUM.replace(last, "    }")
    assert "part[t]" in mg.testing.check_orders(wrong, "block_sum", 90, *args, block=64).race


@compiled
def test_without_a_sanitizer_it_says_that_nobody_looked(monkeypatch):
    monkeypatch.setattr(orders, "sanitizer_runtime", lambda name: None)
    found = mg.testing.check_orders(SAXPY, "saxpy", 4, np.ones(4, "f4"), X, 2.0)
    assert (found.agree, found.not_looked_for) == (
        True, "the C++ compiler has no thread sanitizer",
    )  # fmt: skip


# ----- what is refused -----


@compiled
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ((X,), "takes 4 arguments; it was given 3: 2 by you"),
        ((X.astype("f8"), 1.0), "for `const float* x` expected an array of float32"),
        ((X, 1), "for `float a` expected a float, got an int"),
        ((0.5, 1.0), "expected an array of float32, got a float"),
    ],
)
def test_wrong_arguments_are_refused(args, words):
    with pytest.raises(TypeError, match=re.escape(words)):
        saxpy(*args)


@compiled
def test_numbers_have_the_types_of_their_parameters():
    source = SAXPY.replace("float a", "double a, long long b, short c").replace("a * x", "a*b*c*x")
    np.testing.assert_array_equal(saxpy(X, 0.5, 2**40, 0, source=source), np.ones_like(X))
    given = saxpy(X, 2.0**-41, 2**40, 4, source=source)
    np.testing.assert_array_equal(given, (1 + 2 * X.astype("f8")).astype("f4"))


@compiled
def test_an_array_with_gaps_is_refused_and_a_read_only_one_stays():
    with pytest.raises(ValueError, match="gaps"):
        saxpy(np.repeat(X, 2)[::2], 1.0)
    y = np.ones_like(X)
    y.flags.writeable = False
    mg.testing.run_cuda(SAXPY, "saxpy", X.size, y, X, 1.0)
    assert (y == 1).all()


@compiled
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("x[i]", "z[i]", "mine.cu:5:"),
        ('"C"', "", "which has none"),
        ("void saxpy", "void axpy", "no kernel 'saxpy' in the source, which has axpy"),
        (";\n}", ";\n", "is a bracket still open?"),
    ],
)
def test_what_does_not_compile_is_told_in_the_source_s_lines(old, new, words):
    source = SAXPY.replace(old, new)
    with pytest.raises(ValueError, match=re.escape(words)):
        saxpy(X, 1.0, source=source, header="// two\n// lines\n", file="mine.cu")


def test_an_order_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="order='random'"):
        saxpy(X, 1.0, order="random")


def test_without_a_compiler_it_says_so(monkeypatch):
    monkeypatch.setattr(cuda_on_cpu, "COMPILER", None)
    launch.problem.cache_clear()
    try:
        assert "needs a C++ compiler" in mg.testing.problem()
        with pytest.raises(RuntimeError, match="needs a C\\+\\+ compiler"):
            saxpy(X, 1.0)
    finally:
        launch.problem.cache_clear()


# ----- the stand-in -----


def test_device_cuda_works_inside_and_only_there(monkeypatch):
    monkeypatch.setenv(SWITCH, "on")
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    before = device.why_not()
    pool = cupy_memory_on_cpu.pool
    kept = pool.hooks, pool.allocator, pool.get_limit()
    with mg.testing.stand_in_for_cupy() as cupy:
        assert sys.modules["cupy"] is cupy
        assert os.environ[SWITCH] == "off"
        x = mg.ones(2, 3, device="cuda", requires_grad=True)
        (x * x).sum().backward()
        assert x.grad.device == "cuda:0"
        assert x.grad.cpu().numpy().tolist() == [[2] * 3] * 2
        mg.cuda.set_memory_limit("1G")
        with pytest.raises(TypeError, match="host array"):
            x.data + np.ones(3)
        with pytest.raises(AttributeError, match="has no 'no_such'"):
            cupy.no_such  # noqa: B018
    assert "cupy" not in sys.modules
    assert os.environ[SWITCH] == "on"
    assert kept == (pool.hooks, pool.allocator, pool.get_limit())
    assert device.why_not() == before


def test_an_error_inside_restores_what_was_there(monkeypatch):
    other = object()
    monkeypatch.setitem(sys.modules, "cupy", other)
    monkeypatch.delenv(SWITCH, raising=False)
    with pytest.raises(ZeroDivisionError), mg.testing.stand_in_for_cupy(kernels="on"):
        1 / len(os.environ[SWITCH].removeprefix("on"))
    assert sys.modules["cupy"] is other
    assert SWITCH not in os.environ
    assert not arrays.require_cupy.cache_info().currsize
    with (
        pytest.raises(ValueError, match="kernels='yes'"),
        mg.testing.stand_in_for_cupy(kernels="yes"),
    ):
        pass


@compiled
def test_the_cuda_kernels_run_on_the_stand_in():
    x = mg.randn(3, 5)
    with mg.testing.stand_in_for_cupy(kernels="on"):
        there = mg.relu(x.to("cuda")).cpu()
    np.testing.assert_array_equal(there.numpy(), mg.relu(x).numpy())


# ----- `import minigrad` -----


def test_importing_minigrad_brings_no_testing():
    code = "import minigrad, sys; print('minigrad.testing' in sys.modules, minigrad.testing)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("False <module 'minigrad.testing'")
    with pytest.raises(AttributeError, match="minigrad has no 'no_such'"):
        mg.no_such  # noqa: B018


MOVED = _moved.MOVED | alexnet_scratch._moved.MOVED


@pytest.mark.parametrize("old", MOVED)
def test_an_old_path_names_the_new_one(old):
    said = re.escape(f"{old} is now {MOVED[old]}")
    with pytest.raises(ModuleNotFoundError, match=said):
        importlib.import_module(old)
    with pytest.raises(ModuleNotFoundError, match=said):
        importlib.import_module(f"{old}.anything")
    package, _, name = old.rpartition(".")
    if not hasattr(importlib.import_module(package), name):  # `minigrad.tensor` is a function, too
        with pytest.raises(ModuleNotFoundError, match=said):
            exec(f"from {package} import {name}")
    new, *others = re.findall(r"(?:minigrad|alexnet_\w+)[.\w]*", MOVED[old])
    for module in (new, *others):
        importlib.import_module(module)


def test_an_old_attribute_names_the_new_module():
    with pytest.raises(AttributeError, match=r"minigrad.autograd is now minigrad.core \("):
        mg.autograd  # noqa: B018
