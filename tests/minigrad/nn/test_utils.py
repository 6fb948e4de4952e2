"""Clipping of gradients, against norms worked out by hand."""

import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.kernels.fast.blockwise import BLOCK_CPU
from minigrad.nn.utils import clip_grad_norm_, clip_grad_value_


def parameters(*grads, dtype=np.float64):
    found = []
    for grad in grads:
        values = np.array([] if grad is None else grad, dtype)
        parameter = nn.Parameter(np.zeros_like(values))
        parameter.grad = None if grad is None else mg.tensor(values)
        found.append(parameter)
    return found


@pytest.mark.parametrize(
    ("norm_type", "norm"), [(2, 13.0), (1, 19.0), (math.inf, 12.0), (3, 1819 ** (1 / 3))]
)
def test_all_gradients_are_one_vector(norm_type, norm):
    several = parameters([3.0, -4.0], None, [[12.0]])
    before = clip_grad_norm_(several, 2.0, norm_type)
    assert before.shape == ()
    assert before.item() == pytest.approx(norm)
    factor = 2 / (norm + 1e-6)
    np.testing.assert_allclose(several[0].grad.data, [3 * factor, -4 * factor], rtol=1e-14)
    np.testing.assert_allclose(several[2].grad.data, [[12 * factor]], rtol=1e-14)
    assert several[1].grad is None


def test_long_gradients_have_the_exact_norm_in_any_memory_order():
    """Longer than a block, which one sum in float32 would be off by 1e-5 at."""
    values = np.random.default_rng(0).normal(0.3, 1, (BLOCK_CPU, 3)).astype(np.float32)
    for array in (values.copy(), values.copy().T, np.repeat(values, 2, 0)[::2]):
        parameter = nn.Parameter(np.zeros_like(array))
        parameter.grad = mg.Tensor(array)
        expected = array.astype(np.float64)
        norm = clip_grad_norm_(parameter, 1.0).item()
        assert norm == pytest.approx(np.linalg.norm(expected), rel=1e-6)
        np.testing.assert_allclose(parameter.grad.data, expected / (norm + 1e-6), rtol=1e-6)


def test_what_is_short_enough_is_left_as_it_is():
    (one,) = parameters([3.0, 4.0], dtype=np.float32)
    assert clip_grad_norm_(one, 5.1).item() == 5.0
    np.testing.assert_array_equal(one.grad.data, np.array([3, 4], np.float32))
    assert clip_grad_norm_([], 1.0).item() == 0
    assert clip_grad_norm_(parameters(None, []), 1.0).item() == 0


@pytest.mark.parametrize("clip", [clip_grad_norm_, clip_grad_value_])
def test_parameters_that_are_used_up_are_told(clip):
    model = nn.Linear(2, 1)
    given = model.parameters()
    clip(given, 1.0)
    with pytest.warns(UserWarning, match=r"empty, nothing is clipped: .*model.parameters\(\)"):
        clip(given, 1.0)


def test_the_dtype_stays():
    several = parameters([3e2, 4e2], dtype=np.float32)
    assert clip_grad_norm_(iter(several), 1).dtype == np.float32
    assert several[0].grad.dtype == np.float32
    np.testing.assert_allclose(several[0].grad.data, [0.6, 0.8], rtol=1e-6)


def test_a_norm_that_is_not_finite():
    several = parameters([math.inf, 1.0])
    with pytest.raises(RuntimeError, match=r"is inf.*error_if_nonfinite=False"):
        clip_grad_norm_(several, 1.0, error_if_nonfinite=True)
    np.testing.assert_array_equal(several[0].grad.data, [math.inf, 1])  # nothing was scaled
    assert clip_grad_norm_(several, 1.0).item() == math.inf
    assert math.isnan(several[0].grad.data[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_are_clipped_in_place(dtype):
    several = parameters([3.0, -0.5, math.nan], None, [[-math.inf]], dtype=dtype)
    first = several[0].grad
    clip_grad_value_(iter(several), 1.5)
    assert several[0].grad is first
    np.testing.assert_array_equal(first.data, np.array([1.5, -0.5, math.nan], dtype))
    assert several[2].grad.tolist() == [[-1.5]]
    clip_grad_value_(several[0], 0)
    np.testing.assert_array_equal(first.data, [0, 0, math.nan])
    with pytest.raises(ValueError, match="clip_value=-1, expected at least 0"):
        clip_grad_value_(several, -1)


@pytest.mark.parametrize("arguments", [(-1.0,), (math.nan,), (1.0, 0), (1.0, -2)])
def test_refusals(arguments):
    with pytest.raises(ValueError, match="expected at least 0 and more than 0"):
        clip_grad_norm_(parameters([1.0]), *arguments)
