"""Products on "cuda": the call of cuBLAS that each precision makes, and what it computes."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import cuda
from minigrad.kernels.fast.gemm import OVERRIDES, _layout
from minigrad.kernels.fast.product import matmul, operand, product
from minigrad.testing import cublas_on_cpu
from minigrad.testing import cupy_on_cpu as standin

# By precision: the rounding of the operands, their type and the compute type. tf32's rounding is a
# whole unit in the last place: hardware may cut bits off.
MODES = {
    "float32": (0.0, "CUDA_R_32F", "CUBLAS_COMPUTE_32F"),
    "tf32": (2.0**-10, "CUDA_R_32F", "CUBLAS_COMPUTE_32F_FAST_TF32"),
    "float16": (2.0**-11, "CUDA_R_16F", "CUBLAS_COMPUTE_32F"),
    "bfloat16": (2.0**-8, "CUDA_R_16BF", "CUBLAS_COMPUTE_32F"),
}


@pytest.fixture(autouse=True)
def _calls():
    cublas_on_cpu.calls.clear()


def numbers(cupy, *shape, seed=0):
    host = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    return cupy.asarray(host)


def check(a, b, found, u):
    """found = a b to the rounding of operands (u) and of float32 sums."""
    a, b, found = (x.get() for x in (a, b, found))
    exact = a.astype(np.float64) @ b.astype(np.float64)
    size = np.abs(a).astype(np.float64) @ np.abs(b)
    error = (np.abs(found - exact) / size).max()
    assert error <= 2 * u + u * u + a.shape[1] * 2.0**-23
    assert error > u / 50


def layouts(cupy):
    """Operands and results in the orders of memory that the kernels have, and in any other."""
    wide, tall = numbers(cupy, 6, 80), numbers(cupy, 80, 6, seed=1)
    a, b = numbers(cupy, 5, 40, seed=2), numbers(cupy, 40, 3, seed=3)
    return {
        "rows": (a, b, None),
        "columns": (tall[:40, :5].T, wide[:3, :40].T, None),
        "group": (wide[:, 10:50], tall[20:60, 2:5], numbers(cupy, 6, 9)[:, 3:6]),
        "gaps": (wide[:, ::2], tall[::2, ::2], numbers(cupy, 6, 6)[:, ::2]),
        "transposed result": (a, b, numbers(cupy, 3, 5).T),
        "one row": (wide[2:3, 40:], tall[40:, :3], None),
        "one column": (a[:, 1:2], b[1:2], None),
        "one number": (wide[:1, :40], tall[:40, 3:4], None),
    }


def test_matrices_without_gaps_are_read_where_they_are():
    """(0, elements from row to row), (1, elements from column to column) or (1, 0): a copy."""
    a = np.empty((4, 6), np.float32)
    expected = [
        (a, (0, 6)), (a[:, :3], (0, 6)), (a[:2, :3], (0, 6)), (a[1:2], (0, 6)), (a[:, :1], (0, 6)),
        (a.T, (1, 6)), (a.T[:3, :2], (1, 6)), (a[:1, :1], (0, 1)), (a[:, :1].T, (1, 6)),
        (a[:, ::2], (1, 0)), (a[::-1], (1, 0)), (np.broadcast_to(a[:1], (4, 6)), (1, 0)),
        (np.broadcast_to(a.reshape(-1)[:4, None], (4, 6)), (1, 0)),
    ]  # fmt: skip
    assert [_layout(matrix) for matrix, _ in expected] == [layout for _, layout in expected]


@pytest.mark.parametrize("name", MODES)
def test_products_at_each_precision_in_every_layout(cupy, kernels, name):
    for layout, (a, b, out) in layouts(cupy).items():
        with mg.precision(name):
            out = cupy.empty((a.shape[0], b.shape[1]), np.float32) if out is None else out
            assert product(a, b, out) is out
        if layout != "one number" and a.shape[1] > 1:
            check(a, b, out, MODES[name][0])
        np.testing.assert_allclose(out.get(), a.get() @ b.get(), atol=0.2)


@pytest.mark.parametrize("name", MODES)
def test_the_call_of_cublas(cupy, name):
    _, operands, compute = MODES[name]
    a, b = numbers(cupy, 4, 6), numbers(cupy, 5, 6)
    with mg.precision(name):
        product(a, b.T, cupy.empty((4, 5), np.float32))
    (call,) = cublas_on_cpu.calls
    assert call.operands == cublas_on_cpu.RUNTIME_CONSTANTS[operands]
    assert call.result == cublas_on_cpu.RUNTIME_CONSTANTS["CUDA_R_32F"]
    assert call.compute == cublas_on_cpu.CONSTANTS[compute]
    assert call.operations == (1, 0)  # C^T = (b^T)^T a^T: b's memory is turned, a's is not


@pytest.mark.parametrize("dtype", [np.float64, np.complex64, np.complex128])
def test_other_types_are_left_to_cupy(cupy, dtype):
    a = numbers(cupy, 3, 3).astype(dtype)
    with mg.precision("float16"):
        found = product(a, a, cupy.empty((3, 3), dtype))
    np.testing.assert_array_equal(found.get(), a.get() @ a.get())
    assert not cublas_on_cpu.calls


@pytest.mark.parametrize("shapes", [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0))])
def test_empty_products(cupy, shapes):
    a, b = (cupy.empty(shape, np.float32) for shape in shapes)
    out = product(a, b, cupy.full((shapes[0][0], shapes[1][1]), 7, np.float32))
    assert not out.get().any()


def test_a_batch_is_strict_and_broadcasts(cupy):
    a, b = numbers(cupy, 2, 1, 3, 4), numbers(cupy, 5, 4, 6)
    found = matmul(a, b)
    assert found.shape == (2, 5, 3, 6)
    assert {call.compute for call in cublas_on_cpu.calls} == {68}
    np.testing.assert_allclose(found.get(), a.get() @ b.get(), rtol=1e-5, atol=1e-6)


def strict_error(cupy):
    a, b = numbers(cupy, 5, 40), numbers(cupy, 40, 3)
    check(a, b, product(a, b, cupy.empty((5, 3), np.float32)), 0.0)


@pytest.mark.parametrize("name", ["tf32", "float16", "bfloat16"])
def test_float32_is_strict_again_after_a_context(cupy, name):
    a = numbers(cupy, 4, 4)
    with pytest.raises(ValueError, match="shape"), mg.precision(name):
        product(a, a, cupy.empty((4, 4), np.float32)).reshape(3)
    strict_error(cupy)


def test_float32_is_strict_whatever_the_surroundings_say(cupy, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "1")
    cupy.cuda.cublas.setMathMode(1, cublas_on_cpu.TF32_TENSOR_OP_MATH)  # another library did
    try:
        strict_error(cupy)
        assert cupy.cuda.cublas.getMathMode(1) == cublas_on_cpu.TF32_TENSOR_OP_MATH  # and has it
    finally:
        cupy.cuda.cublas.setMathMode(1, 0)
    for name in OVERRIDES:
        for value, compute in (("1", 69), ("0", 68)):
            monkeypatch.setenv(name, value)
            strict_error(cupy)
            assert cublas_on_cpu.calls[-1].compute == compute


def test_a_gpu_without_tf32_computes_in_float32_and_has_no_bfloat16(cupy, monkeypatch):
    monkeypatch.setattr(standin.Device, "compute_capability", "75")
    with mg.precision("tf32"):
        strict_error(cupy)
    a = numbers(cupy, 2, 2)
    with mg.precision("bfloat16"), pytest.raises(RuntimeError, match=r"capability 7.5.*'float16'"):
        product(a, a, cupy.empty((2, 2), np.float32))


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_operands_are_rounded_once_and_take_half_the_memory(cupy, kernels, name):
    x = numbers(cupy, 50, 8)
    x[0, :6] = cupy.asarray(np.float32([np.nan, np.inf, -np.inf, 3.4e38, 1e-40, -0.0]))
    with mg.precision(name):
        half = operand(x, np.float32)
        turned = operand(x.T, np.float32)
        assert half.dtype.itemsize == 2
        assert operand(half, np.float32) is half
        assert operand(x.astype(np.float64), np.float64).dtype == np.float64
    assert turned.flags.f_contiguous
    np.testing.assert_array_equal(turned.get(), half.get().T)
    with mg.precision(name):  # the CPU's rounding is the same to the bit
        host = product(x.get(), np.eye(8, dtype=np.float32)[:, :1], np.empty((50, 1), np.float32))
    back = (
        half.get() if name == "float16" else (half.get().astype(np.uint32) << 16).view(np.float32)
    )
    np.testing.assert_array_equal(back[1:, 0].astype(np.float32), host[1:, 0])


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_columns_are_written_in_16_bits(cupy, kernels, monkeypatch, name):
    """With the kernels, no column is ever float32, in forward; one launch makes them."""
    made = []
    empty = cupy.empty
    monkeypatch.setattr(
        cupy, "empty", lambda s, d=None: made.append((s, np.dtype(d))) or empty(s, d)
    )
    x, w = numbers(cupy, 2, 4, 9, 9), numbers(cupy, 6, 4, 3, 3)
    with mg.precision(name):
        mg.conv2d(mg.Tensor(x), mg.Tensor(w))
    columns = [dtype.itemsize for shape, dtype in made if shape == (2 * 7 * 7, 36)]
    assert columns == ([2] if cuda.usable(x) else columns)
    assert columns


@pytest.mark.gpu
def test_the_stand_ins_constants_are_cupys(cupy):
    for names, module in (
        (cublas_on_cpu.CONSTANTS, cupy.cuda.cublas),
        (cublas_on_cpu.RUNTIME_CONSTANTS, cupy.cuda.runtime),
    ):
        assert names == {name: getattr(module, name) for name in names}
    assert cupy.cuda.cublas.gemmEx.__doc__.count(",") == 18
