"""The kernels of notebook 16, on the emulation, and the GPU that is none."""

import re
import sys

import numpy as np
import pytest

import alexnet_scratch.pixels  # noqa: F401  (its kernels are held to the same)
import minigrad as mg
from alexnet_course import emulation
from minigrad.cuda import device
from minigrad.kernels import cuda
from minigrad.kernels.activation import relu_backward
from minigrad.testing import cuda_on_cpu, problem, signature

emulated = pytest.mark.skipif(problem() is not None, reason="no C++ compiler (g++, clang++)")
G, Y = (np.random.default_rng(s).standard_normal((3, 700)).astype("f4") for s in (0, 1))


def test_excerpts_are_lines_of_the_source():
    assert emulation.excerpt("activation", "out[i] =", "}").splitlines()[1] == "}"


@emulated
@pytest.mark.parametrize("order", [None, "forward", "reversed", "shuffled"])
def test_a_kernel_runs_in_every_order(order):
    out = emulation.run("activation.relu_backward", Y.size, np.empty_like(G), G, Y, order=order)
    assert emulation.same(out, relu_backward(G, Y)) is True
    assert emulation.near(out, relu_backward(G, Y) + np.float32(1e-7), 1e-6) is True
    assert emulation.near(out, 2 * relu_backward(G, Y), 1e-6) is False


@emulated
def test_an_edit_and_a_source_of_ones_own_run():
    edit = ("real(0);\n}", "real(7);\n}")
    y = np.maximum(Y, 0)
    out = emulation.run("activation.relu_backward", Y.size, np.empty_like(G), G, y, edit=edit)
    assert emulation.same(out, np.where(Y > 0, G, np.float32(7))) is True
    code = (
        'extern "C" __global__ void f(real* x, real add, int n) { FOR_EACH(i, n) x[i] = i + add; }'
    )
    assert emulation.run("own.f", 3, np.zeros(3, "f4"), 0.5, code=code).tolist() == [0.5, 1.5, 2.5]
    with pytest.raises(ValueError, match="0 times"):
        emulation.run("own.f", 3, np.zeros(3, "f4"), 0.5, code=code, edit=("no such", ""))


def test_what_is_no_memory_and_no_file_is_named():
    with pytest.raises(ValueError, match="ascontiguousarray"):
        emulation.run("activation.relu_backward", 3, G[:, ::2], G, Y)
    with pytest.raises(TypeError, match="no lists"):
        emulation.run("activation.relu_backward", 3, G, [1.0], Y)
    with pytest.raises(ValueError, match="there are activation"):
        emulation.run("activations.relu_backward", 3, G, G, Y)


SCATTER = """
extern "C" __global__ void scatter(real* x, const real* g, const int* place, int n)
{
    FOR_EACH(i, n) atomicAdd(&x[place[i]], g[i]);
}
"""
PLACES = np.array([0, 1, 0], "i4")


def scatter(*args, kernel="own.scatter", code=SCATTER, **options):
    return emulation.run(kernel, 3, np.zeros(2, "f4"), *args, code=code, **options)


@emulated
def test_an_atomic_addition_runs():
    assert scatter(np.ones(3, "f4"), PLACES, order="reversed").tolist() == [2, 1]


@emulated
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([np.ones(3, "f4")], "takes 4 arguments; it was given 3: 2 by you"),
        ([np.ones(3, "f4"), PLACES, 3], "it was given 5: 4 by you"),
        ([np.ones(3, "f4"), PLACES.astype("i8")], "int32, got an array of int64"),
        ([np.ones(3), PLACES], "float32, got an array of float64"),
        ([np.ones(3, "f4"), 7], "`const int* place` expected an array of int32, got an int"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args, words):
    with pytest.raises(TypeError, match=re.escape(words)):
        scatter(*args)


@emulated
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("g[i]", "h[i]", "own.cu:4:"),
        ("(i, n)", "(i, n", "error: unterminated"),
        (";\n}", ";\n", "does not compile"),
        ('"C"', "", "which has none"),
        ("void scatter", "void scatters", "no kernel 'scatter' in the source, which has scatters"),
    ],
)
def test_what_does_not_compile_is_told_in_its_own_lines(old, new, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        scatter(np.ones(3, "f4"), PLACES, code=SCATTER.replace(old, new))


def test_an_order_that_there_is_not_is_refused():
    with pytest.raises(ValueError, match="order='random'"):
        scatter(np.ones(3, "f4"), PLACES, order="random")


@emulated
def test_the_parameters_of_every_kernel_are_found():
    for file in cuda.sources():
        text = cuda.source(file)
        for kernel in cuda_on_cpu.kernel_names(text):
            assert signature.parameters_of(text, kernel)[-1] in ("int n", "int half")
    text = cuda.source("pool")
    with pytest.raises(
        TypeError, match="for `real\\* __restrict__ dx` expected an array of float32"
    ):
        signature.check(text, "max_backward8", [np.zeros(1)] * 17)
    arrays = [np.zeros(1, "f4")] * 3
    with pytest.raises(TypeError, match="for `real k` expected a float, got an int"):
        signature.check(cuda.source("lrn"), "lrn_forward", [*arrays, 96, 2, 0.1, 0.75, 0, 1])


@pytest.mark.parametrize("missing", ["compiler", "working compiler"])
def test_without_the_emulation_it_says_so(monkeypatch, capsys, missing):
    monkeypatch.setattr(device, "is_available", lambda: False)
    if missing == "compiler":
        monkeypatch.setattr(cuda_on_cpu, "COMPILER", None)
    else:
        monkeypatch.setattr(cuda_on_cpu, "COMPILER", sys.executable)
        cuda_on_cpu.kernel_names.cache_clear()
        cuda_on_cpu.library.cache_clear()
    problem.cache_clear()
    try:
        out = emulation.run("activation.relu_backward", Y.size, np.empty_like(G), G, Y)
        assert out is None
        assert capsys.readouterr().out.startswith("not run: the ")
        emulation.run("activation.relu_backward", Y.size, np.empty_like(G), G, Y)
        assert not capsys.readouterr().out, "it is said once"
        assert emulation.same(out, G) == emulation.near(out, G, 1) == "not run"
        assert emulation.where() == problem()
    finally:
        problem.cache_clear()
        cuda_on_cpu.kernel_names.cache_clear()


def test_the_pretended_gpu_is_there_only_inside(monkeypatch):
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    before = device.why_not()
    assert emulation.on_pretended_gpu(lambda transfers: device.is_available())
    with pytest.raises(ZeroDivisionError):
        emulation.on_pretended_gpu(lambda transfers: 1 / 0)
    assert "cupy" not in sys.modules
    assert device.why_not() == before


def test_the_pretended_gpu_measures_its_memory_again_and_again():
    def peak(transfers):
        mg.cuda.reset_peak_memory_stats()
        mg.tensor(np.zeros(256, "f4"), device="cuda")
        return mg.cuda.max_memory_allocated() - mg.cuda.memory_allocated()

    first, second = (emulation.on_pretended_gpu(peak) for _ in range(2))
    assert first == second >= 1024
