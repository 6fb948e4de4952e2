"""Convolution with fewer multiplications: the same numbers, where it is chosen, what it costs."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.kernels import ways
from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.kernels.fast import winograd

ONE = (1, 1)
SHAPES = {  # images, height, width, channels, out channels, groups, padding
    "odd": (2, 7, 9, 3, 4, 1, (1, 1)),
    "even": (2, 8, 6, 3, 4, 1, (1, 1)),
    "without padding": (1, 6, 5, 2, 3, 1, (0, 0)),
    "wide padding": (2, 3, 4, 2, 3, 1, (2, 3)),
    "groups": (3, 5, 6, 4, 6, 2, (1, 1)),
    "one output": (1, 3, 3, 1, 1, 1, (0, 0)),
    "a row": (2, 3, 9, 2, 2, 1, (0, 1)),
}
PAYS = (8, 13, 13, 128, 128, 1, ONE)


def given(shape, dtype="f8"):
    """x (channels-last), weight, bias, gradient, and the options, of a convolution."""
    n, height, width, channels, out, groups, (top, left) = shape
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, height, width, channels)).astype(dtype).transpose(0, 3, 1, 2)
    weight = rng.normal(size=(out, channels // groups, 3, 3)).astype(dtype)
    bias = rng.normal(size=out).astype(dtype)
    size = (n, height + 2 * top - 2, width + 2 * left - 2, out)
    grad = rng.normal(size=size).astype(dtype).transpose(0, 3, 1, 2)
    return x, weight, bias, grad, (ONE, (top, left), ONE, groups)


def both(shape, relu, dtype="f8", needs=(True, True, True)):
    """(y, dx, dweight, dbias) by Winograd and by the formula."""
    x, weight, bias, grad, options = given(shape, dtype)
    results = []
    for forward, backward in ((winograd.forward, winograd.backward),
                              (conv2d_forward.plain, conv2d_backward.plain)):  # fmt: skip
        y = forward(x, weight, bias, *options, relu)
        output = y if relu else None
        results.append((y, *backward(grad, x, weight, *options, output, needs)))
    return results


def ways_taken(call, monkeypatch):
    seen = []
    monkeypatch.setattr(ways, "watchers", [lambda kernel, way: seen.append(way)])
    call()
    return seen


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_computes_the_formula_and_its_derivatives(shape, relu):
    for found, expected in zip(*both(shape, relu), strict=True):
        scale = abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * max(1, scale))
        assert found.shape == expected.shape


@pytest.mark.parametrize("needs", [(True, False, True), (False, True, False), (True, False, False)])
def test_only_the_gradients_asked_for_are_computed(needs):
    for found, expected in zip(*both(SHAPES["groups"], True, needs=needs), strict=True):
        assert (found is None) == (expected is None)
        if found is not None:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("groups", [1, 2])
def test_the_error_in_float32_is_at_most_four_times_that_of_the_columns(groups):
    """Measured: 1.0 to 2.1 times; 4e-7 to 9e-7 of the largest number on AlexNet's layers."""
    from minigrad.kernels.fast import conv

    x, weight, bias, grad, options = given((4, 13, 13, 256, 256, groups, ONE), "f4")
    wide = [a.astype("f8") for a in (x, weight, bias, grad)]
    exact = [conv2d_forward.plain(*wide[:3], *options)]
    exact += conv2d_backward.plain(wide[3], *wide[:2], *options)

    def errors(way):
        found = [way.forward(x, weight, bias, *options), *way.backward(grad, x, weight, *options)]
        pairs = zip(found, exact, strict=True)
        return [abs(one - other).max() / abs(other).max() for one, other in pairs]

    for ours, theirs in zip(errors(winograd), errors(conv), strict=True):
        assert ours < 4 * theirs
        assert ours < 3e-6


def test_it_is_taken_where_it_pays(monkeypatch):
    x, weight, bias, grad, options = given(PAYS, "f4")

    def run():
        conv2d_forward(x, weight, bias, *options)
        conv2d_backward(grad, x, weight, *options)

    assert ways_taken(run, monkeypatch) == ["winograd"] * 2
    with mg.plain():
        assert ways_taken(run, monkeypatch) == ["plain"] * 2
    with mg.precision("float16"):
        assert ways_taken(run, monkeypatch)[:1] == ["fast"]
    monkeypatch.setenv("MINIGRAD_WINOGRAD", "off")
    assert ways_taken(run, monkeypatch) == ["fast"] * 2


@pytest.mark.parametrize(
    ("shape", "dtype", "stride"),
    [
        (PAYS, "f8", ONE),  # gradient checks see the plain sum
        (PAYS, "f4", (2, 2)),
        ((8, 13, 13, 64, 128, 1, ONE), "f4", ONE),
        ((8, 13, 13, 128, 64, 1, ONE), "f4", ONE),
        ((8, 13, 13, 256, 128, 4, ONE), "f4", ONE),
        ((1, 13, 13, 128, 128, 1, ONE), "f4", ONE),  # too few tiles
        ((64, 7, 7, 128, 128, 1, ONE), "f4", ONE),  # a third of the tiles' outputs is dropped
    ],
)
def test_it_is_not_taken_where_it_does_not_pay(shape, dtype, stride, monkeypatch):
    x, weight, bias, _, (_, *options) = given(shape, dtype)
    taken = ways_taken(lambda: conv2d_forward(x, weight, bias, stride, *options), monkeypatch)
    assert taken == ["fast"]


def test_another_kernel_size_is_not_taken(monkeypatch):
    x, weight, *_ = given(PAYS, "f4")
    for kernel in (weight[:, :, :1], np.concatenate([weight, weight], 2)[:, :, :5]):
        taken = ways_taken(lambda k=kernel: conv2d_forward(x, k, None, ONE, ONE), monkeypatch)
        assert taken == ["fast"]


def test_the_same_bits_each_time_and_the_same_numbers_on_any_threads(monkeypatch):
    x, weight, bias, grad, options = given(PAYS, "f4")
    monkeypatch.setattr(winograd, "WORKSPACE", 2**20)  # an image each: all threads get a part
    results, before = [], mg.get_num_threads()
    try:
        for threads in (1, 2, 2, 3):
            mg.set_num_threads(threads)
            y = winograd.forward(x, weight, bias, *options, True)
            results.append([y, *winograd.backward(grad, x, weight, *options, y)])
    finally:
        mg.set_num_threads(before)
    for one, other in zip(results[1], results[2], strict=True):
        assert one.tobytes() == other.tobytes()
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * abs(other).max())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_so_and_reaches_no_other_tile(value):
    x, weight, bias, _, options = given(SHAPES["odd"])
    clean = winograd.forward(x, weight, bias, *options)
    x[0, 1, 3, 4] = value
    with np.errstate(invalid="ignore"):
        found = winograd.forward(x, weight, bias, *options)
        expected = conv2d_forward.plain(x, weight, bias, *options)
    assert not np.isfinite(found[~np.isfinite(expected)]).any()
    changed = np.zeros(found.shape, bool)
    changed[0, :, 2:6, 2:6] = True  # the four tiles that see the pixel
    np.testing.assert_array_equal(found[~changed], clean[~changed])
