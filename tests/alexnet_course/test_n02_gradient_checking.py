"""Notebook 02: other right answers than the solutions'."""

import numpy as np
import pytest

from alexnet_course import n02_gradient_checking as check


def moving_and_putting_back(f, x, eps):
    x, slopes = x.copy(), np.empty_like(x)
    for i in range(x.size):
        old = x.flat[i]
        x.flat[i] = old + eps
        above = f(x)
        x.flat[i] = old - eps
        slopes.flat[i] = (above - f(x)) / (2 * eps)
        x.flat[i] = old
    return slopes


def along_the_unit_arrays(f, x, eps):
    units = eps * np.eye(x.size).reshape(-1, *x.shape)
    return np.array([(f(x + u) - f(x - u)) / eps / 2 for u in units]).reshape(x.shape)


def flat(f, x, eps):
    def g(values):
        return f(values.reshape(x.shape))

    values, slopes = x.ravel(), []
    for i in range(values.size):
        step = np.zeros(values.size)
        step[i] = eps
        slopes.append((g(values + step) - g(values - step)) * 0.5 / eps)
    return np.array(slopes).reshape(x.shape)


def with_where(f, x, eps):
    places = np.arange(x.size).reshape(x.shape)
    slopes = np.zeros_like(x)
    for i in range(x.size):
        ends = [f(np.where(places == i, x + s * eps, x)) for s in (-1, 1)]
        slopes[places == i] = np.diff(ends)[0] / (2 * eps)
    return slopes


def with_nditer(f, x, eps):
    slopes = np.zeros(x.shape)
    walk = np.nditer(x, flags=["multi_index"])
    for _ in walk:
        above, below = x.copy(), x.copy()
        above[walk.multi_index] += eps
        below[walk.multi_index] -= eps
        slopes[walk.multi_index] = (f(above) - f(below)) / (above - below).sum()
    return slopes


@pytest.mark.parametrize(
    "answer",
    [moving_and_putting_back, along_the_unit_arrays, flat, with_where, with_nditer],
)
def test_other_right_gradients_are_right(answer):
    assert check.numeric_gradient.verdict(answer) == "numeric_gradient: right."


@pytest.mark.parametrize(
    "answer",
    [
        lambda f, x, v: np.imag(f(x + 1e-30j * v)) / 1e-30,
        lambda f, x, v: f(x + complex(0, 1e-40) * v).imag * 1e40,
        lambda f, x, v: (f(x.astype(complex) + v * 1e-30 * 1j) / 1e-30).imag,
        lambda f, x, v: -f(x - 1e-25j * v).imag / 1e-25,
        lambda f, x, v: (f(x + 1e-30j * v) - f(x - 1e-30j * v)).imag / 2e-30,
        lambda f, x, v: (f(np.array(x + 1e-20j * v, np.complex128)) * -1j).real / 1e-20,
    ],
)
def test_other_right_complex_slopes_are_right(answer):
    assert check.complex_slope.verdict(answer) == "complex_slope: right."
