"""Sums in float32 over any axes of any memory, held to float64."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import Tensor, sums
from minigrad.nn import functional as F

MILLIONS = 2**22
LAYOUTS = {
    "rows": ((MILLIONS, 2), (0,), "C"),
    "one column": ((MILLIONS + 13, 1), (0,), "C"),
    "rows and channels": ((MILLIONS // 2, 2, 2), (0, 2), "C"),
    "middle": ((2, MILLIONS // 2, 2), (1,), "C"),
    "all, Fortran's order": ((MILLIONS // 2, 2), (0, 1), "F"),
    "columns, Fortran's order": ((2, MILLIONS // 2), (1,), "F"),
    "images": ((64, 3, 128, 128), (0, 2, 3), "C"),
    "images, channels last": ((64, 3, 128, 128), (0, 2, 3), "channels last"),
    "a few rows": ((65, 200), (0,), "C"),
}


def laid_out(shape, order):
    if order == "channels last":
        return np.moveaxis(np.empty((shape[0], *shape[2:], shape[1]), np.float32), -1, 1)
    return np.empty(shape, np.float32, order=order)


def error(found, exact):
    """The largest relative error."""
    return float(np.max(np.abs(found - exact) / np.abs(exact)))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("value", [0.1, 1.7, None])
def test_sums_and_means_of_millions(name, value):
    shape, axes, order = LAYOUTS[name]
    x = laid_out(shape, order)
    x[...] = np.random.default_rng(0).random(shape, np.float32) if value is None else value
    exact = x.sum(axes, dtype=np.float64)
    assert error(mg.from_numpy(x).sum(axes).data, exact) < 1e-6
    assert error(mg.from_numpy(x).mean(axes).data, exact / (x.size / exact.size)) < 1e-6


def test_variances_of_millions():
    x = np.random.default_rng(0).random((MILLIONS, 2), np.float32) + 3
    exact = x.astype(np.float64).var(0, ddof=1)
    assert error(mg.from_numpy(x).var(0).data, exact) < 1e-6
    assert error(mg.from_numpy(x).std(0).data, np.sqrt(exact)) < 1e-6


BIASES = {
    "added": (lambda b: mg.ones(MILLIONS, 2) + b, (2,)),
    "linear": (lambda b: F.linear(mg.ones(MILLIONS // 2, 1), mg.ones(2, 1), b), (2,)),
    "conv2d": (lambda b: F.conv2d(mg.ones(512, 1, 64, 64), mg.ones(2, 1, 1, 1), b), (2,)),
    "prelu": (lambda b: F.prelu(mg.ones(MILLIONS, 2) * -1, b), (2,)),
}


@pytest.mark.parametrize("name", BIASES)
@pytest.mark.parametrize("plain", [False, True])
def test_gradients_of_biases(name, plain):
    call, shape = BIASES[name]
    bias = mg.zeros(shape, requires_grad=True)
    with mg.plain() if plain else mg.enable_grad():
        y = call(bias)
        y.backward(np.full(y.shape, 0.1, np.float32))
    exact = np.float64(np.float32(0.1)) * (y.numel() // 2)
    assert error(np.abs(bias.grad.data), exact) < 1e-6


def test_pools_and_softmax_over_millions():
    image = Tensor(np.full((1, 2, 2048, 2048), 0.1, np.float32))
    assert error(F.adaptive_avg_pool2d(image, 1).data, np.float64(np.float32(0.1))) < 1e-6
    assert error(F.softmax(mg.zeros(MILLIONS, 2), 0).data, 1 / MILLIONS) < 1e-6


def test_what_numpy_adds_one_after_the_other_is_counted():
    """The run through memory that NumPy's innermost loop takes is added in a tree: no count."""
    a = np.empty((4, 5, 6), np.float32)
    counts = {(0, 1, 2): 1, (1, 2): 1, (2,): 1, (1,): 5, (0,): 4, (0, 1): 20, (0, 2): 4, (): 1}
    for axes, count in counts.items():
        assert sums._in_a_row(a, axes) == count
        assert sums._in_a_row(a.T, tuple(2 - axis for axis in axes)) == count
    assert sums._in_a_row(np.broadcast_to(a[0, 0], (4, 6)), (0, 1)) == 24
    assert [sums._is_near(np.empty((n, 9), "f4"), (0,)) for n in (64, 65)] == [True, False]
    assert [sums._is_near(np.empty((n, 9, 3), "f4"), (0, 2)) for n in (64, 65)] == [True, False]


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.int64, np.bool_])
def test_shape_and_dtype_are_those_of_numpy(dtype, keepdims):
    x = np.ones((130, 3, 70, 2)).astype(dtype)
    for axes in [(), (0,), (2,), (0, 2), (1, 3), (0, 1, 2, 3)]:
        for a in (x, x.T, x[::2, :, ::-1], np.broadcast_to(x[:1], x.shape), x[:0]):
            expected = a.sum(axes, keepdims=keepdims)
            found = sums.over(a, axes, keepdims)
            assert (found.shape, found.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", [3, 100, 100_000])
def test_the_gradient_of_a_number_that_met_many_is_an_array(size):
    number = mg.tensor(2.0, dtype="float64", requires_grad=True)
    (mg.ones(size, 2, dtype="float64") * number).sum().backward()
    assert type(number.grad.data) is np.ndarray
    assert number.grad.item() == 2 * size


@pytest.mark.parametrize("p", [1, 2, 3])
def test_norms_over_rows_are_as_exact(p):
    x = np.full((MILLIONS, 2), 0.1, np.float32)
    exact = (np.abs(x.astype(np.float64)) ** p).sum(0) ** (1 / p)
    np.testing.assert_allclose(mg.tensor(x).norm(p, 0).numpy(), exact, rtol=1e-6)
