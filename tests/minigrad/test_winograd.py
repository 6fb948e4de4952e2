"""Winograd's minimal filtering: its formula, where it is taken, its error, what it spreads."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from operations import CASES, Case

import minigrad as mg
from minigrad.kernels import ways
from minigrad.kernels.conv import conv2d_backward, conv2d_forward
from minigrad.kernels.fast import conv, parallel, winograd
from minigrad.nn import functional as F

HAS_TORCH = importlib.util.find_spec("torch") is not None
ONE, NONE = (1, 1), (0, 0)


@contextmanager
def everywhere() -> Iterator[None]:
    """Takes Winograd's way wherever its formula holds: for any dtype and size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(winograd, "_usable", lambda first, x, *how: winograd.fits(*how[:4]))
        yield


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The kernels that ran, each with its way."""
    found: list[tuple[str, str]] = []
    monkeypatch.setattr(ways, "watchers", [lambda *call: found.append(call)])
    return found


def takes_it(case: Case) -> bool:
    found: list[str] = []
    ways.watchers.append(watcher := lambda kernel, way: found.append(way))
    with everywhere():
        case.run(case.arrays())
    ways.watchers.remove(watcher)
    return "winograd" in found


TAKEN = [case for case in CASES if case.name.startswith("conv2d") and takes_it(case)]
taken = pytest.mark.parametrize("case", TAKEN, ids=lambda case: case.name)


def near(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12 * np.abs(theirs).max())


def layer(images=4, size=13, channels=64, out=48, groups=1, dtype="f4"):
    """x, weight, bias and gradient of a layer that is large enough, the maps channels-last."""
    rng = np.random.default_rng(0)
    x, grad = (
        rng.normal(size=(images, size, size, c)).astype(dtype).transpose(0, 3, 1, 2)
        for c in (channels, out)
    )
    weight = rng.normal(size=(out, channels // groups, 3, 3)) / 30
    return x, weight.astype(dtype), rng.normal(size=out).astype(dtype), grad


# ----- the formula -----


def test_four_products_give_two_outputs_of_three_taps():
    rng = np.random.default_rng(0)
    d, g, dy = rng.normal(size=4), rng.normal(size=3), rng.normal(size=2)
    big_d, u, e = winograd.B_T @ d, winograd.G @ g, winograd.A_T.T @ dy
    np.testing.assert_allclose(winograd.A_T @ (u * big_d), np.correlate(d, g), rtol=1e-12)
    np.testing.assert_allclose(winograd.G.T @ (big_d * e), np.correlate(d, dy), rtol=1e-12)


def test_additions_are_the_rows_of_the_matrices():
    rng = np.random.default_rng(0)
    d, dy, m = rng.normal(size=4), rng.normal(size=2), rng.normal(size=4)
    halves = np.array([[d[0], d[2]], [d[1], d[3]]]).reshape(2, 1, 1, 2)
    y, spare = np.full((2, 1), np.nan), np.empty(1)
    for i in range(4):
        out = winograd.row_of_b(i, halves, np.empty((1, 1, 1)))
        np.testing.assert_allclose(out.item(), winograd.B_T[i] @ d)
        e = winograd.row_of_a(i, dy.reshape(2, 1), spare)
        np.testing.assert_allclose(e.item(), winograd.A_T[:, i] @ dy)
        place = winograd.place_for(i, y, spare)
        place[:] = m[i]
        winograd.add_row(i, y, place)
    np.testing.assert_allclose(y[:, 0], winograd.A_T @ m)


@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (2, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_any_size_gives_what_im2col_gives(groups, padding):
    rng = np.random.default_rng(0)
    for (height, width), relu in itertools.product([(3, 3), (3, 6), (5, 4), (8, 7)], [False, True]):
        x, weight = rng.normal(size=(3, 4, height, width)), rng.normal(size=(6, 4 // groups, 3, 3))
        how = (weight, rng.normal(size=6), ONE, padding, ONE, groups, relu)
        y = winograd.forward(x, *how)
        near([y], [conv2d_forward.plain(x, *how)])
        back = (rng.normal(size=y.shape), x, weight, ONE, padding, ONE, groups, y if relu else None)
        near(winograd.backward(*back), conv2d_backward.plain(*back))


@taken
def test_the_table_s_convolutions_by_this_way(case: Case):
    with mg.plain():
        out, gradients = case.run(case.arrays())
    with everywhere():
        found = case.run(case.arrays())
        near([found[0], *found[1]], [out, *gradients])
        for method in ("complex", "central"):
            assert mg.gradcheck(case.call, case.tensors(), method)


def test_the_table_has_convolutions_for_it():
    assert {"conv2d-plain", "conv2d-padding", "conv2d-groups 2", "conv2d-one image"} <= {
        case.name for case in TAKEN
    }


@pytest.mark.parametrize("needs", list(itertools.product([True, False], repeat=3)))
def test_the_gradients_are_those_asked_for(needs):
    x, weight, _, grad = layer(2, 5, 4, 6, dtype="f8")
    how = (grad, x, weight, ONE, ONE)
    full = conv2d_backward.plain(*how)
    for wanted, found, expected in zip(needs, winograd.backward(*how, needs=needs), full,
                                       strict=True):  # fmt: skip
        assert (found is not None) == wanted
        if wanted:
            near([found], [expected])


def test_no_images_give_no_outputs_and_gradients_of_zero():
    x, weight, bias, grad = layer(0)
    assert winograd.forward(x, weight, bias, ONE, ONE).shape == (0, 48, 13, 13)
    dx, dweight, dbias = winograd.backward(grad, x, weight, ONE, ONE)
    assert dx.shape == x.shape
    assert not dweight.any()
    assert not dbias.any()


# ----- where it is taken -----


@pytest.mark.parametrize(
    ("change", "way"),
    [
        ({}, "winograd"), ({"groups": 2, "out": 64, "channels": 128}, "winograd"),
        ({"dtype": "f8"}, "fast"), ({"images": 1}, "fast"), ({"channels": 16}, "fast"),
        ({"channels": 32}, "fast"), ({"groups": 4}, "fast"),
    ],
    ids=str,
)  # fmt: skip
def test_it_is_taken_where_there_is_enough_to_multiply(change, way, seen):
    x, weight, bias, grad = layer(**change)
    groups = change.get("groups", 1)
    conv2d_forward(x, weight, bias, ONE, ONE, ONE, groups)
    conv2d_backward(grad, x, weight, ONE, ONE, ONE, groups)
    assert seen == [("conv2d_forward", way), ("conv2d_backward", way)]


@pytest.mark.parametrize("how", [((2, 2), ONE), (ONE, (3, 3)), (ONE, NONE, (2, 2))], ids=str)
def test_other_convolutions_go_by_im2col(how, seen):
    x, weight, _, _ = layer()
    conv2d_backward(conv2d_forward(x, weight, None, *how), x, weight, *how)
    conv2d_forward(x, np.ascontiguousarray(weight[..., :2]))
    assert {way for _, way in seen} == {"fast"}


def test_it_can_be_switched_off(seen, monkeypatch):
    x, weight, _, grad = layer()
    with mg.plain():
        conv2d_forward(x, weight)
    with mg.precision("float16"):
        conv2d_forward(x, weight)
    conv2d_backward(grad, x, weight, ONE, ONE, needs=(False, False, True))  # the bias: no product
    monkeypatch.setenv("MINIGRAD_WINOGRAD", "off")
    conv2d_forward(x, weight)
    assert [way for _, way in seen] == ["plain", "fast", "fast", "fast"]
    monkeypatch.setenv("MINIGRAD_WINOGRAD", "no")
    with pytest.raises(ValueError, match=r"MINIGRAD_WINOGRAD=no .* expected on .* or off"):
        conv2d_forward(x, weight)


# ----- its numbers -----


@pytest.mark.parametrize("groups", [1, 2])
def test_its_error_is_at_most_three_times_that_of_im2col(groups):
    data = layer(8, 13, 128, 96, groups)
    how = (ONE, ONE, ONE, groups)

    def results(way, x, weight, bias, grad):
        return [way.forward(x, weight, bias, *how), *way.backward(grad, x, weight, *how)[:2]]

    exact = results(conv, *(a.astype("f8") for a in data))
    for right, ours, theirs in zip(exact, results(winograd, *data), results(conv, *data),
                                   strict=True):  # fmt: skip
        ours, theirs = (np.abs(a - right).max() / np.abs(right).max() for a in (ours, theirs))
        assert ours < 2e-6
        assert ours < 3 * theirs


@pytest.mark.skipif(not HAS_TORCH, reason="needs PyTorch")
def test_a_layer_that_takes_it_is_pytorch_s(seen):
    import torch

    data = layer(groups=1)
    x, w, b = (mg.tensor(a, requires_grad=True) for a in data[:3])
    y = F.conv2d_relu(x, w, b, padding=1)
    y.backward(mg.tensor(data[3]))
    assert {way for _, way in seen} == {"winograd"}
    tx, tw, tb = (torch.tensor(a, requires_grad=True) for a in data[:3])
    ty = torch.relu(torch.nn.functional.conv2d(tx, tw, tb, padding=1))
    ty.backward(torch.tensor(data[3]))
    for ours, theirs in ((y, ty.detach()), (x.grad, tx.grad), (w.grad, tw.grad), (b.grad, tb.grad)):
        theirs = theirs.numpy()
        np.testing.assert_allclose(ours.data, theirs, rtol=1e-4, atol=3e-6 * abs(theirs).max())


def test_the_same_bits_each_time_and_the_same_numbers_on_any_threads():
    before, results = parallel.get_num_threads(), []
    x, weight, bias, grad = layer(7)
    try:
        for number in (1, 2, 2, 3):
            parallel.set_num_threads(number)
            results.append([winograd.forward(x, weight, bias, ONE, ONE),
                            *winograd.backward(grad, x, weight, ONE, ONE)])  # fmt: skip
    finally:
        parallel.set_num_threads(before)
    assert [a.tobytes() for a in results[1]] == [a.tobytes() for a in results[2]]
    for result in results[1:]:
        for one, other in zip(results[0], result, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=2e-6 * np.abs(one).max())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_reaches_the_outputs_that_see_it_and_no_others(bad):
    x, weight, _, grad = layer()
    for row, column in ((4, 6), (5, 6), (12, 7), (4, 0)):  # every place in a tile, and edges
        x[1, 3, row, column] = grad[2, 4, row, column] = bad
        with np.errstate(invalid="ignore"):  # im2col says so
            expected = [conv.forward(x, weight, None, ONE, ONE),
                        *conv.backward(grad, x, weight, ONE, ONE)[:2]]  # fmt: skip
        found = [winograd.forward(x, weight, None, ONE, ONE),
                 *winograd.backward(grad, x, weight, ONE, ONE)[:2]]  # fmt: skip
        for ours, theirs in zip(found[:2], expected[:2], strict=True):
            np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))
        assert not np.isfinite(found[2][~np.isfinite(expected[2])]).any()
        x[1, 3, row, column] = grad[2, 4, row, column] = 0


def test_anomaly_detection_names_the_convolution():
    x, weight, _, _ = layer()
    weight[0, 0, 0, 0] = np.nan
    w = mg.tensor(weight, requires_grad=True)
    with mg.detect_anomaly(), pytest.raises(mg.AnomalyError, match="NaN in the output of conv2d"):
        F.conv2d(mg.tensor(x), w, padding=1)
